package collector_test

import (
	"context"
	"testing"
	"time"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/collect"
	"strongroom/custody/custodydb"
	"strongroom/custody/custodytest"
	"strongroom/money"
)

// station plans with a gas policy, some time from now.
func station(tb testing.TB, k *custodytest.Kit, policy custody.GasPolicy, later time.Duration) *collector.Collector {
	tb.Helper()
	c, err := collector.New(collector.Config{
		Store: k.Store, Adapters: k.Adapters, Assets: k.Assets, Log: k.Log,
		Gas:   map[chainadapters.ChainID]custody.GasPolicy{custodytest.Accounts: policy},
		Clock: func() time.Time { return time.Now().Add(later) }, //nolint:forbidigo // rows have the time of now
	})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// tokenPile puts tokens at a customer's address, deep enough to be collected.
func tokenPile(tb testing.TB, k *custodytest.Kit, who string) (address string) {
	tb.Helper()
	address = k.Address(tb, who, custodytest.TUSD)
	k.Pay(tb, custodytest.TUSD, address, 5_000)
	k.Mine(tb, custodytest.Accounts, custodytest.FinalDepth)
	return address
}

func held(tb testing.TB, k *custodytest.Kit) []custodydb.HeldPile {
	tb.Helper()
	list, err := k.Store.HeldPiles(context.Background(), 100)
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

// failCollections notes collections of the token at an address that failed on chain.
func failCollections(tb testing.TB, k *custodytest.Kit, address string, n int) {
	tb.Helper()
	_, err := k.Pool.Exec(context.Background(), `INSERT INTO custody.house_intent
		(id, kind, asset, chain, from_address, destination, amount, state, created_at, updated_at)
		SELECT 'col_failed' || $2 || i, 'collect', 'TUSD', 'accounts', $1, 'hot', 1, 'reverted', now(), now() FROM generate_series(1, $3) AS i`,
		address, address, n)
	if err != nil {
		tb.Fatal(err)
	}
}

func TestGasStationHasLimits(t *testing.T) {
	k := custodytest.New(t)
	address := tokenPile(t, k, customer)
	tight := collector.DefaultGas()
	tight.PerAddressDay = money.FromUint64(1)
	round(t, station(t, k, tight, 0))
	if got := held(t, k); len(got) != 1 || got[0].Address != address || got[0].Asset != custodytest.TUSD ||
		got[0].Reason != "gas limit of the address for a day" || !got[0].Until.IsZero() {
		t.Fatalf("%+v", got)
	}
	round(t, station(t, k, collector.DefaultGas(), 0))
	if got := held(t, k); len(got) != 0 {
		t.Fatalf("still held: %+v", got)
	}
	use, err := k.Store.GasUse(context.Background(), custodytest.Accounts, address, custodytest.TUSD, time.Now()) //nolint:forbidigo // rows have it
	if err != nil || use.AddressDay.IsZero() || use.AddressDay != use.AssetHour || use.AssetHour != use.AssetDay || use.Day != use.Hour || use.Hour != use.AssetDay {
		t.Fatalf("%+v, %v", use, err)
	}
	elsewhere, err := k.Store.GasUse(context.Background(), custodytest.Accounts, "0x", "OTHER", time.Now().Add(2*time.Hour)) //nolint:forbidigo // as above
	if err != nil || !elsewhere.AddressDay.IsZero() || !elsewhere.AssetDay.IsZero() || !elsewhere.Hour.IsZero() || elsewhere.Day != use.Day {
		t.Fatalf("%+v, %v", elsewhere, err)
	}
}

// TestFailingCollectionsGetNoMoreGas: the address rests, longer with each failure;
// where a token fails at several, all of its addresses rest.
func TestFailingCollectionsGetNoMoreGas(t *testing.T) {
	k := custodytest.New(t)
	bad, good := tokenPile(t, k, "cus_a"), tokenPile(t, k, "cus_b")
	policy := collector.DefaultGas()
	failCollections(t, k, bad, 2)
	round(t, station(t, k, policy, policy.Pause))
	got := held(t, k)
	if len(got) != 1 || got[0].Address != bad || got[0].Reason != "its collection failed on chain" {
		t.Fatalf("%+v", got)
	}
	if open := planned(t, k); len(open) != 1 || open[0].To != good {
		t.Fatalf("%+v", open)
	}
	other := tokenPile(t, k, "cus_c")
	failCollections(t, k, good, 3)
	round(t, station(t, k, policy, 0))
	if got := held(t, k); len(got) != 2 || got[0].Address != other || got[0].Reason != "collections of this token keep failing on chain" {
		t.Fatalf("%+v", got)
	}
	round(t, station(t, k, policy, policy.MaxPause))
	if got := held(t, k); len(got) != 0 {
		t.Fatalf("the pause is over: %+v", got)
	}
}
