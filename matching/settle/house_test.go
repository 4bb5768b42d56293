package settle_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/ledger"
	"strongroom/ledger/ledgertest"
	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/matching/settle/settletest"
	"strongroom/money"
)

// house is a ledger, the tables of settlement, and a made-up shard.
type house struct {
	tb        testing.TB
	pool      *pgxpool.Pool
	ledger    *ledger.Ledger
	registry  *settle.Registry
	transfers *settle.Transfers
	world     *settletest.World
	booked    map[string]bool // outward transfers, and inward ones that were returned
}

func newHouse(tb testing.TB, seed uint64, accounts int, durable bool) *house {
	tb.Helper()
	open := testenv.Postgres
	if durable {
		open = testenv.PostgresDurable
	}
	pool, err := pg.Open(tb.Context(), open(tb, ledger.Migrations(), settle.Migrations())+"&pool_max_conns=8")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	book, err := ledger.New(ledger.Config{Pool: pool, Clock: time.Now}) //nolint:forbidigo // nothing here depends on it
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = book.Close(context.Background()) })
	h := &house{
		tb: tb, pool: pool, ledger: book, registry: settle.NewRegistry(pool), transfers: settle.NewTransfers(pool, book), booked: map[string]bool{},
	}
	h.world = settletest.New(seed, accounts, h.begin)
	h.found(accounts)
	return h
}

func (h *house) must(err error) {
	h.tb.Helper()
	if err != nil {
		h.tb.Fatal(err)
	}
}

// plenty is what each customer has in funding of each asset.
const plenty = 1 << 50

// found gives everybody numbers and money.
func (h *house) found(accounts int) {
	h.tb.Helper()
	ctx := h.tb.Context()
	for i, code := range h.world.Assets {
		no, err := h.registry.Asset(ctx, code)
		h.must(err)
		if int(no) != i {
			h.tb.Fatalf("asset %s has number %d", code, no)
		}
		custody := ledger.AccountID("custody/test/" + code + "/deposits")
		h.must(h.ledger.Open(ctx, ledger.Account{ID: custody, Asset: code, Class: ledger.Asset}))
		all, err := money.FromUint64(plenty).Mul(uint64(accounts))
		h.must(err)
		h.must(h.ledger.Attest(ctx, ledger.Attestation{Asset: code, Source: "test", Amount: all}))
		tx := ledger.Transaction{ID: "fund/" + code}
		for n := range accounts {
			customer := settletest.Customer(engine.AccountID(n + 1))
			funding := ledger.AccountID("customer/" + customer + "/" + code + "/funding")
			h.must(h.ledger.Open(ctx, ledger.Account{ID: funding, Asset: code, Class: ledger.Liability}))
			tx.Legs = append(tx.Legs, ledger.Transfer{
				ID: ledger.TransferID("fund/" + code + "/" + customer), Kind: ledger.Single, Debit: custody, Credit: funding, Amount: money.FromUint64(plenty),
			})
		}
		_, err = h.ledger.Post(ctx, tx)
		h.must(err)
	}
	for n := range accounts {
		no, err := h.registry.Account(ctx, settletest.Customer(engine.AccountID(n+1)))
		h.must(err)
		if int(no) != n+1 {
			h.tb.Fatalf("account %d has number %d", n+1, no)
		}
	}
	for _, m := range h.world.Markets {
		h.must(h.registry.Define(ctx, m))
	}
}

func (h *house) begin(m settletest.Move) {
	if m.Inward {
		h.must(h.transfers.Credit(h.tb.Context(), m.Transfer))
		return
	}
	h.must(h.transfers.Announce(h.tb.Context(), m.Transfer))
}

// rest does what workflows do once the engine's answer is settled.
func (h *house) rest(ctx context.Context, m settletest.Move) error {
	switch {
	case m.Inward && m.Code != engine.CodeNone:
		return h.transfers.Return(ctx, m.ID)
	case !m.Inward && m.Code == engine.CodeNone:
		return h.transfers.Debit(ctx, m.ID)
	}
	return nil
}

// finish does it for all that are settled, with a chance of one in so many.
func (h *house) finish(rng *rand.Rand, chance int) {
	h.tb.Helper()
	cursor, err := settle.LoadCursor(h.tb.Context(), h.pool, 0)
	h.must(err)
	for _, m := range h.world.Moves {
		if h.booked[m.ID] || m.Inward == (m.Code == engine.CodeNone) || rng.IntN(chance) != 0 {
			continue
		}
		err := h.rest(h.tb.Context(), m)
		if m.Seq >= cursor.Next {
			if !errors.Is(err, settle.ErrNotSettled) {
				h.tb.Fatalf("%s is not settled: %v", m.ID, err)
			}
			continue
		}
		h.must(err)
		h.booked[m.ID] = true
	}
}

