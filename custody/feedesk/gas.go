package feedesk

import (
	"fmt"

	"strongroom/chainadapters"
	"strongroom/money"
)

// GasPolicy bounds bids on chains with a base fee (EIP-1559). Prices are in native
// units per gas.
type GasPolicy struct {
	Pace

	TipFloor money.Units // least tip that is worth sending
	Ceiling  money.Units // most for the fee cap, and so for the tip
	// Budget is the most that one payment may cost, in native units: whichever of
	// its attempts is mined, only one can be.
	Budget money.Units
}

// Check returns ErrPolicy where no bid could be made.
func (p GasPolicy) Check() error {
	if p.Ceiling.IsZero() || p.Budget.IsZero() || p.Ceiling.Less(p.TipFloor) {
		return fmt.Errorf("%w: tip floor %s, ceiling %s, budget %s", ErrPolicy, p.TipFloor, p.Ceiling, p.Budget)
	}
	return p.check()
}

// Limit is the highest fee cap for a gas limit: the ceiling, or what the budget
// pays for. Zero where the budget does not pay for one unit a gas.
func (p GasPolicy) Limit(gas uint64) money.Units {
	if gas == 0 {
		return money.Units{}
	}
	affordable, err := p.Budget.MulDiv(money.FromUint64(1), money.FromUint64(gas), money.Down)
	if err != nil {
		return money.Units{}
	}
	return money.Min(affordable, p.Ceiling)
}

// First is the bid with which a payment begins: the market's, within floor and
// limit. The move is Stop where the limit allows no bid at all.
func (p GasPolicy) First(market chainadapters.Fee) (Move, chainadapters.Fee) {
	limit := p.Limit(market.GasLimit)
	if limit.IsZero() || limit.Less(p.TipFloor) {
		return Stop, chainadapters.Fee{}
	}
	return Bid, p.target(market, 0, limit)
}

// target is what the market asks of a payment with this urgency, within limits.
func (p GasPolicy) target(market chainadapters.Fee, urgency uint64, limit money.Units) chainadapters.Fee {
	tip := raised(money.Min(atLeast(market.TipCap, p.TipFloor), limit), urgency, limit)
	fee := raised(money.Min(market.FeeCap, limit), urgency, limit)
	return chainadapters.Fee{GasLimit: market.GasLimit, TipCap: tip, FeeCap: atLeast(fee, tip)}
}

// GasBid is a payment that waits.
type GasBid struct {
	Last    chainadapters.Fee // newest bid; its gas limit stays
	Market  chainadapters.Fee // what a payment would bid now
	BaseFee money.Units       // of the newest block
	Clock   Clock
}

// Underwater reports whether no block may take the bid: its cap does not reach the
// base fee.
func (b GasBid) Underwater() bool { return b.Last.FeeCap.Less(b.BaseFee) }

// Next decides about a payment that waits. A bid replaces the newest one by the
// rule of nodes: same nonce, tip and cap each higher by the step at least. The
// last rung below the limit is the limit itself, after which it stops.
func (p GasPolicy) Next(b GasBid) (Move, chainadapters.Fee) {
	limit := p.Limit(b.Last.GasLimit)
	leastCap, ok := step(b.Last.FeeCap, p.Step, limit)
	if !ok {
		return Stop, chainadapters.Fee{}
	}
	leastTip, ok := step(b.Last.TipCap, p.Step, limit)
	if !ok {
		return Stop, chainadapters.Fee{}
	}
	if !b.Underwater() && b.Clock.Last < p.Patience {
		return Wait, chainadapters.Fee{}
	}
	market := b.Market
	market.GasLimit = b.Last.GasLimit
	fee := p.target(market, p.Urgency(b.Clock.Age), limit)
	fee.TipCap = atLeast(fee.TipCap, leastTip)
	fee.FeeCap = atLeast(atLeast(fee.FeeCap, leastCap), fee.TipCap)
	if _, more := step(fee.FeeCap, p.Step, limit); !more {
		fee.FeeCap = limit
	}
	return Bid, fee
}
