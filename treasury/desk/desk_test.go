package desk_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"strongroom/treasury"
	"strongroom/treasury/consent"
)

func TestTwoPeopleAgree(t *testing.T) {
	t.Parallel()
	h := open(t)
	r := h.asked("wdr_1", 5000)
	require.Equal(t, treasury.Waiting, r.State)
	require.Equal(t, "rest", r.Rule)
	require.Contains(t, r.Sentence, "2 of treasury")
	require.Contains(t, r.Sentence, "5 ETH")
	require.Equal(t, "2 of treasury", r.Missing)
	require.Equal(t, r, h.read(r.ID))

	one := h.signs("ada", &r)
	require.Equal(t, treasury.Waiting, one.State)
	require.Equal(t, "1 of treasury", one.Missing)
	h.restart()
	two := h.signs("cem", &r)
	require.Equal(t, treasury.Approved, two.State)
	require.Len(t, two.Signed, 2)
	require.Equal(t, two, h.read(r.ID))

	again, err := h.Ask(t.Context(), question("wdr_1", 5000))
	require.NoError(t, err)
	require.Equal(t, two, again, "the same question finds the request")
	done, err := h.Finish(t.Context(), r.ID, treasury.Done, "paid in block 7")
	require.NoError(t, err)
	require.Equal(t, treasury.Done, done.State)
	_, err = h.Finish(t.Context(), r.ID, treasury.Failed, "no")
	require.ErrorIs(t, err, treasury.ErrConflict)
}

func TestPolicyDecidesWithoutPeople(t *testing.T) {
	t.Parallel()
	h := open(t)
	require.Equal(t, treasury.Approved, h.asked("wdr_1", 99).State)
	q := question("wdr_2", 5)
	q.Intent.Asset = "XMR"
	denied, err := h.Ask(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, treasury.Denied, denied.State)
	require.Contains(t, denied.Outcome, "nothing-of-xmr")
	for n := range 9 { // 99 each: the tenth would be 990 in all, the eleventh above 999
		require.Equal(t, treasury.Approved, h.asked(h.name("wdr_s", n), 99).State, n)
	}
	require.Equal(t, treasury.Waiting, h.asked("wdr_last", 99).State, "what is small is not small any more together")
	h.pass(25 * time.Hour)
	require.Equal(t, treasury.Approved, h.asked("wdr_later", 99).State, "the window slid on")
}

// Of many that come at once, together no more pass than the window lets pass.
func TestRequestsAtOnceShareAWindow(t *testing.T) {
	t.Parallel()
	h := open(t)
	var mu sync.Mutex
	passed := 0
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			r, err := h.Ask(context.Background(), question(h.name("wdr", n), 99))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			} else if r.State == treasury.Approved {
				passed++
			}
		})
	}
	all.Wait()
	require.Equal(t, 10, passed)
}

func TestWhoSignsAtOnceCountsOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	r := h.asked("wdr_1", 5000)
	word := h.yes("bea", &r)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := h.Sign(context.Background(), r.ID, word); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	is := h.read(r.ID)
	require.Len(t, is.Signed, 1)
	require.Equal(t, treasury.Waiting, is.State)
}

// Approval and cancellation race: one of them wins, whole.
func TestApproveAgainstCancel(t *testing.T) {
	t.Parallel()
	h := open(t)
	for n := range 10 {
		r := h.asked(h.name("wdr", n), 5000)
		h.signs("bea", &r)
		word := h.yes("cem", &r)
		var signed, cancelled error
		var both sync.WaitGroup
		both.Go(func() { _, signed = h.Sign(context.Background(), r.ID, word) })
		both.Go(func() { _, cancelled = h.Cancel(context.Background(), r.ID, "customer:1", "changed my mind") })
		both.Wait()
		is := h.read(r.ID)
		require.NoError(t, cancelled, "what is approved may still be taken back")
		require.Equal(t, treasury.Cancelled, is.State)
		require.False(t, is.Superseded)
		if signed != nil {
			require.ErrorIs(t, signed, treasury.ErrEnded)
			require.Len(t, is.Signed, 1)
		}
	}
}

