package check_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/custody/custodydb"
	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/ledger"
	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/matching/settle/settletest"
	"strongroom/money"
	"strongroom/trading/check"
	"strongroom/trading/funding"
)

const (
	accounts = 6
	plenty   = 1 << 50
)

func noon() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }

// house is a ledger with a made-up shard that is settled, and requests as workflows leave
// them.
type house struct {
	tb        testing.TB
	pool      *pgxpool.Pool
	ledger    *ledger.Ledger
	transfers *settle.Transfers
	world     *settletest.World
}

func newHouse(tb testing.TB) *house {
	tb.Helper()
	url := testenv.Postgres(tb, ledger.Migrations(), custodydb.Migrations(), settle.Migrations(), funding.Migrations())
	pool, err := pg.Open(tb.Context(), url+"&pool_max_conns=8")
	h := &house{tb: tb, pool: pool}
	h.must(err)
	tb.Cleanup(pool.Close)
	h.ledger, err = ledger.New(ledger.Config{Pool: pool, Clock: noon})
	h.must(err)
	tb.Cleanup(func() { _ = h.ledger.Close(context.Background()) })
	h.transfers = settle.NewTransfers(pool, h.ledger)
	h.world = settletest.New(7, accounts, h.begin)
	registry := settle.NewRegistry(pool)
	for _, code := range h.world.Assets {
		_, err := registry.Asset(tb.Context(), code)
		h.must(err)
		h.found(code)
	}
	for n := range accounts {
		_, err := registry.Account(tb.Context(), settletest.Customer(engine.AccountID(n+1)))
		h.must(err)
	}
	for _, m := range h.world.Markets {
		h.must(registry.Define(tb.Context(), m))
	}
	return h
}

func (h *house) must(err error) {
	h.tb.Helper()
	if err != nil {
		h.tb.Fatal(err)
	}
}

// found gives everybody an asset.
func (h *house) found(code string) {
	h.tb.Helper()
	ctx := h.tb.Context()
	custody := ledger.AccountID("custody/test/" + code + "/deposits")
	h.must(h.ledger.Open(ctx, ledger.Account{ID: custody, Asset: code, Class: ledger.Asset}))
	h.must(h.ledger.Attest(ctx, ledger.Attestation{Asset: code, Source: "test", Amount: money.FromUint64(plenty * accounts)}))
	tx := ledger.Transaction{ID: "fund/" + code}
	for n := range accounts {
		customer := settletest.Customer(engine.AccountID(n + 1))
		account := ledger.AccountID("customer/" + customer + "/" + code + "/funding")
		h.must(h.ledger.Open(ctx, ledger.Account{ID: account, Asset: code, Class: ledger.Liability}))
		tx.Legs = append(tx.Legs, ledger.Transfer{
			ID: ledger.TransferID(tx.ID + "/" + customer), Kind: ledger.Single, Debit: custody, Credit: account, Amount: money.FromUint64(plenty),
		})
	}
	_, err := h.ledger.Post(ctx, tx)
	h.must(err)
}

func (h *house) begin(m settletest.Move) {
	if m.Inward {
		h.must(h.transfers.Credit(h.tb.Context(), m.Transfer))
		return
	}
	h.must(h.transfers.Announce(h.tb.Context(), m.Transfer))
}

func (h *house) exec(sql string, args ...any) {
	h.tb.Helper()
	_, err := h.pool.Exec(h.tb.Context(), sql, args...)
	h.must(err)
}

// live makes events, settles them and ends all transfers.
func (h *house) live() {
	h.tb.Helper()
	ctx := h.tb.Context()
	for a := engine.AccountID(1); a <= accounts; a++ {
		for i := range h.world.Assets {
			h.world.Credit(a, engine.AssetID(i), 1<<40, false)
		}
	}
	for n := range 400 {
		h.world.Step()
		h.world.Trade()
		if n%100 == 50 || n == 390 {
			h.world.Checkpoint()
		}
	}
	s, err := settle.New(settle.Config{Pool: h.pool, Ledger: h.ledger, Source: &settletest.Source{World: h.world, Most: 50}, Clock: noon})
	h.must(err)
	h.must(s.Run(ctx))
	for _, m := range h.world.Moves {
		state, reason, direction := "done", "", "to_funding"
		if m.Code != engine.CodeNone {
			state, reason = "refused", "insufficient"
		}
		switch {
		case m.Inward && m.Code != engine.CodeNone:
			h.must(h.transfers.Return(ctx, m.ID))
		case !m.Inward && m.Code == engine.CodeNone:
			h.must(h.transfers.Debit(ctx, m.ID))
		}
		if m.Inward {
			direction = "to_trading"
		}
		h.exec(`INSERT INTO funding.request (id, customer, key, asset, amount, direction, state, reason, created_at, updated_at)
			VALUES ($1, $2, $1, $3, $4, $5, $6, $7, $8, $8)`, m.ID, m.Customer, m.Asset, m.Amount, direction, state, reason, noon())
	}
}

