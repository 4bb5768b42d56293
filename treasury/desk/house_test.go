package desk_test

import (
	"context"
	"fmt"
	"log/slog"
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
	"strongroom/treasury/intent"
	"strongroom/treasury/policy"
	"strongroom/treasury/treasurydb"
)

const environment = "test"

// house is a desk on a real database, with its people and a clock of its own.
type house struct {
	*desk.Desk

	tb     testing.TB
	pool   *pgxpool.Pool
	people *consenttest.House

	mu  sync.Mutex
	now time.Time
}

func units(n uint64) money.Units { return money.FromUint64(n) }

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// rulesOf is what the tests' policies say: small withdrawals pass, as long as they are
// small together too, all else takes two of treasury.
func rulesOf(version uint64, notBefore int64, small uint64) *policy.Policy {
	of := func(group string, count int) *consent.Requirement {
		return &consent.Requirement{Group: group, Count: count}
	}
	quorum := func(name string, when policy.Condition, r *consent.Requirement) policy.Rule {
		return policy.Rule{Name: name, When: when, Outcome: policy.Quorum, Requirement: r, Lives: policy.Span(24 * time.Hour)}
	}
	payments := policy.Condition{Actions: []intent.Action{intent.Withdrawal}, Assets: []string{"ETH"}, Amount: policy.Range{Below: units(small)}}
	payments.Sums = []policy.Sum{{Per: policy.House, Window: policy.Span(24 * time.Hour), Range: policy.Range{Below: units(10 * small)}}}
	return &policy.Policy{
		Environment: environment, Version: version, NotBefore: notBefore,
		Layers: []policy.Layer{{Name: "base", Rules: []policy.Rule{
			{Name: "small", When: payments, Outcome: policy.Allow},
			{Name: "nothing-of-xmr", When: policy.Condition{Assets: []string{"XMR"}}, Outcome: policy.Deny},
			quorum("entries", policy.Condition{Actions: []intent.Action{intent.Allow}}, of("risk", 1)),
			quorum("rest", policy.Condition{}, of("treasury", 2)),
		}}},
	}
}

func textOf(tb testing.TB, p *policy.Policy) []byte {
	tb.Helper()
	text, err := p.Canonical()
	require.NoError(tb, err)
	return text
}

func open(tb testing.TB) *house {
	tb.Helper()
	h := &house{tb: tb, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	h.people = consenttest.Open(tb, environment, 2, 3, h.now.Unix()-1000)
	h.people.Add("ada", true, []string{"treasury"}, consenttest.Passkey(tb, "ada-phone", consenttest.Site, consenttest.Origin, consenttest.ES256))
	h.people.Add("bea", true, []string{"treasury"}, consenttest.Plain(tb, "bea-api"))
	h.people.Add("cem", false, []string{"treasury"}, consenttest.Wallet(tb, "cem-ledger"))
	h.people.Add("dov", false, []string{"risk"}, consenttest.Plain(tb, "dov-api"))
	pool, err := pg.Open(context.Background(), testenv.Postgres(tb, treasurydb.Migrations())+"&pool_max_conns=24")
	require.NoError(tb, err)
	tb.Cleanup(pool.Close)
	h.pool = pool
	h.restart()
	require.NoError(tb, h.Found(context.Background(), textOf(tb, rulesOf(1, h.now.Unix()-1, 100)), h.people.Sign(tb)))
	return h
}

// restart is a new process on the same database.
func (h *house) restart() {
	h.tb.Helper()
	var err error
	h.Desk, err = desk.New(desk.Config{
		Pool: h.pool, Environment: environment, Officers: h.people.Trust().Officers,
		Addresses:  addressbook.Terms{Wait: time.Hour, AlikeWait: 2 * time.Hour},
		PolicyLock: time.Hour, Assets: func(code string) (money.Asset, bool) { return money.Asset{Code: code, Scale: 3}, code == "ETH" }, Clock: h.clock, Log: slog.New(slog.DiscardHandler), Pace: 10 * time.Millisecond,
	})
	require.NoError(h.tb, err)
}

func question(id string, amount uint64) treasury.Question {
	return treasury.Question{
		Intent: intent.Intent{
			ID: id, Action: intent.Withdrawal, Chain: "ethereum-dev", Genesis: "31337", Asset: "ETH", To: "0xabc", Amount: units(amount), MaxFee: units(3),
			Requester: "customer:1", Reason: "rent",
		},
		Class: "new", Effect: []string{"pays rent"}, Payload: []byte("tx"),
		Notes: []treasury.Note{{Level: treasury.Warning, Text: "a new address"}},
	}
}

func (h *house) asked(id string, amount uint64) treasury.Request {
	h.tb.Helper()
	r, err := h.Ask(context.Background(), question(id, amount))
	require.NoError(h.tb, err)
	return r
}

// yes is a person's approval of a request, given now.
func (h *house) yes(person string, r *treasury.Request) consent.Approval {
	h.tb.Helper()
	return h.people.Keys[person][0].Approve(h.tb, person, &r.Intent, h.clock().Unix())
}

func (h *house) signs(person string, r *treasury.Request) treasury.Request {
	h.tb.Helper()
	is, err := h.Sign(context.Background(), r.ID, h.yes(person, r))
	require.NoError(h.tb, err, person)
	return is
}

func (h *house) read(id string) treasury.Request {
	h.tb.Helper()
	r, err := h.Request(context.Background(), id)
	require.NoError(h.tb, err)
	return r
}

func (h *house) name(prefix string, n int) string { return fmt.Sprintf("%s_%d", prefix, n) }
