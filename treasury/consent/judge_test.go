package consent_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"strongroom/treasury/consent"
	"strongroom/treasury/intent"
)

func TestPeopleOfEverySchemeAgree(t *testing.T) {
	h, i := open(t), payment()
	all := consent.Requirement{All: []consent.Requirement{{Group: "treasury", Count: 3}, {Group: "risk", Count: 2}, {Group: "support", Count: 1}}}
	var said []consent.Approval
	for _, person := range []string{"ada", "bea", "cem", "dov", "eve"} {
		j := judge(t, caseOf(t, h, i, all, said...))
		assert.Equal(t, consent.Missing, j.Outcome, "before %s", person)
		assert.NotNil(t, j.Missing)
		said = append(said, h.Keys[person][0].Approve(t, person, i, now.Unix()))
	}
	j := judge(t, caseOf(t, h, i, all, said...))
	assert.Equal(t, consent.Met, j.Outcome)
	assert.Equal(t, []string{"ada", "bea", "cem", "dov", "eve"}, j.Approved)
	assert.Empty(t, j.Refused)
	assert.Len(t, j.Counts, 3, "of the passkeys")
	assert.Nil(t, j.Missing)
}

func TestOnePersonCountsOnceAndWhoAsksNever(t *testing.T) {
	h, i := open(t), payment()
	j := judge(t, caseOf(t, h, i, two(), h.Keys["ada"][0].Approve(t, "ada", i, now.Unix()), h.Keys["ada"][1].Approve(t, "ada", i, now.Unix())))
	assert.Equal(t, consent.Missing, j.Outcome)
	require.Len(t, j.Refused, 1)
	require.ErrorIs(t, j.Refused[0].Err, consent.ErrTwice)
	assert.Equal(t, 1, j.Refused[0].At)

	for _, requester := range []string{"ada", "Ada", " ada"} {
		i.Requester = requester
		j = judge(t, caseOf(t, h, i, two(), h.Keys["ada"][0].Approve(t, "ada", i, now.Unix()), h.Keys["bea"][0].Approve(t, "bea", i, now.Unix())))
		assert.Equal(t, consent.Missing, j.Outcome)
		assert.Equal(t, []string{"bea"}, j.Approved)
		require.ErrorIs(t, j.Refused[0].Err, consent.ErrRequester)
	}
}

func TestANoOutweighsAndStays(t *testing.T) {
	h, i := open(t), payment()
	at := now.Unix()
	yes := []consent.Approval{h.Keys["ada"][0].Approve(t, "ada", i, at), h.Keys["bea"][0].Approve(t, "bea", i, at)}
	for name, no := range map[string]consent.Approval{
		"somebody asked": h.Keys["cem"][0].Deny(t, "cem", i, at, "unknown address"),
		"a second mind":  h.Keys["ada"][1].Deny(t, "ada", i, at, "unknown address"),
	} {
		for _, said := range [][]consent.Approval{append([]consent.Approval{no}, yes...), append(yes[:2:2], no)} {
			j := judge(t, caseOf(t, h, i, two(), said...))
			assert.Equal(t, consent.Denied, j.Outcome, name)
			assert.Equal(t, "unknown address", j.Denials[0].Reason)
			assert.NotContains(t, j.Approved, no.Person, name)
		}
	}
	j := judge(t, caseOf(t, h, i, two(), append(yes[:2:2], h.Keys["eve"][0].Deny(t, "eve", i, at, "no"))...))
	assert.Equal(t, consent.Met, j.Outcome, "who is not asked has no say")
	require.ErrorIs(t, j.Refused[0].Err, consent.ErrGroup)

	risk := consent.Requirement{Group: "risk", Count: 1}
	j = judge(t, caseOf(t, h, i, risk, h.Keys["dov"][0].Approve(t, "dov", i, at), h.Keys["ada"][0].Deny(t, "ada", i, at, "no")))
	assert.Equal(t, consent.Denied, j.Outcome, "an officer always has")

	no := h.Keys["cem"][0].Deny(t, "cem", i, at, "no")
	no.Verdict = consent.Approve
	j = judge(t, caseOf(t, h, i, two(), yes[0], no))
	assert.Equal(t, consent.Missing, j.Outcome)
	require.ErrorIs(t, j.Refused[0].Err, consent.ErrApproval)
}

