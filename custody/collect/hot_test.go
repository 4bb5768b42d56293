package collector_test

import (
	"context"
	"testing"

	"strongroom/custody"
	"strongroom/custody/collect"
	"strongroom/custody/custodytest"
	"strongroom/money"
)

// merger plans with a policy under which few coins are many.
func merger(tb testing.TB, k *custodytest.Kit, low uint64) *collector.Collector {
	tb.Helper()
	c, err := collector.New(collector.Config{
		Store: k.Store, Adapters: k.Adapters, Assets: k.Assets, Log: k.Log,
		Merge: custody.ConsolidationPolicy{Above: 5, Most: 4, LowSatPerKVB: low, SharePercent: 90},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// smallHotCoins gives the hot wallet six coins, of which one does not pay for
// itself.
func smallHotCoins(tb testing.TB, k *custodytest.Kit) {
	tb.Helper()
	hot, err := k.Store.HotAddress(context.Background(), custodytest.Coins)
	if err != nil {
		tb.Fatal(err)
	}
	for _, amount := range []uint64{200, 10_000, 20_000, 30_000, 40_000, 50_000} {
		k.Pay(tb, custodytest.BTC, hot.Address, amount)
	}
	k.Mine(tb, custodytest.Coins, custodytest.FinalDepth)
}

func round(tb testing.TB, c *collector.Collector) {
	tb.Helper()
	if err := c.Round(context.Background()); err != nil {
		tb.Fatal(err)
	}
}

const anyRate = 1 << 40

func TestSmallHotCoinsAreMerged(t *testing.T) {
	k := custodytest.New(t)
	smallHotCoins(t, k)
	round(t, merger(t, k, 1))
	if got := planned(t, k); len(got) != 0 {
		t.Fatalf("at a rate that is not low: %+v", got)
	}
	for range 2 {
		round(t, merger(t, k, anyRate))
	}
	got := planned(t, k)
	if len(got) != 1 || got[0].Kind != custody.IntentConsolidate || !got[0].Amount.Less(money.FromUint64(100_000)) {
		t.Fatalf("%+v", got)
	}
	var locked, least int
	err := k.Pool.QueryRow(context.Background(), `SELECT count(*), min(c.amount) FROM custody.coin_lock l
		JOIN custody.coin c ON c.txid = l.txid AND c.vout = l.vout WHERE l.intent = $1`, got[0].ID).Scan(&locked, &least)
	if err != nil || locked != 4 || least != 10_000 {
		t.Fatalf("%d coins locked, the least %d, %v", locked, least, err)
	}
}

// TestMergingWaitsForWithdrawals and for collections; a collection at a low rate
// waits for it in turn, unless a withdrawal needs the money.
func TestMergingWaitsForWithdrawals(t *testing.T) {
	k := custodytest.New(t)
	smallHotCoins(t, k)
	withdrawal := func(state string) {
		_, err := k.Pool.Exec(context.Background(), `INSERT INTO custody.withdrawal
			(id, customer, asset, chain, destination, amount, fee, state, payload_hash, created_at, updated_at)
			VALUES ('wdr_1', 'cus_a', 'BTC', 'coins', 'x', 1, 0, $1, '', now(), now()) ON CONFLICT (id) DO UPDATE SET state = $1`, state)
		if err != nil {
			t.Fatal(err)
		}
	}
	withdrawal("approved")
	round(t, merger(t, k, anyRate))
	if got := planned(t, k); len(got) != 0 {
		t.Fatalf("although a withdrawal waits: %+v", got)
	}
	withdrawal("posted")
	round(t, merger(t, k, anyRate))
	k.Pay(t, custodytest.BTC, k.Address(t, customer, custodytest.BTC), 100_000)
	k.Mine(t, custodytest.Coins, custodytest.FinalDepth)
	round(t, merger(t, k, anyRate))
	count := func() (collections int) {
		if err := k.Pool.QueryRow(context.Background(), `SELECT count(*) FROM custody.house_intent WHERE kind = 'collect'`).Scan(&collections); err != nil {
			t.Fatal(err)
		}
		return collections
	}
	if count() != 0 {
		t.Fatal("a collection bids against a consolidation")
	}
	withdrawal("approved")
	round(t, merger(t, k, anyRate))
	if count() != 1 {
		t.Fatal("a withdrawal waits, and nothing is collected")
	}
}
