package consent_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"strongroom/treasury/consent"
	"strongroom/treasury/consent/consenttest"
)

func TestRosterIsReadWhereEnoughOfficersSigned(t *testing.T) {
	h := open(t)
	signed := h.Sign(t)
	r, err := consent.ParseRoster(signed, h.Trust(), 1)
	require.NoError(t, err)
	assert.Equal(t, h.Roster, r)
	var laid bytes.Buffer
	require.NoError(t, json.Indent(&laid, signed, "", "  "))
	_, err = consent.ParseRoster(laid.Bytes(), h.Trust(), 0)
	require.NoError(t, err, "laid out for people")
	document, err := r.Document()
	require.NoError(t, err)
	assert.Len(t, document, 64)

	one, err := consent.SignRoster(h.Roster, h.Officers[0])
	require.NoError(t, err)
	two, err := consent.SignRoster(h.Roster, h.Officers[2])
	require.NoError(t, err)
	_, stranger, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	_, err = consent.SignRoster(h.Roster, stranger)
	require.ErrorIs(t, err, consent.ErrRoster)
	foreign := consent.RosterSignature{Officer: h.Roster.Officers.Keys[0], Signature: ed25519.Sign(stranger, []byte("x"))}
	for name, signatures := range map[string][]consent.RosterSignature{
		"nobody": {}, "one": {one}, "one twice": {one, one}, "two, one twice": {one, two, two}, "a stranger": {one, two, {Officer: strings.Repeat("ab", 32), Signature: two.Signature}},
		"a wrong one": {one, foreign}, "swapped": {{Officer: one.Officer, Signature: two.Signature}, {Officer: two.Officer, Signature: one.Signature}},
	} {
		text, err := consent.JoinRoster(h.Roster, signatures...)
		require.NoError(t, err)
		_, err = consent.ParseRoster(text, h.Trust(), 0)
		require.ErrorIs(t, err, consent.ErrRoster, name)
	}
	good := []consent.RosterSignature{one, two}
	text, err := consent.JoinRoster(h.Roster, good...)
	require.NoError(t, err)
	_, err = consent.ParseRoster(text, h.Trust(), 0)
	require.NoError(t, err)

	_, err = consent.ParseRoster(text, h.Trust(), 2)
	require.ErrorContains(t, err, "take the newest")
	other := h.Trust()
	other.Environment = "other"
	_, err = consent.ParseRoster(text, other, 0)
	require.ErrorContains(t, err, "environment")
	other = h.Trust()
	other.Officers.K = 1
	_, err = consent.ParseRoster(text, other, 0)
	require.ErrorContains(t, err, "officers")
	_, err = consent.ParseRoster(text, consent.Trust{Environment: environment}, 0)
	require.ErrorIs(t, err, consent.ErrRoster, "no officers, no trust")
}

// TestNoBitOfARosterChanges flips bits of the signed file by chance.
func TestNoBitOfARosterChanges(t *testing.T) {
	h := open(t)
	signed := h.Sign(t)
	dice := rand.New(rand.NewPCG(7, 7))
	for range 3000 {
		text := bytes.Clone(signed)
		text[dice.IntN(len(text))] ^= 1 << dice.IntN(8)
		if r, err := consent.ParseRoster(text, h.Trust(), 1); err == nil {
			require.Equal(t, h.Roster, r)
			t.Fatalf("%s is read", text)
		}
	}
}

