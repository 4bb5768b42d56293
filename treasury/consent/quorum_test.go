package consent_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"strongroom/treasury/consent"
	"strongroom/treasury/consent/consenttest"
)

// six are the people of the matrix and their groups; each has two keys.
func six() map[string][]string {
	return map[string][]string{
		"ada": {"treasury"}, "bea": {"treasury", "risk"}, "cem": {"treasury"}, "dov": {"risk"}, "eve": {"board"}, "fay": {"board", "risk"},
	}
}

// shape is a requirement beside what it means, written down by itself: has is how many
// different people of a group agreed.
type shape struct {
	requirement consent.Requirement
	met         func(has map[string]int) bool
}

func of(group string, count int) consent.Requirement {
	return consent.Requirement{Group: group, Count: count}
}

func all(members ...consent.Requirement) consent.Requirement {
	return consent.Requirement{All: members}
}

func either(members ...consent.Requirement) consent.Requirement {
	return consent.Requirement{Any: members}
}

func shapes() []shape {
	return []shape{
		{of("treasury", 1), func(h map[string]int) bool { return h["treasury"] >= 1 }},
		{of("treasury", 2), func(h map[string]int) bool { return h["treasury"] >= 2 }},
		{of("treasury", 3), func(h map[string]int) bool { return h["treasury"] >= 3 }},
		{of("treasury", 4), func(map[string]int) bool { return false }},
		{of("nobody", 1), func(map[string]int) bool { return false }},
		{all(of("treasury", 2), of("risk", 1)), func(h map[string]int) bool { return h["treasury"] >= 2 && h["risk"] >= 1 }},
		{either(of("treasury", 2), of("board", 2)), func(h map[string]int) bool { return h["treasury"] >= 2 || h["board"] >= 2 }},
		{all(of("treasury", 1), either(of("risk", 2), of("board", 1))), func(h map[string]int) bool { return h["treasury"] >= 1 && (h["risk"] >= 2 || h["board"] >= 1) }},
		{either(all(of("treasury", 2), of("risk", 2)), all(of("board", 2), either(of("risk", 2), of("treasury", 1)))), func(h map[string]int) bool {
			return h["treasury"] >= 2 && h["risk"] >= 2 || h["board"] >= 2 && (h["risk"] >= 2 || h["treasury"] >= 1)
		}},
		{of(consent.OfficersGroup, 2), func(h map[string]int) bool { return h[consent.OfficersGroup] >= 2 }},
	}
}

// state is in which way a case is old, if in any.
type state struct {
	name  string
	spoil func(c *consent.Case)
}

func states() []state {
	return []state{
		{"good", nil},
		{"stale roster", func(c *consent.Case) { c.Newest = c.Roster.Version + 1 }},
		{"another policy", func(c *consent.Case) { c.Policy++ }},
	}
}

// TestQuorumMatrix goes through every set of people that approve, with the first, the
// second or both of their keys, every shape, everybody as the one who asks, and every
// state; what passes is held against a count by hand.
func TestQuorumMatrix(t *testing.T) {
	h, people := consenttest.Open(t, environment, 2, 3, created-1000), six()
	names := []string{"ada", "bea", "cem", "dov", "eve", "fay"}
	officers := []string{"ada", "eve", "fay"}
	for _, name := range names {
		h.Add(name, slices.Contains(officers, name), people[name], consenttest.Plain(t, name+"-1"), consenttest.Plain(t, name+"-2"))
	}
	require.NoError(t, h.Roster.Check())
	cases, met := 0, 0
	for asks, requester := range append([]string{"customer:zoe"}, names...) {
		i := payment()
		i.Requester = requester
		var signed [6][2]consent.Approval
		for at, name := range names {
			for key := range 2 {
				signed[at][key] = h.Keys[name][key].Approve(t, name, i, now.Unix())
			}
		}
		for set := range 1 << len(names) {
			for keys := range 3 { // the first key, the second, both
				var said []consent.Approval
				has := map[string]int{}
				for at, name := range names {
					if set>>at&1 == 0 {
						continue
					}
					if keys != 1 {
						said = append(said, signed[at][0])
					}
					if keys != 0 {
						said = append(said, signed[at][1])
					}
					if asks == at+1 {
						continue
					}
					for _, group := range people[name] {
						has[group]++
					}
					if slices.Contains(officers, name) {
						has[consent.OfficersGroup]++
					}
				}
				for at, s := range shapes() {
					for _, st := range states() {
						c := caseOf(t, h, i, s.requirement, said...)
						want := s.met(has)
						if st.spoil != nil {
							st.spoil(c)
							want = false
						}
						j, err := consent.Judge(c)
						if st.spoil != nil {
							require.ErrorIs(t, err, consent.ErrStale)
						} else {
							require.NoError(t, err)
						}
						cases++
						if want {
							met++
						}
						if (j.Outcome == consent.Met) != want {
							t.Fatalf("%s asks, people %06b with keys %d, shape %d, %s: %s", requester, set, keys, at, st.name, j.Outcome)
						}
					}
				}
			}
		}
	}
	assert.Equal(t, 7*64*3*10*3, cases)
	assert.Positive(t, met)
	t.Logf("%d cases, %d of them met", cases, met)
}