func TestCasesInWhichNobodyCounts(t *testing.T) {
	h, i := open(t), payment()
	good := func() *consent.Case {
		return caseOf(t, h, i, two(), h.Keys["ada"][1].Approve(t, "ada", i, now.Unix()), h.Keys["cem"][0].Approve(t, "cem", i, now.Unix()))
	}
	require.Equal(t, consent.Met, judge(t, good()).Outcome)
	for name, test := range map[string]struct {
		change func(c *consent.Case)
		err    error
	}{
		"intent expired":      {func(c *consent.Case) { c.Now = time.Unix(i.Expires, 0) }, consent.ErrExpired},
		"roster expired":      {func(c *consent.Case) { r := *h.Roster; r.Expires = now.Unix(); c.Roster = &r }, consent.ErrExpired},
		"roster stale":        {func(c *consent.Case) { c.Newest = 2 }, consent.ErrStale},
		"policy newer":        {func(c *consent.Case) { c.Policy++ }, consent.ErrStale},
		"policy older":        {func(c *consent.Case) { c.Policy-- }, consent.ErrStale},
		"hash":                {func(c *consent.Case) { c.Hash[3] ^= 1 }, consent.ErrCase},
		"no hash":             {func(c *consent.Case) { c.Hash = intent.Hash{} }, consent.ErrCase},
		"intent":              {func(c *consent.Case) { o := *i; o.To += "0"; c.Intent = &o }, consent.ErrCase},
		"intent invalid":      {func(c *consent.Case) { c.Intent = &intent.Intent{} }, intent.ErrInvalid},
		"environment":         {func(c *consent.Case) { c.Environment = "other" }, consent.ErrCase},
		"roster environment":  {func(c *consent.Case) { r := *h.Roster; r.Environment = "other"; c.Roster = &r }, consent.ErrCase},
		"no requirement":      {func(c *consent.Case) { c.Requirement = consent.Requirement{} }, consent.ErrRequirement},
		"no intent":           {func(c *consent.Case) { c.Intent = nil }, consent.ErrCase},
		"no roster":           {func(c *consent.Case) { c.Roster = nil }, consent.ErrCase},
		"no counters":         {func(c *consent.Case) { c.Counters = nil }, consent.ErrCase},
		"no time":             {func(c *consent.Case) { c.Now = time.Time{} }, consent.ErrCase},
		"too many approvals ": {func(c *consent.Case) { c.Approvals = make([]consent.Approval, consent.MaxApprovals+1) }, consent.ErrCase},
	} {
		c := good()
		test.change(c)
		j, err := consent.Judge(c)
		require.ErrorIs(t, err, test.err, name)
		require.ErrorIs(t, err, consent.ErrCase, name)
		assert.Equal(t, consent.Judgement{Outcome: consent.Missing}, j, name)
	}
}

func TestApprovalsAreOfTheTimeOfTheIntent(t *testing.T) {
	h, i := open(t), payment()
	for at, want := range map[int64]error{
		created - 1: consent.ErrApproval, now.Unix() + 61: consent.ErrApproval, i.Expires: consent.ErrApproval, created: nil, now.Unix() + 60: nil,
	} {
		j := judge(t, caseOf(t, h, i, two(), h.Keys["cem"][0].Approve(t, "cem", i, at)))
		if want == nil {
			assert.Equal(t, []string{"cem"}, j.Approved, "%d", at)
			continue
		}
		require.Len(t, j.Refused, 1)
		require.ErrorIs(t, j.Refused[0].Err, want)
	}
	a := consent.Approval{At: created}
	assert.False(t, a.Late(time.Unix(created, 0).Add(consent.ChallengeLife)))
	assert.True(t, a.Late(time.Unix(created, 1).Add(consent.ChallengeLife)))
}