func TestRosterThatContradictsItself(t *testing.T) {
	for name, change := range map[string]func(r *consent.Roster){
		"environment":     func(r *consent.Roster) { r.Environment = "" },
		"version":         func(r *consent.Roster) { r.Version = 0 },
		"expires":         func(r *consent.Roster) { r.Expires = r.Created },
		"expires ":        func(r *consent.Roster) { r.Expires = r.Created + 401*24*3600 },
		"rpId":            func(r *consent.Roster) { r.RPID = "Localhost" },
		"origins":         func(r *consent.Roster) { r.Origins = nil },
		"origins ":        func(r *consent.Roster) { r.Origins = []string{"http://localhost:8080/"} },
		"origins  ":       func(r *consent.Roster) { r.RPID, r.Origins = "pay.example", []string{"http://pay.example"} },
		"origins   ":      func(r *consent.Roster) { r.Origins = []string{"https://evil.example"} },
		"origins    ":     func(r *consent.Roster) { r.Origins = []string{"https://eviLlocalhost"} },
		"officers":        func(r *consent.Roster) { r.Officers.K = 0 },
		"officers ":       func(r *consent.Roster) { r.Officers.K = 4 },
		"officers  ":      func(r *consent.Roster) { r.Officers.Keys[0] = r.Officers.Keys[1] },
		"officers   ":     func(r *consent.Roster) { r.Officers.Keys[0] = strings.ToUpper(r.Officers.Keys[0]) + "x" },
		"persons":         func(r *consent.Roster) { r.Persons = nil },
		"persons ":        func(r *consent.Roster) { r.Persons[1].ID = "ada" },
		"persons  ":       func(r *consent.Roster) { r.Persons[0].ID = "Ada" },
		"persons   ":      func(r *consent.Roster) { slices.Reverse(r.Persons) },
		"persons    ":     func(r *consent.Roster) { r.Persons[0].Officer = false },
		"name":            func(r *consent.Roster) { r.Persons[0].Name = "A\u202eda" },
		"group":           func(r *consent.Roster) { r.Persons[0].Groups = []string{"Treasury"} },
		"group ":          func(r *consent.Roster) { r.Persons[0].Groups = []string{"risk", "risk"} },
		"group  ":         func(r *consent.Roster) { r.Persons[2].Groups = []string{consent.OfficersGroup} },
		"key":             func(r *consent.Roster) { r.Persons[3].Keys[0].ID = "ada-api" },
		"key  ":           func(r *consent.Roster) { r.Persons[3].Keys[0].Public = r.Persons[0].Keys[0].Public },
		"key   ":          func(r *consent.Roster) { r.Persons[3].Keys[0].Public = nil },
		"public":          func(r *consent.Roster) { r.Persons[1].Keys[0].Public[0]++ },
		"public ":         func(r *consent.Roster) { r.Persons[2].Keys[0].Public = make([]byte, 20) },
		"scheme":          func(r *consent.Roster) { r.Persons[2].Keys[0].Scheme = "pgp" },
		"credential":      func(r *consent.Roster) { r.Persons[1].Keys[0].Credential = nil },
		"credential and ": func(r *consent.Roster) { r.Persons[2].Keys[0].Synced = true },
	} {
		h := open(t)
		change(h.Roster)
		err := h.Roster.Check()
		require.ErrorIs(t, err, consent.ErrRoster, name)
		require.ErrorContains(t, err, strings.TrimSpace(name))
		_, err = h.Roster.Canonical()
		require.ErrorIs(t, err, consent.ErrRoster, name)
	}
}

// TestOnePasskeyIsOnePersons: also as a plain key of the same material.
func TestOnePasskeyIsOnePersons(t *testing.T) {
	h := consenttest.Open(t, environment, 1, 1, created)
	k := consenttest.Passkey(t, "eve-1", consenttest.Site, consenttest.Origin, consenttest.EdDSA)
	h.Add("eve", true, nil, k)
	plain := consenttest.Plain(t, "mal-1")
	plain.Public = k.Public[len(k.Public)-32:]
	h.Add("mal", false, nil, plain)
	require.ErrorContains(t, h.Roster.Check(), "each key is one person's")
}

func FuzzRoster(f *testing.F) {
	h := consenttest.Open(f, environment, 1, 1, created)
	h.Add("ada", true, []string{"treasury"}, consenttest.Plain(f, "ada-1"))
	signed := h.Sign(f)
	f.Add(signed)
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := consent.ParseRoster(text, h.Trust(), 0)
		if err == nil {
			assert.Equal(t, h.Roster, r, "nobody signed anything else")
		}
	})
}

func FuzzFreeze(f *testing.F) {
	f.Add([]byte(`{"environment":"e","person":"ada","key":"k","scheme":"ed25519","at":1,"reason":"r","signature":"AA=="}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		word, err := consent.ParseFreeze(text)
		if err != nil {
			return
		}
		again, err := json.Marshal(word)
		require.NoError(t, err)
		assert.Equal(t, string(text), string(again))
	})
}
