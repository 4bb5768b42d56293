package desk

import (
	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/feedesk"
	"strongroom/money"
)

// gas returns the bounds of bids on an account chain.
func (d *Desk) gas(chain chainadapters.ChainID) feedesk.GasPolicy {
	if policy, ok := d.cfg.Gas[chain]; ok {
		return policy
	}
	return feedesk.DefaultGas()
}

// rates returns the bounds of bids on a chain of coins.
func (d *Desk) rates(chain chainadapters.ChainID) feedesk.RatePolicy {
	if policy, ok := d.cfg.Rates[chain]; ok {
		return policy
	}
	return feedesk.DefaultRate()
}

// firstGas returns the bid with which a payment on an account chain begins, or
// ErrFees. A collection pays out of what was left for it, which is no more than was
// quoted: no floor raises it.
func (d *Desk) firstGas(r *custodydb.IntentRow, market chainadapters.Fee) (chainadapters.Fee, error) {
	policy := d.gas(r.Chain)
	if r.Kind == custody.IntentCollect {
		policy.TipFloor = money.Units{}
	}
	move, fee := policy.First(market)
	if move != feedesk.Bid {
		return fee, ErrFees
	}
	return fee, nil
}

// affordable returns ErrFees where the market is above every bid.
func affordable(policy feedesk.RatePolicy, market chainadapters.Fee) error {
	if policy.Ceiling < market.SatPerKVB {
		return ErrFees
	}
	return nil
}
