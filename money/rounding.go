package money

import "math/big"

// Rounding names where the part that cannot be represented goes.
type Rounding uint8

// Directions of rounding. There is no default: a caller decides who bears it.
const (
	// Down drops the rest: for what the house pays.
	Down Rounding = iota + 1
	// Up takes one more unit for any rest: for what the house charges.
	Up
	// HalfEven goes to the nearest unit and on a tie to the even one: for
	// figures that are reported and move no value.
	HalfEven
)

// up reports whether quotient grows by one, given the rest of a division by den.
func (r Rounding) up(quotient, rest, den *big.Int) bool {
	if rest.Sign() == 0 {
		return false
	}
	switch r {
	case Down:
		return false
	case Up:
		return true
	case HalfEven:
		twice := new(big.Int).Lsh(rest, 1).Cmp(den)
		return twice > 0 || (twice == 0 && quotient.Bit(0) == 1)
	}
	panic("money: rounding without a direction")
}
