package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/feedesk"
	"strongroom/money"
)

// feeFlags bound what is bid for a place in a block. What names no chain holds for
// all; a chain that is not named has the default.
type feeFlags struct {
	FeeStep     uint64            `help:"Least raise of a bid in thousandths, from 125 to 9000." env:"STRONGROOM_FEE_STEP" default:"125"`
	FeePatience time.Duration     `help:"How long a bid may wait before it is raised." env:"STRONGROOM_FEE_PATIENCE" default:"10m"`
	FeeDeadline time.Duration     `help:"Age from which a payment bids twice the market." env:"STRONGROOM_FEE_DEADLINE" default:"2h"`
	FeeBudget   map[string]string `help:"Most that one payment may cost, in whole native coins; 0.05 on account chains and 0.02 on chains of coins where left out." env:"STRONGROOM_FEE_BUDGET" placeholder:"CHAIN=AMOUNT"`
	GasCeiling  map[string]uint64 `help:"Highest fee cap on account chains, in gwei per gas, up to 1000000; 1000 where left out." env:"STRONGROOM_GAS_CEILING" placeholder:"CHAIN=GWEI"`
	GasTipFloor map[string]uint64 `help:"Least tip on account chains, in wei per gas; 100000000 where left out." env:"STRONGROOM_GAS_TIP_FLOOR" placeholder:"CHAIN=WEI"`
	RateFloor   map[string]uint64 `help:"Lowest fee rate on chains of coins, in units per 1,000 virtual bytes; 1000 where left out." env:"STRONGROOM_RATE_FLOOR" placeholder:"CHAIN=RATE"`
	RateCeiling map[string]uint64 `help:"Highest fee rate on chains of coins, up to 500000, which is also what it is where left out." env:"STRONGROOM_RATE_CEILING" placeholder:"CHAIN=RATE"`
	RateRelay   map[string]uint64 `help:"Rate at which nodes of a chain of coins are paid for relaying a replacement; 1000 where left out." env:"STRONGROOM_RATE_RELAY" placeholder:"CHAIN=RATE"`
}

// Highest bounds that a setting may have: no adapter builds a transaction that
// pays more, and nobody means it.
const (
	maxGasCeiling  = 1_000_000 // gwei
	maxRateCeiling = 500_000
	gwei           = 1_000_000_000
)

// errFeeSetting reports settings of fees that cannot be meant so.
var errFeeSetting = errors.New("fee settings")

// policies returns the bounds of each chain that has a native asset.
func (f feeFlags) policies(adapters map[chainadapters.ChainID]chainadapters.Adapter, known custody.Assets) (map[chainadapters.ChainID]feedesk.GasPolicy, map[chainadapters.ChainID]feedesk.RatePolicy, error) {
	gas, rates := map[chainadapters.ChainID]feedesk.GasPolicy{}, map[chainadapters.ChainID]feedesk.RatePolicy{}
	failed := []error{f.named(adapters)}
	for chain, adapter := range adapters {
		for _, info := range known.AssetsOf(chain) {
			if !info.IsNative() {
				continue
			}
			var err error
			if adapter.Family() == chainadapters.UTXO {
				rates[chain], err = f.rate(string(chain), info.Asset)
			} else {
				gas[chain], err = f.gasOf(string(chain), info.Asset)
			}
			if err != nil {
				failed = append(failed, fmt.Errorf("%w of %s: %w", errFeeSetting, chain, err))
			}
		}
	}
	return gas, rates, errors.Join(failed...)
}

// named refuses settings of chains that are not there, or are of the other family.
func (f feeFlags) named(adapters map[chainadapters.ChainID]chainadapters.Adapter) error {
	var failed []error
	look := func(flag string, names []string, families ...chainadapters.Family) {
		for _, name := range names {
			adapter, served := adapters[chainadapters.ChainID(name)]
			if !served || !slices.Contains(families, adapter.Family()) {
				failed = append(failed, fmt.Errorf("%w: --%s names %q, which is no chain that it could be for", errFeeSetting, flag, name))
			}
		}
	}
	look("fee-budget", slices.Sorted(maps.Keys(f.FeeBudget)), chainadapters.Account, chainadapters.UTXO)
	look("gas-ceiling", slices.Sorted(maps.Keys(f.GasCeiling)), chainadapters.Account)
	look("gas-tip-floor", slices.Sorted(maps.Keys(f.GasTipFloor)), chainadapters.Account)
	look("rate-floor", slices.Sorted(maps.Keys(f.RateFloor)), chainadapters.UTXO)
	look("rate-ceiling", slices.Sorted(maps.Keys(f.RateCeiling)), chainadapters.UTXO)
	look("rate-relay", slices.Sorted(maps.Keys(f.RateRelay)), chainadapters.UTXO)
	return errors.Join(failed...)
}

func (f feeFlags) pace() feedesk.Pace {
	return feedesk.Pace{Step: f.FeeStep, Patience: f.FeePatience, Deadline: f.FeeDeadline}
}

// budget sets into where the operator says what a payment may cost.
func (f feeFlags) budget(chain string, native money.Asset, into *money.Units) error {
	text, set := f.FeeBudget[chain]
	if !set {
		return nil
	}
	amount, err := native.Parse(text)
	if err != nil {
		return fmt.Errorf("--fee-budget %q: %w", text, err)
	}
	*into = amount
	return nil
}

func (f feeFlags) gasOf(chain string, native money.Asset) (feedesk.GasPolicy, error) {
	p := feedesk.DefaultGas()
	p.Pace = f.pace()
	if ceiling, set := f.GasCeiling[chain]; set {
		if ceiling > maxGasCeiling {
			return p, fmt.Errorf("--gas-ceiling %d is above %d", ceiling, maxGasCeiling)
		}
		p.Ceiling = money.FromUint64(ceiling * gwei)
	}
	if floor, set := f.GasTipFloor[chain]; set {
		p.TipFloor = money.FromUint64(floor)
	}
	if err := f.budget(chain, native, &p.Budget); err != nil {
		return p, err
	}
	return p, p.Check()
}

func (f feeFlags) rate(chain string, native money.Asset) (feedesk.RatePolicy, error) {
	p := feedesk.DefaultRate()
	p.Pace = f.pace()
	for of, into := range map[*map[string]uint64]*uint64{&f.RateFloor: &p.Floor, &f.RateCeiling: &p.Ceiling, &f.RateRelay: &p.Relay} {
		if set, ok := (*of)[chain]; ok {
			*into = set
		}
	}
	if p.Ceiling > maxRateCeiling {
		return p, fmt.Errorf("--rate-ceiling %d is above %d", p.Ceiling, maxRateCeiling)
	}
	if err := f.budget(chain, native, &p.Budget); err != nil {
		return p, err
	}
	return p, p.Check()
}
