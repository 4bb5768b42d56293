package consenttest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"strongroom/treasury/consent"
)

// Site and Origin are where the people of a House approve.
const (
	Site   = "localhost"
	Origin = "http://localhost:8080"
)

// House is a roster with everybody's keys.
type House struct {
	Roster   *consent.Roster
	Officers []ed25519.PrivateKey
	Keys     map[string][]*Key // by person, in the order in which they were given
}

// Open makes a house with no people yet: n officers, k of whom sign.
func Open(tb testing.TB, environment string, k, n int, created int64) *House {
	tb.Helper()
	h := &House{Keys: map[string][]*Key{}, Roster: &consent.Roster{
		Environment: environment, Version: 1, Created: created, Expires: created + 90*24*3600,
		RPID: Site, Origins: []string{Origin}, Officers: consent.Officers{K: k},
	}}
	for range n {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		must(tb, err)
		h.Officers = append(h.Officers, private)
		h.Roster.Officers.Keys = append(h.Roster.Officers.Keys, hex.EncodeToString(public))
	}
	slices.Sort(h.Roster.Officers.Keys)
	return h
}

// Add takes a person in.
func (h *House) Add(person string, officer bool, groups []string, keys ...*Key) {
	p := consent.Person{ID: person, Name: strings.ToUpper(person[:1]) + person[1:], Groups: slices.Sorted(slices.Values(groups)), Officer: officer}
	if p.Groups == nil {
		p.Groups = []string{}
	}
	for _, k := range keys {
		p.Keys = append(p.Keys, k.Key)
	}
	slices.SortFunc(p.Keys, func(a, b consent.Key) int { return strings.Compare(a.ID, b.ID) })
	h.Keys[person] = keys
	h.Roster.Persons = append(h.Roster.Persons, p)
	slices.SortFunc(h.Roster.Persons, func(a, b consent.Person) int { return strings.Compare(a.ID, b.ID) })
}

// Trust is what a reader of the house's rosters knows.
func (h *House) Trust() consent.Trust {
	return consent.Trust{Environment: h.Roster.Environment, Officers: h.Roster.Officers}
}

// Sign returns the roster signed by its first k officers.
func (h *House) Sign(tb testing.TB) []byte {
	tb.Helper()
	var signatures []consent.RosterSignature
	for _, officer := range h.Officers[:h.Roster.Officers.K] {
		s, err := consent.SignRoster(h.Roster, officer)
		must(tb, err)
		signatures = append(signatures, s)
	}
	signed, err := consent.JoinRoster(h.Roster, signatures...)
	must(tb, err)
	return signed
}
