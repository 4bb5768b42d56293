package watch_test

import (
	"context"
	"testing"
	"time"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/custodytest"
	"strongroom/custody/watch"
	"strongroom/internal/id"
	"strongroom/ledger"
	"strongroom/money"
)

// want checks what cus_a has.
func want(tb testing.TB, k *custodytest.Kit, asset string, funding, maturing uint64, when string) {
	tb.Helper()
	f, m := k.Available(tb, custody.FundingAccount("cus_a", asset)), k.Available(tb, custody.MaturingAccount("cus_a", asset))
	if f != money.FromUint64(funding) || m != money.FromUint64(maturing) {
		tb.Fatalf("%s %s: funding %s, maturing %s; want %d, %d", asset, when, f, m, funding, maturing)
	}
}

// spend moves a customer's funds to the house: what a finished trade or
// withdrawal would leave behind.
func spend(tb testing.TB, k *custodytest.Kit, customer, asset string, amount uint64) {
	tb.Helper()
	name := id.New("spend")
	_, err := k.Ledger.Post(context.Background(), ledger.Transaction{ID: name, Legs: []ledger.Transfer{{
		ID: ledger.TransferID(name), Kind: ledger.Single, Amount: money.FromUint64(amount),
		Debit: custody.FundingAccount(customer, asset), Credit: custody.EquityAccount(asset),
	}}})
	if err != nil {
		tb.Fatal(err)
	}
}

func frozen(tb testing.TB, k *custodytest.Kit, customer string) (is bool) {
	tb.Helper()
	err := k.Pool.QueryRow(context.Background(), `SELECT EXISTS (SELECT FROM custody.frozen WHERE customer = $1)`, customer).Scan(&is)
	if err != nil {
		tb.Fatal(err)
	}
	return is
}

func mine(tb testing.TB, k *custodytest.Kit, n int) {
	tb.Helper()
	if err := k.Chains[custodytest.Coins].Mine(n); err != nil {
		tb.Fatal(err)
	}
}

func chain(tb testing.TB, k *custodytest.Kit) custodydb.ChainStatus {
	tb.Helper()
	c, err := k.Store.Chain(context.Background(), custodytest.Coins)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// aged returns a watcher whose clock is one day after the chain's head.
func aged(tb testing.TB, k *custodytest.Kit, limit time.Duration) *watch.Watcher {
	tb.Helper()
	head, err := k.Nodes[custodytest.Coins].Head(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	w, err := watch.New(watch.Config{
		Chain: custodytest.Coins, Adapter: chainadapters.Adapter(k.Nodes[custodytest.Coins]), Store: k.Store, Assets: k.Assets,
		MaxReorg: custodytest.MaxReorg, MaxHeadAge: limit, Poll: time.Millisecond, Log: k.Log,
		Clock: func() time.Time { return head.Time.Add(24 * time.Hour) },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return w
}
