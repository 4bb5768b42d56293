package ledger_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/ledger"
	"strongroom/money"
)

var testNow = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func u(n uint64) money.Units { return money.FromUint64(n) }

func openPool(tb testing.TB, url string) *pgxpool.Pool {
	tb.Helper()
	pool, err := pg.Open(context.Background(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	return pool
}

// start opens a ledger on url with a clock that the test can set.
func start(tb testing.TB, url string) (*ledger.Ledger, *pgxpool.Pool) {
	tb.Helper()
	pool := openPool(tb, url)
	l, err := ledger.New(ledger.Config{Pool: pool, Clock: func() time.Time { return testNow }})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			tb.Error(err)
		}
	})
	return l, pool
}

func fresh(tb testing.TB) (*ledger.Ledger, *pgxpool.Pool) {
	tb.Helper()
	return start(tb, testenv.Postgres(tb, ledger.Migrations()))
}

const (
	hot  = ledger.AccountID("custody/bitcoin-regtest/BTC/hot")
	ann  = ledger.AccountID("customer/ann/BTC/funding")
	bob  = ledger.AccountID("customer/bob/BTC/funding")
	fees = ledger.AccountID("income/withdrawal_fees/BTC")
	cost = ledger.AccountID("expense/network_fees/BTC")
)

// bank opens the usual accounts, attests plenty, and gives ann 1,000 units.
func bank(tb testing.TB, l *ledger.Ledger) {
	tb.Helper()
	ctx := tb.Context()
	err := l.Open(ctx,
		ledger.Account{ID: hot, Asset: "BTC", Class: ledger.Asset},
		ledger.Account{ID: ann, Asset: "BTC", Class: ledger.Liability, Metadata: map[string]string{"k": "<v>"}},
		ledger.Account{ID: bob, Asset: "BTC", Class: ledger.Liability, Max: u(5_000)},
		ledger.Account{ID: fees, Asset: "BTC", Class: ledger.Income},
		ledger.Account{ID: cost, Asset: "BTC", Class: ledger.Expense},
	)
	if err != nil {
		tb.Fatal(err)
	}
	if err := l.Attest(ctx, ledger.Attestation{Asset: "BTC", Source: "chain/bitcoin-regtest", Amount: u(1_000_000), Evidence: "block 1"}); err != nil {
		tb.Fatal(err)
	}
	mustPost(tb, l, single("fund/ann", hot, ann, 1_000))
}

func single(id string, debit, credit ledger.AccountID, amount uint64) ledger.Transaction {
	return ledger.Transaction{ID: id, Legs: []ledger.Transfer{{ID: ledger.TransferID(id), Kind: ledger.Single, Debit: debit, Credit: credit, Amount: u(amount)}}}
}

// hold holds some of ann's money, to leave the house.
func hold(id string, amount uint64) ledger.Transaction {
	tx := single(id, ann, hot, amount)
	tx.Legs[0].Kind = ledger.Pending
	return tx
}

func resolve(id string, kind ledger.Kind, pending string, amount uint64) ledger.Transaction {
	return ledger.Transaction{ID: id, Legs: []ledger.Transfer{{ID: ledger.TransferID(id), Kind: kind, Pending: ledger.TransferID(pending), Amount: u(amount)}}}
}

func mustPost(tb testing.TB, l *ledger.Ledger, tx ledger.Transaction) ledger.Receipt {
	tb.Helper()
	r, err := l.Post(tb.Context(), tx)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func wantErr(tb testing.TB, what string, got, want error) {
	tb.Helper()
	if !errors.Is(got, want) {
		tb.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func wantBalance(tb testing.TB, l *ledger.Ledger, id ledger.AccountID, posted, available uint64) {
	tb.Helper()
	b, err := l.Balance(tb.Context(), id)
	if err != nil {
		tb.Fatal(err)
	}
	if b.Posted() != u(posted) || b.Available() != u(available) {
		tb.Errorf("%s holds %s, of which %s available; want %d and %d", id, b.Posted(), b.Available(), posted, available)
	}
}

func wantSound(tb testing.TB, l *ledger.Ledger) {
	tb.Helper()
	if _, err := l.VerifyChain(tb.Context(), 0); err != nil {
		tb.Error(err)
	}
}

func TestWithdrawalFromHoldToPost(t *testing.T) {
	l, _ := fresh(t)
	bank(t, l)
	tx := ledger.Transaction{
		ID: "wdr/1/hold", EventTime: testNow.Add(-time.Hour), Metadata: map[string]string{"b": "2", "a": "1"},
		Legs: []ledger.Transfer{
			{ID: "wdr/1/amount", Kind: ledger.Pending, Debit: ann, Credit: hot, Amount: u(900)},
			{ID: "wdr/1/fee", Kind: ledger.Pending, Debit: ann, Credit: fees, Amount: u(100)},
		},
	}
	first := mustPost(t, l, tx)
	wantBalance(t, l, ann, 1_000, 0)
	again := mustPost(t, l, tx)
	if !again.Repeated || again.Batch != first.Batch || !again.Booked.Equal(first.Booked) {
		t.Errorf("repeated: %+v, first %+v", again, first)
	}
	tx.Metadata["a"] = "other"
	_, err := l.Post(t.Context(), tx)
	wantErr(t, "other content", err, ledger.ErrConflict)
	post := ledger.Transaction{ID: "wdr/1/post", Legs: []ledger.Transfer{
		{ID: "wdr/1/post/amount", Kind: ledger.Post, Pending: "wdr/1/amount", Amount: u(800)},
		{ID: "wdr/1/post/fee", Kind: ledger.Post, Pending: "wdr/1/fee"},
		{ID: "wdr/1/post/network", Kind: ledger.Single, Debit: cost, Credit: hot, Amount: u(7)},
	}}
	mustPost(t, l, post)
	wantBalance(t, l, ann, 100, 100)
	wantBalance(t, l, hot, 193, 193)
	wantBalance(t, l, fees, 100, 100)
	wantBalance(t, l, cost, 7, 7)
	h, err := l.PendingTransfer(t.Context(), "wdr/1/amount")
	if err != nil || h.Resolution != ledger.Post || h.Posted != u(800) || h.Amount != u(900) {
		t.Errorf("hold: %+v, %v", h, err)
	}
	p, err := l.Position(t.Context(), "BTC")
	if want := (ledger.Position{Asset: "BTC", Liabilities: u(100), Attested: u(1_000_000 - 807), Outflows: 2}); err != nil || p != want {
		t.Errorf("position %+v, want %+v, %v", p, want, err)
	}
	wantSound(t, l)
}
