package watch_test

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"strongroom/custody/custodytest"
)

// TestNewAddressesAreNeverMissed makes addresses and pays to them the moment they
// are known, while blocks are mined and taken in: nothing that decides about a
// deposit may be older than the block that holds it.
func TestNewAddressesAreNeverMissed(t *testing.T) {
	k := custodytest.New(t)
	makers, each := 6, 12
	if testing.Short() {
		each = 4
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var background, paying sync.WaitGroup
	background.Go(func() {
		w := k.Watcher(t, custodytest.Coins)
		for ctx.Err() == nil {
			if err := k.Chains[custodytest.Coins].Mine(1); err != nil {
				t.Errorf("mine: %v", err)
				return
			}
			if _, err := w.Look(ctx); err != nil && ctx.Err() == nil {
				t.Errorf("look: %v", err)
				return
			}
		}
	})
	var paid atomic.Int64
	for maker := range makers {
		paying.Go(func() {
			for n := range each {
				k.Pay(t, custodytest.BTC, k.Address(t, "cus_"+strconv.Itoa(maker*each+n), custodytest.BTC), 500_000)
				paid.Add(1)
			}
		})
	}
	paying.Wait()
	stop()
	background.Wait()
	k.Mine(t, custodytest.Coins, 1)
	var found int64
	if err := k.Pool.QueryRow(t.Context(), `SELECT count(DISTINCT address) FROM custody.deposit WHERE canonical`).Scan(&found); err != nil {
		t.Fatal(err)
	}
	if found != paid.Load() || found != int64(makers*each) {
		t.Fatalf("%d addresses were paid, deposits at %d were seen", paid.Load(), found)
	}
}
