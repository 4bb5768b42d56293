package collector_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/collect"
	"strongroom/custody/custodydb"
	"strongroom/custody/custodytest"
	"strongroom/money"
)

const (
	customer = "cus_a"
	ether    = 1_000_000_000_000_000_000
)

func newCollector(tb testing.TB, k *custodytest.Kit) *collector.Collector {
	tb.Helper()
	c, err := collector.New(collector.Config{
		Store: k.Store, Adapters: k.Adapters, Assets: k.Assets, Log: k.Log, MaxCoins: 3, Every: time.Millisecond,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// planned runs a round and returns the open intents, oldest first.
func planned(tb testing.TB, k *custodytest.Kit) []custodydb.IntentRow {
	tb.Helper()
	ctx := context.Background()
	if err := newCollector(tb, k).Round(ctx); err != nil {
		tb.Fatal(err)
	}
	rows, err := k.Pool.Query(ctx, `SELECT id FROM custody.house_intent WHERE state = 'approved' ORDER BY id`)
	if err != nil {
		tb.Fatal(err)
	}
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			tb.Fatal(err)
		}
		ids = append(ids, id)
	}
	list := make([]custodydb.IntentRow, 0, len(ids))
	for _, id := range ids {
		r, err := k.Store.LoadIntent(ctx, id)
		if err != nil {
			tb.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

// TestOnlyFinalDepositsAreCollected: a deposit that may still vanish is not moved,
// although its owner may use it.
func TestOnlyFinalDepositsAreCollected(t *testing.T) {
	k := custodytest.New(t)
	k.Pay(t, custodytest.ETH, k.Address(t, customer, custodytest.ETH), ether)
	k.Mine(t, custodytest.Accounts, custodytest.FinalDepth-1)
	if got := planned(t, k); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
	k.Mine(t, custodytest.Accounts, 1)
	got := planned(t, k)
	hot, err := k.Store.HotAddress(context.Background(), custodytest.Accounts)
	if err != nil || len(got) != 1 || got[0].Kind != custody.IntentCollect || got[0].To != hot.Address || got[0].Asset != custodytest.ETH {
		t.Fatalf("%+v, %v", got, err)
	}
	if whole := money.FromUint64(ether); !got[0].Amount.Less(whole) || got[0].Amount.Less(money.FromUint64(ether/2)) {
		t.Fatalf("it collects %s of %s", got[0].Amount, whole)
	}
	if again := planned(t, k); len(again) != 1 {
		t.Fatalf("a second collection of the same address: %+v", again)
	}
}

// TestTokenNeedsGasFirst: a top-up, and no collection until it is there.
func TestTokenNeedsGasFirst(t *testing.T) {
	k := custodytest.New(t)
	to := k.Address(t, customer, custodytest.TUSD)
	k.Pay(t, custodytest.TUSD, to, 5_000)
	k.Mine(t, custodytest.Accounts, custodytest.FinalDepth)
	for range 2 {
		got := planned(t, k)
		if len(got) != 1 || got[0].Kind != custody.IntentGasTopUp || got[0].To != to || got[0].Asset != custodytest.ETH || got[0].From != "" {
			t.Fatalf("%+v", got)
		}
	}
}

// TestUnsettledValueStays: dust and young deposits at the address are not moved
// with the rest.
func TestUnsettledValueStays(t *testing.T) {
	k := custodytest.New(t)
	to := k.Address(t, customer, custodytest.ETH)
	k.Pay(t, custodytest.ETH, to, ether)
	k.Pay(t, custodytest.ETH, to, custodytest.Dust-1)
	k.Mine(t, custodytest.Accounts, 1)
	k.Pay(t, custodytest.ETH, to, 7_000_000)
	k.Mine(t, custodytest.Accounts, custodytest.FinalDepth-1)
	got := planned(t, k)
	if len(got) != 1 || !got[0].Amount.Less(money.FromUint64(ether)) {
		t.Fatalf("%+v", got)
	}
	var taken []string
	err := k.Pool.QueryRow(context.Background(), `SELECT array_agg(amount::text) FROM custody.deposit WHERE collected_by = $1`, got[0].ID).Scan(&taken)
	if err != nil || !slices.Equal(taken, []string{money.FromUint64(ether).String()}) {
		t.Fatalf("%v, %v", taken, err)
	}
}

// TestCoinsAreCollectedTogether takes the largest coins up to the bound, leaves
// those that cost more than they hold, and locks what it takes.
func TestCoinsAreCollectedTogether(t *testing.T) {
	k := custodytest.New(t)
	for _, amount := range []uint64{100_000, 1_000, 90_000, 80_000, 70_000} {
		k.Pay(t, custodytest.BTC, k.Address(t, customer, custodytest.BTC), amount)
	}
	k.Mine(t, custodytest.Coins, custodytest.FinalDepth)
	got := planned(t, k)
	if len(got) != 1 || !got[0].Amount.Less(money.FromUint64(270_000)) || got[0].Amount.Less(money.FromUint64(260_000)) {
		t.Fatalf("%+v", got)
	}
	var locked, marked int
	err := k.Pool.QueryRow(context.Background(), `SELECT (SELECT count(*) FROM custody.coin_lock WHERE intent = $1),
		(SELECT count(*) FROM custody.deposit WHERE collected_by = $1)`, got[0].ID).Scan(&locked, &marked)
	if err != nil || locked != 3 || marked != 3 {
		t.Fatalf("%d coins locked, %d deposits marked, %v", locked, marked, err)
	}
}

func TestSmallCoinsStay(t *testing.T) {
	k := custodytest.New(t)
	k.Pay(t, custodytest.BTC, k.Address(t, customer, custodytest.BTC), custodytest.Dust) // its fee is more than that
	k.Mine(t, custodytest.Coins, custodytest.FinalDepth)
	if got := planned(t, k); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
}

// TestPlannersRace lets ten plan at once: one collection per address.
func TestPlannersRace(t *testing.T) {
	k := custodytest.New(t)
	for _, who := range []string{"cus_a", "cus_b", "cus_c"} {
		k.Pay(t, custodytest.ETH, k.Address(t, who, custodytest.ETH), ether)
		k.Pay(t, custodytest.BTC, k.Address(t, who, custodytest.BTC), 1_000_000)
	}
	for _, chain := range []chainadapters.ChainID{custodytest.Accounts, custodytest.Coins} {
		k.Mine(t, chain, custodytest.FinalDepth)
	}
	var all sync.WaitGroup
	for range 10 {
		c := newCollector(t, k)
		all.Go(func() {
			if err := c.Round(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := planned(t, k); len(got) != 4 { // three addresses, one set of coins
		t.Fatalf("%d intents: %+v", len(got), got)
	}
}

// TestHaltedChainIsLeft and the loop ends with its context.
func TestHaltedChainIsLeft(t *testing.T) {
	k := custodytest.New(t)
	k.Pay(t, custodytest.ETH, k.Address(t, customer, custodytest.ETH), ether)
	k.Mine(t, custodytest.Accounts, custodytest.FinalDepth)
	if err := k.Store.HaltChain(context.Background(), custodytest.Accounts, "test", false); err != nil {
		t.Fatal(err)
	}
	if got := planned(t, k); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := newCollector(t, k).Run(ctx); err == nil {
		t.Fatal("the loop ended by itself")
	}
}
