package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/custody"
	"strongroom/custody/custodytest"
	"strongroom/custody/feedesk"
	"strongroom/money"
)

func feeHouse(t *testing.T) (map[chainadapters.ChainID]chainadapters.Adapter, custodytest.Assets) {
	t.Helper()
	assets := custodytest.Assets{
		{Asset: money.Asset{Code: "BTC", Scale: 8}, Chain: "coins", Native: "BTC", State: custody.AssetListed},
		{Asset: money.Asset{Code: "ETH", Scale: 18}, Chain: "accounts", Native: "ETH", State: custody.AssetListed},
	}
	adapters := map[chainadapters.ChainID]chainadapters.Adapter{}
	for name, family := range map[chainadapters.ChainID]chainadapters.Family{"coins": chainadapters.UTXO, "accounts": chainadapters.Account} {
		chain, err := fakechain.New(fakechain.Config{Family: family})
		if err != nil {
			t.Fatal(err)
		}
		adapters[name] = chain.Adapter(chain.Identity())
	}
	return adapters, assets
}

func defaultFees() feeFlags {
	return feeFlags{FeeStep: 125, FeePatience: 10 * time.Minute, FeeDeadline: 2 * time.Hour}
}

func TestFeeSettingsReachTheDesk(t *testing.T) {
	adapters, assets := feeHouse(t)
	gas, rates, err := defaultFees().policies(adapters, assets)
	if err != nil || gas["accounts"] != feedesk.DefaultGas() || rates["coins"] != feedesk.DefaultRate() {
		t.Errorf("%+v %+v %v", gas, rates, err)
	}
	f := defaultFees()
	f.FeeBudget = map[string]string{"coins": "0.001", "accounts": "0.5"}
	f.GasCeiling, f.GasTipFloor = map[string]uint64{"accounts": 50}, map[string]uint64{"accounts": 7}
	f.RateFloor, f.RateCeiling, f.RateRelay = map[string]uint64{"coins": 2_000}, map[string]uint64{"coins": 90_000}, map[string]uint64{"coins": 3_000}
	gas, rates, err = f.policies(adapters, assets)
	g, r := gas["accounts"], rates["coins"]
	if err != nil || g.Ceiling != money.FromUint64(50*gwei) || g.TipFloor != money.FromUint64(7) || g.Budget != money.FromUint64(500_000_000*gwei) ||
		r.Floor != 2_000 || r.Ceiling != 90_000 || r.Relay != 3_000 || r.Budget != money.FromUint64(100_000) {
		t.Errorf("%+v %+v %v", g, r, err)
	}
}

func TestFeeSettingsThatCannotBeMeant(t *testing.T) {
	adapters, assets := feeHouse(t)
	for name, change := range map[string]func(*feeFlags){
		"--fee-budget":          func(f *feeFlags) { f.FeeBudget = map[string]string{"coins": "many"} },
		"step 1‰":               func(f *feeFlags) { f.FeeStep = 1 },
		"patience 0s":           func(f *feeFlags) { f.FeePatience = 0 },
		"--gas-ceiling 1000001": func(f *feeFlags) { f.GasCeiling = map[string]uint64{"accounts": 1_000_001} },
		"--rate-ceiling 500001": func(f *feeFlags) { f.RateCeiling = map[string]uint64{"coins": 500_001} },
		"floor 9000, ceiling": func(f *feeFlags) {
			f.RateFloor, f.RateCeiling = map[string]uint64{"coins": 9_000}, map[string]uint64{"coins": 8_000}
		},
		`--rate-floor names "accounts"`: func(f *feeFlags) { f.RateFloor = map[string]uint64{"accounts": 1} },
		`--gas-ceiling names "moon"`:    func(f *feeFlags) { f.GasCeiling = map[string]uint64{"moon": 1} },
	} {
		f := defaultFees()
		change(&f)
		if _, _, err := f.policies(adapters, assets); !errors.Is(err, errFeeSetting) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