// compare holds the trading balances of the ledger against the reference.
func (h *house) compare(ctx context.Context) {
	h.tb.Helper()
	cursor, err := settle.LoadCursor(ctx, h.pool, 0)
	h.must(err)
	want := h.world.Balances(cursor.Next - 1)
	for _, m := range h.world.Moves {
		no, err := h.registry.Account(ctx, m.Customer)
		h.must(err)
		asset, err := h.registry.Asset(ctx, m.Asset)
		h.must(err)
		amount, _ := m.Amount.Uint64()
		settled := m.Seq < cursor.Next
		between := m.Inward && !h.booked[m.ID] && (!settled || m.Code != engine.CodeNone) || !m.Inward && !h.booked[m.ID] && settled && m.Code == engine.CodeNone
		if between {
			want[settletest.Purse{Account: no, Asset: asset}] += amount
		}
	}
	have, err := h.ledger.BalancesUnder(ctx, "customer/", "", 10_000)
	h.must(err)
	fees, err := h.ledger.BalancesUnder(ctx, "income/trading_fees/", "", 10_000)
	h.must(err)
	ids := map[ledger.AccountID]uint64{}
	for at, amount := range want {
		id := settle.FeesAccount(0, h.world.Assets[at.Asset])
		if at.Account != 0 {
			id = settle.TradingAccount(0, settletest.Customer(at.Account), h.world.Assets[at.Asset])
		}
		ids[id] = amount
	}
	for _, b := range append(have, fees...) {
		if kind := string(b.Account); kind[len(kind)-7:] == "funding" {
			continue
		}
		if amount, _ := b.Posted().Uint64(); amount != ids[b.Account] {
			h.tb.Fatalf("after %d: %s has %d, want %d", cursor.Next-1, b.Account, amount, ids[b.Account])
		}
		delete(ids, b.Account)
	}
	for id, amount := range ids {
		if amount != 0 {
			h.tb.Fatalf("after %d: %s does not exist, want %d", cursor.Next-1, id, amount)
		}
	}
	h.cleared(ctx)
}

func (h *house) cleared(ctx context.Context) {
	h.tb.Helper()
	clearing, err := h.ledger.BalancesUnder(ctx, "trading/", "", 10_000)
	h.must(err)
	for _, b := range clearing {
		if !b.Posted().IsZero() {
			h.tb.Fatalf("%s has %s", b.Account, b.Posted())
		}
	}
}

// sound runs the ledger's own checker, and counts trades.
func (h *house) sound() {
	h.tb.Helper()
	found, err := ledgertest.Check(h.tb.Context(), h.pool)
	h.must(err)
	for _, v := range found {
		h.tb.Error(v)
	}
	trades := 0
	for _, e := range h.world.Events {
		if e.Kind == engine.EventTrade {
			trades++
		}
	}
	var rows int
	h.must(h.pool.QueryRow(h.tb.Context(), `SELECT count(*) FROM trading.trade`).Scan(&rows))
	if rows != trades {
		h.tb.Errorf("%d trades are kept of %d", rows, trades)
	}
}

func (h *house) settler(source settle.Source, book settle.Ledger) *settle.Settler {
	h.tb.Helper()
	s, err := settle.New(settle.Config{Pool: h.pool, Ledger: book, Source: source, Clock: time.Now}) //nolint:forbidigo // nothing here depends on it
	h.must(err)
	return s
}

var errDied = errors.New("the process died here")

// mortal is the book of a process that dies before or after a commit now and then, at
// the points that package crash has names for.
type mortal struct {
	*ledger.Ledger

	rng  *rand.Rand
	die  context.CancelFunc
	seen func()
	mu   *sync.Mutex
}

func (m mortal) Post(ctx context.Context, tx ledger.Transaction, with ...ledger.Attachment) (ledger.Receipt, error) {
	m.mu.Lock()
	fate := m.rng.IntN(5)
	m.mu.Unlock()
	if fate == 0 {
		with = append(with, func(context.Context, pgx.Tx) error { m.die(); return errDied })
	}
	receipt, err := m.Ledger.Post(ctx, tx, with...)
	if err == nil && m.seen != nil {
		m.seen()
	}
	if fate == 1 && err == nil {
		m.die()
		return ledger.Receipt{}, errDied
	}
	return receipt, err
}
