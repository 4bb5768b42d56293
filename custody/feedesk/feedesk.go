// Package feedesk decides what the house bids for a place in a block: the first
// fee of a payment, and each further one while it waits. It is pure arithmetic on
// quotes, limits and time: it asks no node, reads no clock and keeps no state, so
// that every bid can be computed again from what was recorded. It never bids
// above its limits and never below what nodes accept as a replacement.
package feedesk

import (
	"errors"
	"fmt"
	"time"

	"strongroom/money"
)

// ErrPolicy reports limits that contradict each other, or that no node would obey.
var ErrPolicy = errors.New("fee policy is not valid")

// Thousand is the unit of steps and urgency: parts of a thousand.
const Thousand = 1_000

// MinStep is the least raise of a bid, in thousandths. Nodes of the Ethereum
// family replace a transaction for 10 % more on tip and cap; some pools ask 12.5 %.
const MinStep = 125

// maxStep bounds a raise to tenfold, in thousandths.
const maxStep = 9_000

// Move is what to do about a payment that waits.
type Move uint8

// The moves.
const (
	Wait Move = iota + 1 // the bid that is out is good, or young
	Bid                  // send a replacement with the fee beside it
	Stop                 // the limit is reached: only the market or a person can help
)

// String returns the move's name.
func (m Move) String() string {
	switch m {
	case Wait:
		return "wait"
	case Bid:
		return "bid"
	case Stop:
		return "stop"
	}
	return fmt.Sprintf("move %d", uint8(m))
}

// Pace says when a bid is raised, and by how much at least.
type Pace struct {
	// Step is the least raise in thousandths; MinStep at least.
	Step uint64
	// Patience is how long a bid may wait before it is raised.
	Patience time.Duration
	// Deadline is the age at which a payment counts as fully urgent: from then on
	// it bids twice the market.
	Deadline time.Duration
}

func (p Pace) check() error {
	if p.Step < MinStep || p.Step > maxStep || p.Patience <= 0 || p.Deadline <= 0 {
		return fmt.Errorf("%w: step %d‰, patience %s, deadline %s", ErrPolicy, p.Step, p.Patience, p.Deadline)
	}
	return nil
}

// Urgency is how pressing a payment of an age is, in thousandths: nothing when it
// is new, a thousand from the deadline on, in proportion between.
func (p Pace) Urgency(age time.Duration) uint64 {
	switch {
	case age <= 0:
		return 0
	case age >= p.Deadline:
		return Thousand
	}
	part := max(p.Deadline/Thousand, 1)
	return min(uint64(age/part), Thousand) //nolint:gosec // age is above zero
}

// Clock is where a payment stands in time.
type Clock struct {
	Age  time.Duration // since its first bid
	Last time.Duration // since its newest bid
}

// raised returns u and a part of it in thousandths on top, rounded up, or limit
// where that is less or does not fit.
func raised(u money.Units, thousandths uint64, limit money.Units) money.Units {
	more, err := u.MulDiv(money.FromUint64(Thousand+thousandths), money.FromUint64(Thousand), money.Up)
	if err != nil {
		return limit
	}
	return money.Min(more, limit)
}

// step returns the least replacement of u; ok is false where it is above limit.
func step(u money.Units, thousandths uint64, limit money.Units) (next money.Units, ok bool) {
	next, err := u.MulDiv(money.FromUint64(Thousand+thousandths), money.FromUint64(Thousand), money.Up)
	if err != nil || limit.Less(next) {
		return limit, false
	}
	if next == u { // of nothing, the least is something
		next = money.FromUint64(1)
	}
	return next, !limit.Less(next)
}

func atLeast(u, floor money.Units) money.Units {
	if u.Less(floor) {
		return floor
	}
	return u
}
