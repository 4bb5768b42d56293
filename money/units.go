// Package money counts things of value in whole base units (satoshi, wei,
// cents) and converts them to and from text. It never uses a float, never
// rounds without being told the direction, and imports nothing of the platform.
package money

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/holiman/uint256"
)

// ErrRange reports a result that does not fit 256 bits, or that would be negative.
var ErrRange = errors.New("amount out of range")

// Units is an unsigned number of base units. It is a plain value: it can be
// copied, compared with == and used as a map key. Direction (debit or credit)
// is told beside it, never by a sign.
type Units struct{ n uint256.Int }

// FromUint64 returns n units.
func FromUint64(n uint64) Units { return Units{*uint256.NewInt(n)} }

// FromBig returns b units, or ErrRange where b is negative or exceeds 256 bits.
func FromBig(b *big.Int) (Units, error) {
	var u Units
	if b == nil || b.Sign() < 0 || u.n.SetFromBig(b) {
		return Units{}, ErrRange
	}
	return u, nil
}

// FromBytes32 reads 32 bytes, most significant first.
func FromBytes32(b [32]byte) Units {
	var u Units
	u.n.SetBytes32(b[:])
	return u
}

// ParseUnits reads a whole number of base units in canonical form: digits only,
// no sign, no leading zero. Errors wrap ErrSyntax or ErrRange.
func ParseUnits(s string) (Units, error) {
	if !canonicalInteger(s) {
		return Units{}, fmt.Errorf("parse units %.40q: %w", s, ErrSyntax)
	}
	var u Units
	if err := u.n.SetFromDecimal(s); err != nil {
		return Units{}, fmt.Errorf("parse units %.40q: %w", s, ErrRange)
	}
	return u, nil
}

func canonicalInteger(s string) bool {
	if s == "" || len(s) > maxUnitsDigits || (s[0] == '0' && len(s) > 1) {
		return false
	}
	return allDigits(s)
}

// maxUnitsDigits is the length of 2^256-1 in decimal.
const maxUnitsDigits = 78

// Add returns u+v, or ErrRange where the sum does not fit.
func (u Units) Add(v Units) (Units, error) {
	var r Units
	if _, over := r.n.AddOverflow(&u.n, &v.n); over {
		return Units{}, ErrRange
	}
	return r, nil
}

// Sub returns u-v, or ErrRange where v exceeds u.
func (u Units) Sub(v Units) (Units, error) {
	var r Units
	if _, under := r.n.SubOverflow(&u.n, &v.n); under {
		return Units{}, ErrRange
	}
	return r, nil
}

// SubFloor returns u-v, or zero where v exceeds u.
func (u Units) SubFloor(v Units) Units {
	if u.Less(v) {
		return Units{}
	}
	var r Units
	r.n.Sub(&u.n, &v.n)
	return r
}

// Mul returns u*k, or ErrRange where the product does not fit.
func (u Units) Mul(k uint64) (Units, error) {
	var r Units
	if _, over := r.n.MulOverflow(&u.n, uint256.NewInt(k)); over {
		return Units{}, ErrRange
	}
	return r, nil
}

// MulDiv returns u*num/den with a 512-bit intermediate, rounded as told.
// It returns ErrRange where den is zero or the result does not fit.
func (u Units) MulDiv(num, den Units, round Rounding) (Units, error) {
	if den.IsZero() {
		return Units{}, ErrRange
	}
	product := new(big.Int).Mul(u.n.ToBig(), num.n.ToBig())
	quotient, rest := new(big.Int).QuoRem(product, den.n.ToBig(), new(big.Int))
	if round.up(quotient, rest, den.n.ToBig()) {
		quotient.Add(quotient, big.NewInt(1))
	}
	return FromBig(quotient)
}

// Cmp returns -1, 0 or 1 as u is less than, equal to or greater than v.
func (u Units) Cmp(v Units) int { return u.n.Cmp(&v.n) }

// Less reports whether u < v.
func (u Units) Less(v Units) bool { return u.n.Lt(&v.n) }

// IsZero reports whether u is nothing.
func (u Units) IsZero() bool { return u.n.IsZero() }

// Uint64 returns u, and whether it fits 64 bits.
func (u Units) Uint64() (uint64, bool) { return u.n.Uint64(), u.n.IsUint64() }

// Big returns u as a new big integer.
func (u Units) Big() *big.Int { return u.n.ToBig() }

// Bytes32 returns u as 32 bytes, most significant first.
func (u Units) Bytes32() [32]byte { return u.n.Bytes32() }

// String returns the base-10 form.
func (u Units) String() string { return u.n.Dec() }

// MarshalText implements encoding.TextMarshaler: a JSON value is a string.
func (u Units) MarshalText() ([]byte, error) { return []byte(u.n.Dec()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (u *Units) UnmarshalText(b []byte) (err error) {
	*u, err = ParseUnits(string(b))
	return err
}

// Min returns the lesser of u and v.
func Min(u, v Units) Units {
	if v.Less(u) {
		return v
	}
	return u
}

// Sum adds all of us, or returns ErrRange where the sum does not fit.
func Sum(us ...Units) (Units, error) {
	var total Units
	for _, u := range us {
		var err error
		if total, err = total.Add(u); err != nil {
			return Units{}, err
		}
	}
	return total, nil
}