// TestConsentIsToOneIntentOnly replays a good approval on everything else.
func TestConsentIsToOneIntentOnly(t *testing.T) {
	h, i := open(t), payment()
	for _, person := range []string{"ada", "bea", "cem", "dov", "eve"} {
		a := h.Keys[person][0].Approve(t, person, i, now.Unix())
		_, err := h.Roster.Verify(i, &a)
		require.NoError(t, err)
		for name, change := range map[string]func(o *intent.Intent){
			"environment": func(o *intent.Intent) { o.Environment = "strongroom" }, "id": func(o *intent.Intent) { o.ID = "wdr_2" },
			"to": func(o *intent.Intent) { o.To = "0x" + strings.Repeat("1", 40) }, "policy": func(o *intent.Intent) { o.Policy++ },
			"expires": func(o *intent.Intent) { o.Expires++ }, "genesis": func(o *intent.Intent) { o.Genesis = "1" },
		} {
			o := *i
			change(&o)
			_, err := h.Roster.Verify(&o, &a)
			require.ErrorIs(t, err, consent.ErrApproval, "%s %s", person, name)
		}
	}
}

// TestAKeySignsInItsSchemeOnly: no key passes for one of another kind.
func TestAKeySignsInItsSchemeOnly(t *testing.T) {
	h, i := open(t), payment()
	for person, other := range map[string]consent.Scheme{"ada": consent.Ed25519, "cem": consent.Ed25519, "dov": consent.EIP712} {
		a := h.Keys[person][0].Approve(t, person, i, now.Unix())
		a.Scheme, a.Payload = other, nil
		_, err := h.Roster.Verify(i, &a)
		require.ErrorIs(t, err, consent.ErrApproval)
		require.ErrorContains(t, err, "not of that scheme")
	}
}

func TestOfficersFreezeAloneAndUnfreezeTogether(t *testing.T) {
	h := open(t)
	word := consent.Freeze{Environment: environment, Person: "ada", At: now.Unix(), Reason: "a key is lost"}
	for _, k := range h.Keys["ada"] {
		f := k.Freeze(t, word)
		require.NoError(t, h.Roster.VerifyFreeze(&f, now))
		for name, change := range map[string]func(f *consent.Freeze){
			"environment": func(f *consent.Freeze) { f.Environment = "other" }, "person": func(f *consent.Freeze) { f.Person = "bea" },
			"at": func(f *consent.Freeze) { f.At-- }, "reason": func(f *consent.Freeze) { f.Reason = "x" }, "no reason": func(f *consent.Freeze) { f.Reason = "" },
			"key": func(f *consent.Freeze) { f.Key = "bea-stick" }, "signature": func(f *consent.Freeze) { f.Signature[9] ^= 1 },
		} {
			other := f
			other.Signature = append([]byte(nil), f.Signature...)
			change(&other)
			require.ErrorIs(t, h.Roster.VerifyFreeze(&other, now), consent.ErrApproval, name)
		}
		require.ErrorIs(t, h.Roster.VerifyFreeze(&f, now.Add(consent.FreezeLife+time.Second)), consent.ErrApproval)
		require.ErrorIs(t, h.Roster.VerifyFreeze(&f, time.Unix(h.Roster.Expires, 0)), consent.ErrApproval)
	}
	word.Person = "cem"
	f := h.Keys["cem"][0].Freeze(t, word)
	require.ErrorContains(t, h.Roster.VerifyFreeze(&f, now), "no officer")

	i := &intent.Intent{
		Environment: environment, ID: "unf_1", Action: intent.Unfreeze, Document: strings.Repeat("ab", 32),
		Requester: "dov", Policy: 3, Created: created, Expires: created + 3600,
	}
	one, other := h.Keys["ada"][0].Approve(t, "ada", i, now.Unix()), h.Keys["bea"][0].Approve(t, "bea", i, now.Unix())
	assert.Equal(t, consent.Missing, judge(t, caseOf(t, h, i, h.Roster.Unfreezing(), one)).Outcome)
	assert.Equal(t, consent.Met, judge(t, caseOf(t, h, i, h.Roster.Unfreezing(), one, other)).Outcome)
}