func TestWordsThatDoNotCount(t *testing.T) {
	t.Parallel()
	h := open(t)
	r, other := h.asked("wdr_1", 5000), h.asked("wdr_2", 6000)
	now := h.clock().Unix()
	ada, dov := h.people.Keys["ada"][0], h.people.Keys["dov"][0]
	for name, tc := range map[string]struct {
		word consent.Approval
		want error
	}{
		"of another request":      {ada.Approve(t, "ada", &other.Intent, now), consent.ErrApproval},
		"of a group nobody asked": {dov.Approve(t, "dov", &r.Intent, now), consent.ErrGroup},
		"of nobody":               {ada.Approve(t, "eve", &r.Intent, now), consent.ErrApproval},
		"of long ago":             {ada.Approve(t, "ada", &r.Intent, now-int64(consent.ChallengeLife/time.Second)-1), consent.ErrExpired},
	} {
		_, err := h.Sign(t.Context(), r.ID, tc.word)
		require.ErrorIs(t, err, treasury.ErrRefused, name)
		require.ErrorIs(t, err, tc.want, name)
	}
	own := question("wdr_3", 5000)
	own.Intent.Requester = "bea"
	mine, err := h.Ask(t.Context(), own)
	require.NoError(t, err)
	_, err = h.Sign(t.Context(), mine.ID, h.yes("bea", &mine))
	require.ErrorIs(t, err, consent.ErrRequester)
	h.signs("ada", &r)
	ada.Count = 0 // a copy of the passkey, from before
	_, err = h.Sign(t.Context(), other.ID, h.yes("ada", &other))
	require.ErrorIs(t, err, consent.ErrCloned)
	require.Empty(t, h.read(other.ID).Signed)
	_, err = h.Sign(t.Context(), "rqs_none", h.yes("bea", &other))
	require.ErrorIs(t, err, treasury.ErrUnknown)
}

func TestAnybodyAskedMayDeny(t *testing.T) {
	t.Parallel()
	h := open(t)
	r := h.asked("wdr_1", 5000)
	h.signs("ada", &r)
	no := h.people.Keys["bea"][0].Deny(t, "bea", &r.Intent, h.clock().Unix(), "not our landlord")
	is, err := h.Sign(t.Context(), r.ID, no)
	require.NoError(t, err)
	require.Equal(t, treasury.Denied, is.State)
	require.Equal(t, "bea said no: not our landlord", is.Outcome)
	_, err = h.Sign(t.Context(), r.ID, h.yes("cem", &r))
	require.ErrorIs(t, err, treasury.ErrEnded)
}

func TestTimeEndsRequests(t *testing.T) {
	t.Parallel()
	h := open(t)
	r := h.asked("wdr_1", 5000)
	h.signs("ada", &r)
	late := h.asked("wdr_2", 5000)
	h.pass(24 * time.Hour)
	_, err := h.Sign(t.Context(), late.ID, h.yes("bea", &late))
	require.ErrorIs(t, err, treasury.ErrEnded, "also before anybody looked")
	require.Equal(t, treasury.Expired, h.read(late.ID).State)
	n, err := h.Expire(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, treasury.Expired, h.read(r.ID).State)
	again := question("wdr_1", 5000)
	again.Again = r.ID
	fresh, err := h.Ask(t.Context(), again)
	require.NoError(t, err)
	require.Equal(t, treasury.Waiting, fresh.State)
	require.NotEqual(t, r.ID, fresh.ID)
	require.Empty(t, fresh.Signed, "consent to the one before is none to this one")
}

func TestQuestionsThatAreRefused(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.asked("wdr_1", 5000)
	for name, tc := range map[string]struct {
		by   func(*treasury.Question)
		want error
	}{
		"another amount under the same id": {func(q *treasury.Question) { q.Intent.Amount = units(1) }, treasury.ErrConflict},
		"another transaction":              {func(q *treasury.Question) { q.Payload = []byte("other") }, treasury.ErrConflict},
		"another environment":              {func(q *treasury.Question) { q.Intent.Environment = "production" }, treasury.ErrInvalid},
		"no class":                         {func(q *treasury.Question) { q.Intent.ID, q.Class = "wdr_9", "" }, treasury.ErrInvalid},
		"no destination":                   {func(q *treasury.Question) { q.Intent.ID, q.Intent.To = "wdr_9", "" }, treasury.ErrInvalid},
		"its own expiry":                   {func(q *treasury.Question) { q.Intent.ID, q.Intent.Expires = "wdr_9", 7 }, treasury.ErrInvalid},
		"a note without a level":           {func(q *treasury.Question) { q.Intent.ID = "wdr_9"; q.Notes[0].Level = "" }, treasury.ErrInvalid},
		"again of nothing":                 {func(q *treasury.Question) { q.Intent.ID, q.Again = "wdr_9", "rqs_1" }, treasury.ErrInvalid},
	} {
		q := question("wdr_1", 5000)
		tc.by(&q)
		_, err := h.Ask(t.Context(), q)
		require.ErrorIs(t, err, tc.want, name)
	}
}

