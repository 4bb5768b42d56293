package engine

import "math/bits"

// Amount is a quantity of an asset in its base units: an unsigned 128-bit integer.
type Amount struct{ Hi, Lo uint64 } //nolint:recvcheck // a value to others; sums in place are the hot path

// IsZero reports whether a is nothing.
func (a Amount) IsZero() bool { return a.Hi|a.Lo == 0 }

// Less reports whether a is smaller than b.
func (a Amount) Less(b Amount) bool { return a.Hi < b.Hi || a.Hi == b.Hi && a.Lo < b.Lo }

// Add returns a+b; ok is false where the sum does not fit.
func (a Amount) Add(b Amount) (sum Amount, ok bool) {
	var carry uint64
	sum.Lo, carry = bits.Add64(a.Lo, b.Lo, 0)
	sum.Hi, carry = bits.Add64(a.Hi, b.Hi, carry)
	return sum, carry == 0
}

// Sub returns a-b; ok is false where b is greater.
func (a Amount) Sub(b Amount) (rest Amount, ok bool) {
	var borrow uint64
	rest.Lo, borrow = bits.Sub64(a.Lo, b.Lo, 0)
	rest.Hi, borrow = bits.Sub64(a.Hi, b.Hi, borrow)
	return rest, borrow == 0
}
