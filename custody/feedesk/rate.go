package feedesk

import (
	"fmt"

	"strongroom/money"
)

// perKVB is the size that rates are told for, in virtual bytes.
const perKVB = 1_000

// maxSize bounds a transaction, in virtual bytes: nodes relay none that is larger.
const maxSize = 100_000

// RatePolicy bounds bids on chains where a transaction pays by its size. Rates are
// in native units per 1,000 virtual bytes.
type RatePolicy struct {
	Pace

	Floor   uint64 // least rate
	Ceiling uint64 // highest rate
	// Relay is the rate at which nodes are paid for relaying a replacement
	// (BIP 125, rule 4).
	Relay uint64
	// Budget is the most that one payment may cost, in native units.
	Budget money.Units
}

// Check returns ErrPolicy where no bid could be made.
func (p RatePolicy) Check() error {
	if p.Floor == 0 || p.Ceiling < p.Floor || p.Budget.IsZero() {
		return fmt.Errorf("%w: floor %d, ceiling %d, budget %s", ErrPolicy, p.Floor, p.Ceiling, p.Budget)
	}
	return p.check()
}

// Limit is the highest rate for a size: the ceiling, or what the budget pays for.
func (p RatePolicy) Limit(size uint64) uint64 {
	if size == 0 || size > maxSize {
		return 0
	}
	affordable, err := p.Budget.MulDiv(money.FromUint64(perKVB), money.FromUint64(size), money.Down)
	if err != nil {
		return p.Ceiling // more than any amount of 256 bits
	}
	if rate, fits := affordable.Uint64(); fits {
		return min(rate, p.Ceiling)
	}
	return p.Ceiling
}

// First is the rate with which a payment begins. The move is Stop where the
// limit is below the floor.
func (p RatePolicy) First(market, size uint64) (Move, uint64) {
	limit := p.Limit(size)
	if limit < p.Floor {
		return Stop, 0
	}
	return Bid, min(max(market, p.Floor), limit)
}

// RateBid is a payment that waits.
type RateBid struct {
	Rate   uint64      // newest bid
	Fee    money.Units // what it pays in all, with everything that a replacement would evict
	Size   uint64      // of the replacement, in virtual bytes, at most
	Market uint64      // what a payment would bid now
	Clock  Clock
	// What it hangs on and has to pull along: payments that wait and cannot be
	// replaced themselves, because it spends their change.
	ParentFee  money.Units
	ParentSize uint64 // virtual bytes
}

// Next decides about a payment that waits. A bid satisfies BIP 125: a higher rate
// by the step at least, and a fee that covers what it evicts and its own relay.
// The last rung below the limit is the limit itself, after which it stops.
func (p RatePolicy) Next(b RateBid) (Move, uint64) {
	limit := p.Limit(b.Size)
	least, ok := p.least(b, limit)
	if !ok {
		return Stop, 0
	}
	if b.Clock.Last < p.Patience {
		return Wait, 0
	}
	market := min(max(b.Market, p.Floor), limit)
	wanted := raisedRate(market, p.Urgency(b.Clock.Age), limit)
	rate := max(wanted, least, p.forParents(b, wanted, limit))
	above := b
	above.Rate, above.Fee = rate, FeeAt(rate, b.Size)
	if _, more := p.least(above, limit); !more {
		rate = limit
	}
	return Bid, rate
}

// forParents is the rate of a child that brings it and what it hangs on to the
// wanted rate together, or the limit where that is less.
func (p RatePolicy) forParents(b RateBid, wanted, limit uint64) uint64 {
	if b.ParentSize == 0 {
		return 0
	}
	move, fee := p.ChildFee(Package{ParentFee: b.ParentFee, ParentSize: b.ParentSize, ChildSize: b.Size, Rate: wanted})
	if move != Bid {
		return limit
	}
	rate, err := RateOf(fee, b.Size)
	if err != nil {
		return limit
	}
	return min(rate, limit)
}

// least is the lowest rate that replaces a bid; false where it is above limit.
func (p RatePolicy) least(b RateBid, limit uint64) (uint64, bool) {
	if limit == 0 {
		return 0, false
	}
	byRate, ok := step(money.FromUint64(b.Rate), p.Step, money.FromUint64(limit))
	if !ok {
		return 0, false
	}
	must, err := b.Fee.Add(FeeAt(p.Relay, b.Size))
	if err != nil {
		return 0, false
	}
	byFee, err := must.MulDiv(money.FromUint64(perKVB), money.FromUint64(b.Size), money.Up)
	if err != nil || money.FromUint64(limit).Less(byFee) {
		return 0, false
	}
	rate, _ := atLeast(byRate, byFee).Uint64() // both are at most limit
	return rate, true
}

func raisedRate(rate, thousandths, limit uint64) uint64 {
	next, _ := raised(money.FromUint64(rate), thousandths, money.FromUint64(limit)).Uint64()
	return next
}

// FeeAt is what a size costs at a rate, rounded up. Both are below 2⁶⁴, so that
// it always fits.
func FeeAt(rate, size uint64) money.Units {
	fee, err := money.FromUint64(rate).MulDiv(money.FromUint64(size), money.FromUint64(perKVB), money.Up)
	if err != nil { // 2¹²⁸ fits 256 bits
		return money.Units{}
	}
	return fee
}

// RateOf is the rate that a fee comes to for a size, rounded up; ErrPolicy where
// it is not a rate that anybody pays.
func RateOf(fee money.Units, size uint64) (uint64, error) {
	rate, err := fee.MulDiv(money.FromUint64(perKVB), money.FromUint64(size), money.Up)
	if err != nil {
		return 0, fmt.Errorf("%w: fee of %s for %d bytes: %w", ErrPolicy, fee, size, err)
	}
	n, fits := rate.Uint64()
	if !fits {
		return 0, fmt.Errorf("%w: fee of %s for %d bytes", ErrPolicy, fee, size)
	}
	return n, nil
}

// Package is a waiting parent and the child that is to pay for both.
type Package struct {
	ParentFee  money.Units
	ParentSize uint64 // virtual bytes
	ChildSize  uint64 // virtual bytes
	Rate       uint64 // what both together are to pay
}

// ChildFee is what a child must pay so that it and its parent have the rate
// together, miners taking either both or none. It pays for its own relay at least.
// The move is Stop where the policy does not allow that much.
func (p RatePolicy) ChildFee(k Package) (Move, money.Units) {
	limit := p.Limit(k.ChildSize)
	if limit == 0 || k.ParentSize > maxSize || k.Rate > p.Ceiling {
		return Stop, money.Units{}
	}
	both := FeeAt(k.Rate, k.ParentSize+k.ChildSize)
	fee := atLeast(both.SubFloor(k.ParentFee), FeeAt(max(p.Relay, p.Floor), k.ChildSize))
	if p.Budget.Less(fee) {
		return Stop, money.Units{}
	}
	return Bid, fee
}