// TestTamperedRows is what an administrator of the database could do beside the program.
func TestTamperedRows(t *testing.T) {
	t.Parallel()
	h := open(t)
	r := h.asked("wdr_1", 5000)
	for _, sql := range []string{
		`ALTER TABLE treasury.request DISABLE TRIGGER ALL`,
		`UPDATE treasury.request SET intent = replace(intent, '0xabc', '0xbad')`,
	} {
		_, err := h.pool.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	_, err := h.Request(t.Context(), r.ID)
	require.ErrorIs(t, err, treasury.ErrTampered)
	_, err = h.Sign(t.Context(), r.ID, h.yes("ada", &r))
	require.ErrorIs(t, err, treasury.ErrTampered)
	page, err := h.List(t.Context(), treasury.Filter{})
	require.NoError(t, err)
	require.Len(t, page.Requests, 1)
	require.Equal(t, treasury.Danger, page.Requests[0].Notes[0].Level)
}

func TestChangesAreTold(t *testing.T) {
	t.Parallel()
	h := open(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	changes, err := h.Changes(ctx)
	require.NoError(t, err)
	r := h.asked("wdr_1", 5000)
	require.Equal(t, r.ID, <-changes)
	h.signs("ada", &r)
	require.Equal(t, r.ID, <-changes)
	// The connection that listens is cut: whoever listens is told to read again.
	_, err = h.pool.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()`)
	require.NoError(t, err)
	for range changes {
	}
	changes, err = h.Changes(ctx)
	require.NoError(t, err)
	h.signs("cem", &r)
	require.Equal(t, r.ID, <-changes)
	stop()
	require.NoError(t, <-ended)
	_, err = h.Changes(ctx)
	require.ErrorIs(t, err, context.Canceled, "%v", err)
}

func TestQueueOfAPerson(t *testing.T) {
	t.Parallel()
	h := open(t)
	small, large, mine := h.asked("wdr_1", 5), h.asked("wdr_2", 5000), h.asked("wdr_3", 6000)
	h.signs("ada", &mine)
	needs := func(person string) (ids []string) {
		page, err := h.List(t.Context(), treasury.Filter{Person: person})
		require.NoError(t, err)
		require.Equal(t, len(page.Requests), page.Total)
		for i := range page.Requests {
			ids = append(ids, page.Requests[i].ID)
		}
		return ids
	}
	require.Equal(t, []string{large.ID}, needs("ada"))
	require.ElementsMatch(t, []string{large.ID, mine.ID}, needs("bea"))
	require.Empty(t, needs("dov"), "nobody asked risk")
	require.Empty(t, needs("nobody"))
	page, err := h.List(t.Context(), treasury.Filter{States: []treasury.State{treasury.Approved}})
	require.NoError(t, err)
	require.Len(t, page.Requests, 1)
	require.Equal(t, small.ID, page.Requests[0].ID)
}

// Consent that was not used in its time is asked for again, and what there was counts no
// more.
func TestConsentThatWasNotUsed(t *testing.T) {
	t.Parallel()
	h := open(t)
	r := h.asked("wdr_1", 5000)
	h.signs("ada", &r)
	require.Equal(t, treasury.Approved, h.signs("cem", &r).State)
	q := question("wdr_1", 5000)
	q.Again = r.ID
	same, err := h.Ask(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, r.ID, same.ID, "it counts still")
	h.pass(24 * time.Hour)
	fresh, err := h.Ask(t.Context(), q)
	require.NoError(t, err)
	require.NotEqual(t, r.ID, fresh.ID)
	require.Equal(t, treasury.Waiting, fresh.State)
	require.Equal(t, treasury.Failed, h.read(r.ID).State)
	again, err := h.Ask(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, fresh.ID, again.ID)
}
