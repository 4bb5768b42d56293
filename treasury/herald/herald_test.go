package herald_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/money"
	"strongroom/treasury"
	"strongroom/treasury/addressbook"
	"strongroom/treasury/consent"
	"strongroom/treasury/consent/consenttest"
	"strongroom/treasury/desk"
	"strongroom/treasury/herald"
	"strongroom/treasury/intent"
	"strongroom/treasury/policy"
	"strongroom/treasury/treasurydb"
)

const environment = "test"

// house is a treasury in which two of treasury are asked, for eight hours each time.
type house struct {
	*desk.Desk

	t      *testing.T
	pool   *pgxpool.Pool
	people *consenttest.House
	now    time.Time
	herald *herald.Herald

	mu     sync.Mutex
	told   []herald.Notice
	broken error
}

func (h *house) clock() time.Time { return h.now }

// Notify keeps what is told.
func (h *house) Notify(_ context.Context, n *herald.Notice) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken != nil {
		return h.broken
	}
	h.told = append(h.told, *n)
	return nil
}

func open(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	h.people = consenttest.Open(t, environment, 2, 3, h.now.Unix()-1000)
	for _, person := range []string{"ada", "bea", "cem"} {
		h.people.Add(person, person == "cem", []string{"treasury"}, consenttest.Plain(t, person+"-api"))
	}
	h.people.Add("off", true, []string{"board"}, consenttest.Plain(t, "off-api"))
	p := &policy.Policy{Environment: environment, Version: 1, NotBefore: h.now.Unix() - 1, Layers: []policy.Layer{{Name: "base", Rules: []policy.Rule{{
		Name: "all", Outcome: policy.Quorum, Requirement: &consent.Requirement{Group: "treasury", Count: 2}, Lives: policy.Span(8 * time.Hour),
	}}}}}
	text, err := p.Canonical()
	require.NoError(t, err)
	h.pool, err = pg.Open(t.Context(), testenv.Postgres(t, treasurydb.Migrations()))
	require.NoError(t, err)
	t.Cleanup(h.pool.Close)
	h.Desk, err = desk.New(desk.Config{
		Pool: h.pool, Environment: environment, Officers: h.people.Trust().Officers, Addresses: addressbook.Terms{Wait: time.Hour, AlikeWait: time.Hour},
		PolicyLock: time.Hour, Clock: h.clock, Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	require.NoError(t, h.Found(t.Context(), text, h.people.Sign(t)))
	h.restart()
	return h
}

// restart is a new process on the same database.
func (h *house) restart() {
	var err error
	h.herald, err = herald.New(herald.Config{Pool: h.pool, Desk: h.Desk, Notifier: h, Clock: h.clock, Log: slog.New(slog.DiscardHandler)})
	require.NoError(h.t, err)
}

func (h *house) asks(id string) treasury.Request {
	h.t.Helper()
	r, err := h.Ask(h.t.Context(), treasury.Question{Class: "new", Intent: intent.Intent{
		ID: id, Action: intent.Withdrawal, Chain: "bitcoin", Genesis: "0f", Asset: "BTC", To: "bc1q", Amount: money.FromUint64(5), MaxFee: money.FromUint64(1),
		Requester: "customer:1", Reason: "rent",
	}})
	require.NoError(h.t, err)
	return r
}

// kinds makes a round and lists what it told, as key and persons.
func (h *house) round() []herald.Notice {
	h.t.Helper()
	h.told = nil
	require.NoError(h.t, h.herald.Round(h.t.Context()))
	return h.told
}

func TestPeopleAreToldAndRemindedAndOfficersLast(t *testing.T) {
	h := open(t)
	r := h.asks("wdr_1")
	first := h.round()
	require.Len(t, first, 1)
	n := first[0]
	require.Equal(t, herald.Asked, n.Kind)
	require.Equal(t, []string{"ada", "bea", "cem"}, n.Persons)
	require.Equal(t, "2 of treasury", n.Missing)
	require.Equal(t, r.Hash.String(), n.Hash)
	require.Equal(t, consenttest.Origin+"/treasury/requests/"+r.ID, n.Page)
	require.Empty(t, h.round(), "once")

	a := h.people.Keys["ada"][0].Approve(t, "ada", &r.Intent, h.now.Unix())
	_, err := h.Sign(t.Context(), r.ID, a)
	require.NoError(t, err)
	for _, step := range []struct {
		after   time.Duration
		kind    herald.Kind
		persons []string
	}{
		{4 * time.Hour, herald.Reminder, []string{"bea", "cem"}},
		{2 * time.Hour, herald.Reminder, []string{"bea", "cem"}},
		{time.Hour, herald.Escalation, []string{"bea", "cem", "off"}},
	} {
		h.now = h.now.Add(step.after - time.Second)
		require.Empty(t, h.round(), "not yet")
		h.now = h.now.Add(time.Second)
		h.restart() // a process that died meanwhile changes nothing
		told := h.round()
		require.Len(t, told, 1)
		require.Equal(t, step.kind, told[0].Kind)
		require.Equal(t, step.persons, told[0].Persons)
		require.Empty(t, h.round(), "once")
	}
	is, err := h.Request(t.Context(), r.ID)
	require.NoError(t, err)
	require.Equal(t, 4, is.Told)
	require.Equal(t, h.now, is.LastTold)
	h.now = h.now.Add(time.Hour)
	require.Empty(t, h.round(), "it has expired")
}

func TestNobodyIsToldOfWhatHasEnded(t *testing.T) {
	h := open(t)
	r := h.asks("wdr_1")
	h.broken = errors.New("the pager is down")
	require.Error(t, h.herald.Round(t.Context()))
	_, err := h.Cancel(t.Context(), r.ID, "cem", "not any more")
	require.NoError(t, err)
	h.broken = nil
	require.Empty(t, h.round())
}

// What could not be told is told later, only the newest of it, and one that fails does not
// hold up others.
func TestWhatWasNotTakenInIsToldAgain(t *testing.T) {
	h := open(t)
	h.asks("wdr_1")
	h.asks("wdr_2")
	h.broken = errors.New("the pager is down")
	require.Error(t, h.herald.Round(t.Context()))
	h.now = h.now.Add(4 * time.Hour)
	require.Error(t, h.herald.Round(t.Context()))
	h.broken = nil
	told := h.round()
	require.Len(t, told, 2)
	for _, n := range told {
		require.Equal(t, herald.Reminder, n.Kind)
		require.Equal(t, n.Request+"/1", n.Key)
	}
	require.Empty(t, h.round())
}

// Several processes tell each notice once.
func TestSeveralHeraldsTellOnce(t *testing.T) {
	h := open(t)
	const requests = 20
	for n := range requests {
		h.asks("wdr_" + strconv.Itoa(n))
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := h.herald.Round(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var keys []string
	for _, n := range h.told {
		keys = append(keys, n.Key)
	}
	slices.Sort(keys)
	require.Len(t, slices.Compact(keys), requests)
	require.Len(t, h.told, requests)
}

func TestWebhooksAreSigned(t *testing.T) {
	secret := []byte("0123456789abcdef")
	now := func() time.Time { return time.Unix(1_800_000_000, 0) }
	status := http.StatusOK
	var bodies []string
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		at := r.Header.Get(herald.HeaderTimestamp)
		if at != "1800000000" || r.Header.Get(herald.HeaderSignature) != herald.Sign(secret, at, body) || r.Header.Get(herald.HeaderKey) != "rqs_1/0" {
			t.Errorf("headers %v", r.Header)
		}
		bodies = append(bodies, string(body))
		w.WriteHeader(status)
	}))
	t.Cleanup(site.Close)
	w, err := herald.NewWebhook(site.URL, secret, now)
	require.NoError(t, err)
	n := &herald.Notice{Key: "rqs_1/0", Kind: herald.Asked, Request: "rqs_1", Persons: []string{"ada"}}
	require.NoError(t, w.Notify(t.Context(), n))
	require.Contains(t, bodies[0], `"kind":"asked"`)
	for _, status = range []int{http.StatusFound, http.StatusTooManyRequests, http.StatusInternalServerError} {
		require.Error(t, w.Notify(t.Context(), n))
	}
	for _, bad := range []string{"http://elsewhere/hook", "ftp://localhost", "nonsense", ""} {
		_, err := herald.NewWebhook(bad, secret, now)
		require.Error(t, err, bad)
	}
	_, err = herald.NewWebhook(site.URL, secret[:15], now)
	require.Error(t, err)
}
