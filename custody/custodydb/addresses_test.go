package custodydb_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodytest"
)

// TestAddressesUnderLoad asks 1,000 times at once: each customer gets one address,
// no two customers share one, and indices have no gaps.
func TestAddressesUnderLoad(t *testing.T) {
	k := custodytest.New(t)
	const calls, customers = 1000, 50
	got := make([]string, calls)
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() {
			a, err := k.Store.DepositAddress(context.Background(), "cus_"+strconv.Itoa(i%customers), custodytest.BTC)
			if err != nil {
				t.Error(err)
			}
			got[i] = a.Address
		})
	}
	all.Wait()
	distinct := map[string]bool{}
	for i, a := range got {
		if a != got[i%customers] {
			t.Errorf("customer %d has %s and %s", i%customers, a, got[i%customers])
		}
		distinct[a] = true
	}
	if len(distinct) != customers {
		t.Errorf("%d addresses for %d customers", len(distinct), customers)
	}
	list, err := k.Store.HouseAddresses(context.Background(), custodytest.Coins)
	if err != nil || len(list) != customers+1 {
		t.Fatalf("%d rows, %v", len(list), err)
	}
	for i, a := range list[:customers] {
		if a.Path != (chainadapters.KeyPath{Account: chainadapters.DepositAccount, Index: uint32(i)}) {
			t.Errorf("row %d has key %+v", i, a.Path)
		}
	}
}

func TestAddressesAreRefused(t *testing.T) {
	k := custodytest.New(t)
	for i := range k.Assets {
		if k.Assets[i].Code == custodytest.TUSD {
			k.Assets[i].State = custody.AssetSuspended
		}
	}
	for _, asset := range []string{"DOGE", custodytest.TUSD} {
		if _, err := k.Store.DepositAddress(context.Background(), "cus_a", asset); !errors.Is(err, custody.ErrAsset) {
			t.Errorf("%s: %v", asset, err)
		}
	}
	if _, err := k.Store.DepositAddress(context.Background(), "", custodytest.BTC); !errors.Is(err, custody.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}
