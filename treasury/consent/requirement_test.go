package consent_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"strongroom/treasury/consent"
)

func TestRequirementSaysWhatItTakes(t *testing.T) {
	r, err := consent.ParseRequirement([]byte(`{"all":[{"group":"treasury","count":2},{"any":[{"group":"risk","count":1},{"group":"board","count":1}]}]}`))
	require.NoError(t, err)
	assert.Equal(t, "2 of treasury and (1 of risk or 1 of board)", r.String())
	assert.Equal(t, []string{"board", "risk", "treasury"}, r.Groups())
	assert.False(t, r.Met(nil))
	assert.False(t, r.Met([][]string{{"treasury"}, {"treasury"}}))
	assert.True(t, r.Met([][]string{{"treasury"}, {"treasury", "risk"}}), "who is in two groups counts in each")
	assert.True(t, r.Met([][]string{{"treasury"}, {"treasury"}, {"board"}}))
	assert.Equal(t, "1 of treasury and (1 of risk or 1 of board)", r.Missing([][]string{{"treasury"}}).String())
	assert.Equal(t, "1 of risk or 1 of board", r.Missing([][]string{{"treasury"}, {"treasury"}}).String())
	assert.Nil(t, r.Missing([][]string{{"treasury"}, {"treasury"}, {"board"}}))
}

func TestRequirementThatAsksForNothingIsNeverMet(t *testing.T) {
	everybody := [][]string{{"a", ""}, {"a", ""}}
	deep := consent.Requirement{Group: "a", Count: 1}
	for range consent.MaxDepth {
		deep = consent.Requirement{All: []consent.Requirement{deep}}
	}
	for name, r := range map[string]consent.Requirement{
		"nothing":    {},
		"no count":   {Group: "a"},
		"no group":   {Count: 1},
		"negative":   {Group: "a", Count: -1},
		"too many":   {Group: "a", Count: consent.MaxCount + 1},
		"two things": {Group: "a", Count: 1, Any: []consent.Requirement{{Group: "a", Count: 1}}},
		"a hole":     {Any: []consent.Requirement{{Group: "a", Count: 1}, {}}},
		"too wide":   {All: make([]consent.Requirement, consent.MaxMembers+1)},
		"too deep":   deep,
	} {
		require.ErrorIs(t, r.Check(), consent.ErrRequirement, name)
		assert.False(t, r.Met(everybody), name)
	}
	for name, text := range map[string]string{
		"unknown": `{"group":"a","count":1,"x":1}`, "twice": `{"group":"b","group":"a","count":1}`, "space": `{"group": "a","count":1}`,
		"more": `{"group":"a","count":1}{}`, "case": `{"Group":"a","count":1}`, "long": strings.Repeat(" ", consent.MaxRequirementBytes+1),
	} {
		_, err := consent.ParseRequirement([]byte(text))
		require.ErrorIs(t, err, consent.ErrRequirement, name)
	}
}

func FuzzRequirement(f *testing.F) {
	f.Add([]byte(`{"all":[{"group":"treasury","count":2},{"any":[{"group":"risk","count":1},{"group":"board","count":1}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := consent.ParseRequirement(text)
		if err != nil {
			return
		}
		again, err := json.Marshal(r)
		require.NoError(t, err)
		assert.Equal(t, string(text), string(again))
		assert.False(t, r.Met(nil))
		assert.NotNil(t, r.Missing(nil))
	})
}
