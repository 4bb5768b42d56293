package desk_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"strongroom/treasury"
	"strongroom/treasury/consent"
	"strongroom/treasury/consent/consenttest"
	"strongroom/treasury/policy"
)

func (h *house) drafted(version uint64, in time.Duration, small uint64) treasury.PolicyRow {
	h.tb.Helper()
	row, err := h.DraftPolicy(h.tb.Context(), textOf(h.tb, rulesOf(version, h.clock().Add(in).Unix(), small)), "ada", "the rent went up")
	require.NoError(h.tb, err)
	return row
}

func TestPolicyIsPublishedInItsTime(t *testing.T) {
	t.Parallel()
	h := open(t)
	waits := h.asked("wdr_1", 500)
	require.Equal(t, treasury.PolicyDraft, h.drafted(2, 2*time.Hour, 1000).State)
	trial, err := h.TryPolicy(t.Context(), 2, 30)
	require.NoError(t, err)
	require.Equal(t, 1, trial.Total)
	require.Equal(t, 1, trial.Changed)
	require.Equal(t, waits.ID, trial.Decisions[0].Request)
	require.True(t, trial.Decisions[0].IsLaxer)
	require.Equal(t, "quorum of 2 of treasury", trial.Decisions[0].Was)
	require.Equal(t, "allow", trial.Decisions[0].Is)

	row, request, err := h.ProposePolicy(t.Context(), 2, "ada")
	require.NoError(t, err)
	require.Equal(t, treasury.PolicyProposed, row.State)
	require.Equal(t, row.Document, request.Intent.Document)
	require.Equal(t, uint64(1), request.Intent.Policy, "the one in force asks")
	h.signs("bea", &request)
	require.Equal(t, treasury.Approved, h.signs("cem", &request).State)
	require.NoError(t, h.Tick(t.Context()))
	is, err := h.PolicyInForce(t.Context())
	require.NoError(t, err)
	require.Equal(t, uint64(1), is.Version, "its time has not come")

	h.pass(2 * time.Hour)
	require.NoError(t, h.Tick(t.Context()))
	is, err = h.PolicyInForce(t.Context())
	require.NoError(t, err)
	require.Equal(t, uint64(2), is.Version)
	require.Equal(t, treasury.PolicyPublished, is.State)
	dead := h.read(waits.ID)
	require.Equal(t, treasury.Cancelled, dead.State)
	require.True(t, dead.Superseded)
	q := question("wdr_1", 500)
	q.Again = waits.ID
	again, err := h.Ask(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, treasury.Approved, again.State, "500 is small now")
	require.Equal(t, treasury.Done, h.read(request.ID).State)
	versions, err := h.PolicyVersions(t.Context())
	require.NoError(t, err)
	require.Equal(t, treasury.PolicyRetired, versions[1].State)
}

func TestPoliciesThatAreNotPublished(t *testing.T) {
	t.Parallel()
	h := open(t)
	soon := h.drafted(2, time.Minute, 1000)
	_, _, err := h.ProposePolicy(t.Context(), 2, "ada")
	require.ErrorIs(t, err, treasury.ErrInvalid, "people need time to see it")
	dropped, err := h.DropPolicy(t.Context(), 2, "ada", "too soon")
	require.NoError(t, err)
	require.Equal(t, treasury.PolicyDropped, dropped.State)
	require.Equal(t, soon.Text, dropped.Text)

	for name, text := range map[string]string{
		"of another place": strings.Replace(string(textOf(t, rulesOf(3, h.clock().Unix(), 5))), `"test"`, `"production"`, 1),
		"an old version":   string(textOf(t, rulesOf(1, h.clock().Unix(), 5))),
		"no policy":        `{"rules":[]}`,
	} {
		_, err := h.DraftPolicy(t.Context(), []byte(text), "ada", "why not")
		require.Error(t, err, name)
	}
	_, err = h.TryPolicy(t.Context(), 9, 30)
	require.ErrorIs(t, err, treasury.ErrUnknown)
	_, err = h.TryPolicy(t.Context(), 2, 0)
	require.ErrorIs(t, err, treasury.ErrInvalid)

	h.drafted(3, 2*time.Hour, 1000)
	_, request, err := h.ProposePolicy(t.Context(), 3, "ada")
	require.NoError(t, err)
	_, err = h.Sign(t.Context(), request.ID, h.people.Keys["bea"][0].Deny(t, "bea", &request.Intent, h.clock().Unix(), "too lax"))
	require.NoError(t, err)
	versions, err := h.PolicyVersions(t.Context())
	require.NoError(t, err)
	require.Equal(t, treasury.PolicyDropped, versions[0].State)
	require.Contains(t, versions[0].Outcome, "too lax")
}

func TestAnotherRosterEndsWhatWaits(t *testing.T) {
	t.Parallel()
	h := open(t)
	r := h.asked("wdr_1", 5000)
	h.signs("cem", &r)
	h.people.Roster.Version = 2
	h.people.Add("eve", false, []string{"treasury"}, consenttest.Plain(t, "eve-api"))
	row, err := h.PublishRoster(t.Context(), h.people.Sign(t))
	require.NoError(t, err)
	require.Equal(t, uint64(2), row.Version)
	again, err := h.PublishRoster(t.Context(), h.people.Sign(t))
	require.NoError(t, err)
	require.Equal(t, row, again)
	is := h.read(r.ID)
	require.Equal(t, treasury.Cancelled, is.State)
	require.True(t, is.Superseded)
	h.people.Roster.Version = 1
	_, err = h.PublishRoster(t.Context(), h.people.Sign(t))
	require.ErrorIs(t, err, treasury.ErrInvalid, "older people")
	h.people.Roster.Version = 3
	alone, err := consent.SignRoster(h.people.Roster, h.people.Officers[0])
	require.NoError(t, err)
	by1, err := consent.JoinRoster(h.people.Roster, alone)
	require.NoError(t, err)
	_, err = h.PublishRoster(t.Context(), by1)
	require.ErrorIs(t, err, treasury.ErrInvalid, "one officer alone")
	roster, _, err := h.Roster(t.Context())
	require.NoError(t, err)
	require.NotNil(t, roster.Person("eve"))
}

func TestFoundedOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	signed := h.people.Sign(t)
	require.NoError(t, h.Found(t.Context(), textOf(t, rulesOf(1, h.clock().Unix()-1, 100)), signed))
	require.ErrorIs(t, h.Found(t.Context(), textOf(t, rulesOf(1, h.clock().Unix()-1, 500)), signed), treasury.ErrConflict)
	var p policy.Policy
	require.Error(t, h.Found(t.Context(), []byte("{}"), signed), "%+v", p)
}