// names of the invariants that do not hold.
func (h *house) broken(cfg check.Config) []string {
	h.tb.Helper()
	cfg.Pool = h.pool
	if cfg.Clock == nil {
		cfg.Clock = noon
	}
	found, err := check.Run(h.tb.Context(), cfg)
	h.must(err)
	var names []string
	for _, v := range found {
		if v.Rows == "" || v.Numbers == "" || !strings.Contains(v.String(), v.Numbers) {
			h.tb.Errorf("%+v says too little", v)
		}
		names = append(names, v.Invariant)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// fault is a change that breaks invariants, and what undoes it.
type fault struct {
	do, undo string
	breaks   []string
}

func faults() map[string]fault {
	const (
		balances = "trading balances are what trades and transfers made"
		digest   = "trades and transfers make the engine's balances"
	)
	return map[string]fault{
		"halt": {
			"UPDATE trading.shard SET halted_reason = 'test'", "UPDATE trading.shard SET halted_reason = ''",
			[]string{"settlement goes on"},
		},
		"a trade is missing": {
			"CREATE TABLE kept AS SELECT * FROM trading.trade WHERE seq = (SELECT min(seq) FROM trading.trade); DELETE FROM trading.trade WHERE seq = (SELECT min(seq) FROM trading.trade)",
			"INSERT INTO trading.trade SELECT * FROM kept; DROP TABLE kept",
			[]string{balances, digest},
		},
		"a fee is another": {
			"UPDATE trading.trade SET taker_fee = taker_fee + 1 WHERE seq = (SELECT max(seq) FROM trading.trade WHERE seq < (SELECT max(seq) FROM trading.checkpoint))",
			"UPDATE trading.trade SET taker_fee = taker_fee - 1 WHERE seq = (SELECT max(seq) FROM trading.trade WHERE seq < (SELECT max(seq) FROM trading.checkpoint))",
			[]string{balances, digest},
		},
		"a trade of nowhere": {
			"INSERT INTO trading.trade SELECT shard, seq + 1000000, market, price, qty, taker_side, taker_order, taker_account, taker_fee, maker_order, maker_account, maker_fee, time FROM trading.trade ORDER BY seq LIMIT 1",
			"DELETE FROM trading.trade WHERE seq > 1000000",
			[]string{"each trade is of a settled batch", balances},
		},
		"money from nowhere": {
			"UPDATE ledger.balance SET credits_posted = credits_posted + 1 WHERE account = (SELECT no FROM ledger.account WHERE id = (SELECT min(ledger) FROM trading.purse WHERE account <> 0))",
			"UPDATE ledger.balance SET credits_posted = credits_posted - 1 WHERE account = (SELECT no FROM ledger.account WHERE id = (SELECT min(ledger) FROM trading.purse WHERE account <> 0))",
			[]string{balances},
		},
		"clearing": {
			"UPDATE ledger.balance SET credits_posted = credits_posted + 1 WHERE account = (SELECT min(no) FROM ledger.account WHERE id LIKE 'trading/0/%/clearing')",
			"UPDATE ledger.balance SET credits_posted = credits_posted - 1 WHERE account = (SELECT min(no) FROM ledger.account WHERE id LIKE 'trading/0/%/clearing')",
			[]string{"clearing accounts are zero"},
		},
		"a gap of batches": {
			"CREATE TABLE kept AS SELECT * FROM trading.batch WHERE first_seq = (SELECT max(first_seq) FROM trading.batch WHERE first_seq < (SELECT max(first_seq) FROM trading.batch)); DELETE FROM trading.batch b USING kept WHERE kept.first_seq = b.first_seq",
			"INSERT INTO trading.batch SELECT * FROM kept; DROP TABLE kept",
			[]string{"settled batches follow each other"},
		},
		"an old epoch": {
			"UPDATE trading.batch SET epoch = epoch + 100 WHERE first_seq = 1", "UPDATE trading.batch SET epoch = epoch - 100 WHERE first_seq = 1",
			[]string{"settled batches follow each other"},
		},
		"the cursor is ahead": {
			"UPDATE trading.shard SET next_seq = next_seq + 1", "UPDATE trading.shard SET next_seq = next_seq - 1",
			[]string{"the cursor is behind the last batch"},
		},
		"a checkpoint differs": {
			"UPDATE trading.checkpoint SET agrees = false WHERE seq = (SELECT min(seq) FROM trading.checkpoint)", "UPDATE trading.checkpoint SET agrees = true",
			[]string{"checkpoints agree"},
		},
		"the engine's digest is another": {
			"UPDATE trading.checkpoint SET digest = digest # 1 WHERE seq = (SELECT max(seq) FROM trading.checkpoint)",
			"UPDATE trading.checkpoint SET digest = digest # 1 WHERE seq = (SELECT max(seq) FROM trading.checkpoint)",
			[]string{digest},
		},
		"nobody asked": {
			"CREATE TABLE kept AS SELECT * FROM funding.request ORDER BY seq LIMIT 1; DELETE FROM funding.request r USING kept WHERE kept.id = r.id",
			"INSERT INTO funding.request OVERRIDING SYSTEM VALUE SELECT * FROM kept; DROP TABLE kept",
			[]string{"each transfer has its request"},
		},
		"it ended otherwise": {
			"UPDATE funding.request SET state = 'refused', reason = 'x' WHERE seq = 1", "UPDATE funding.request SET state = 'done', reason = '' WHERE seq = 1",
			[]string{"transfers ended as ledger and engine say"},
		},
		"another amount": {
			"UPDATE funding.request SET amount = amount + 1 WHERE seq = 1", "UPDATE funding.request SET amount = amount - 1 WHERE seq = 1",
			[]string{"requests say what their transfers move"},
		},
		"it never ends": {
			"UPDATE funding.request SET state = 'pending', created_at = created_at - interval '2 minutes' WHERE seq = 1",
			"UPDATE funding.request SET state = 'done', created_at = created_at + interval '2 minutes' WHERE seq = 1",
			[]string{"transfers end"},
		},
	}
}

func TestEachFaultIsFoundAndNothingElse(t *testing.T) {
	h := newHouse(t)
	if got := h.broken(check.Config{Grace: time.Minute}); len(got) != 0 {
		t.Fatalf("before anything happened: %q", got)
	}
	h.live()
	if got := h.broken(check.Config{Grace: time.Minute}); len(got) != 0 {
		t.Fatalf("a healthy house: %q", got)
	}
	if h.one("SELECT count(*) FROM trading.trade") < 100 || h.one("SELECT count(*) FROM trading.transfer WHERE NOT inward") < 5 || h.one("SELECT count(*) FROM trading.checkpoint") < 4 {
		t.Fatal("too little happened")
	}
	for name, f := range faults() {
		const free = "SET session_replication_role = replica; " // append-only tables, too
		h.exec(free + f.do + "; RESET session_replication_role")
		if got := h.broken(check.Config{Grace: time.Minute}); !slices.Equal(got, slices.Sorted(slices.Values(f.breaks))) {
			t.Errorf("%s: found %q, want %q", name, got, f.breaks)
		}
		h.exec(free + f.undo + "; RESET session_replication_role")
		if got := h.broken(check.Config{Grace: time.Minute}); len(got) != 0 {
			t.Fatalf("%s is not undone: %q", name, got)
		}
	}
}

func (h *house) one(sql string) (n int) {
	h.tb.Helper()
	h.must(h.pool.QueryRow(h.tb.Context(), sql).Scan(&n))
	return n
}

// TestSettlementIsWaitedForNoLongerThanItsGrace asks a shard that is ahead.
func TestSettlementIsWaitedForNoLongerThanItsGrace(t *testing.T) {
	h := newHouse(t)
	h.live()
	head := uint64(len(h.world.Events))
	waited := time.Duration(0)
	cfg := check.Config{
		Grace: time.Second, Head: func(context.Context) (uint64, error) { return head, nil },
		Wait: func(_ context.Context, d time.Duration) error { waited += d; return nil },
	}
	if got := h.broken(cfg); len(got) != 0 || waited != 0 {
		t.Errorf("%q after %s", got, waited)
	}
	head++
	if got := h.broken(cfg); !slices.Equal(got, []string{"settlement keeps up"}) || waited != time.Second {
		t.Errorf("%q after %s", got, waited)
	}
	gone := errors.New("nobody leads")
	cfg.Head = func(context.Context) (uint64, error) { return 0, gone }
	cfg.Pool, cfg.Clock = h.pool, noon
	if _, err := check.Run(t.Context(), cfg); !errors.Is(err, gone) {
		t.Error(err)
	}
}
