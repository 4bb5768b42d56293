package main

import (
	"errors"
	"fmt"
	"time"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/money"
)

// stationFlags bound what the house spends on its own movements. Amounts are in
// whole coins of the chain's native asset and hold for each account chain.
type stationFlags struct {
	GasAddressDay string        `help:"Most gas that one deposit address gets in 24 hours, network fees included." env:"STRONGROOM_GAS_ADDRESS_DAY" default:"0.02"`
	GasTokenHour  string        `help:"Most gas for the collections of one token in an hour." env:"STRONGROOM_GAS_TOKEN_HOUR" default:"0.5"`
	GasTokenDay   string        `help:"Most gas for the collections of one token in 24 hours." env:"STRONGROOM_GAS_TOKEN_DAY" default:"2"`
	GasHour       string        `help:"Most gas for all collections of a chain in an hour." env:"STRONGROOM_GAS_HOUR" default:"1"`
	GasDay        string        `help:"Most gas for all collections of a chain in 24 hours." env:"STRONGROOM_GAS_DAY" default:"5"`
	GasPause      time.Duration `help:"How long an address rests after a collection that failed on chain; each further failure doubles it." env:"STRONGROOM_GAS_PAUSE" default:"1m"`
	GasMaxPause   time.Duration `help:"The longest such rest." env:"STRONGROOM_GAS_MAX_PAUSE" default:"24h"`
	MergeAbove    int           `help:"Coins that the hot wallet of a chain of coins may have before small ones are merged." env:"STRONGROOM_MERGE_ABOVE" default:"100"`
	MergeMost     int           `help:"Coins that one merging spends." env:"STRONGROOM_MERGE_MOST" default:"100"`
	MergeRate     uint64        `help:"Highest fee rate at which coins are merged, in units per 1,000 virtual bytes." env:"STRONGROOM_MERGE_RATE" default:"5000"`
	MergeShare    uint64        `help:"How much of the hot wallet's value one merging ties up, in percent." env:"STRONGROOM_MERGE_SHARE" default:"50"`
}

func (f stationFlags) merge() custody.ConsolidationPolicy {
	return custody.ConsolidationPolicy{Above: f.MergeAbove, Most: f.MergeMost, LowSatPerKVB: f.MergeRate, SharePercent: f.MergeShare}
}

// gas returns the gas policy of each chain that has a native asset.
func (f stationFlags) gas(chains []chainadapters.Config, known custody.Assets) (map[chainadapters.ChainID]custody.GasPolicy, error) {
	policies := map[chainadapters.ChainID]custody.GasPolicy{}
	for _, chain := range chains {
		for _, info := range known.AssetsOf(chain.Chain) {
			if !info.IsNative() {
				continue
			}
			policy, err := f.policy(info.Asset)
			if err != nil {
				return nil, fmt.Errorf("gas of %s: %w", chain.Chain, err)
			}
			policies[chain.Chain] = policy
		}
	}
	return policies, nil
}

func (f stationFlags) policy(native money.Asset) (custody.GasPolicy, error) {
	policy := custody.GasPolicy{Pause: f.GasPause, MaxPause: f.GasMaxPause}
	var failed []error
	for text, into := range map[*string]*money.Units{
		&f.GasAddressDay: &policy.PerAddressDay, &f.GasTokenHour: &policy.PerAssetHour, &f.GasTokenDay: &policy.PerAssetDay,
		&f.GasHour: &policy.PerHour, &f.GasDay: &policy.PerDay,
	} {
		amount, err := native.Parse(*text)
		if err != nil {
			failed = append(failed, fmt.Errorf("limit %q: %w", *text, err))
		}
		*into = amount
	}
	return policy, errors.Join(failed...)
}
