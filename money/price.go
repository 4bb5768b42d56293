package money

import (
	"fmt"
	"math/big"

	"github.com/shopspring/decimal"
)

// Price is how many wholes of the quote asset one whole of the base asset costs.
// It is exact: a decimal without binary fractions, always above zero.
type Price struct {
	Base, Quote Asset
	value       decimal.Decimal
}

// ParsePrice reads a price in the same strict grammar as an amount. Errors wrap
// ErrSyntax, or ErrRange for zero.
func ParsePrice(base, quote Asset, s string) (Price, error) {
	if _, _, err := splitDecimal(s); err != nil {
		return Price{}, err
	}
	value, err := decimal.NewFromString(s)
	if err != nil {
		return Price{}, fmt.Errorf("%w: %.48q", ErrSyntax, s)
	}
	if !value.IsPositive() {
		return Price{}, fmt.Errorf("price %s: %w", s, ErrRange)
	}
	return Price{Base: base, Quote: quote, value: value}, nil
}

// Cost returns what base units cost in units of the quote asset, rounded as
// told. It returns ErrRange where the result does not fit.
func (p Price) Cost(base Units, round Rounding) (Units, error) {
	num, den := p.ratio()
	num.Mul(num, base.Big())
	quotient, rest := new(big.Int).QuoRem(num, den, new(big.Int))
	if round.up(quotient, rest, den) {
		quotient.Add(quotient, big.NewInt(1))
	}
	return FromBig(quotient)
}

// ratio returns quote units per base unit as a fraction.
func (p Price) ratio() (num, den *big.Int) {
	num = new(big.Int).Mul(p.value.Coefficient(), pow10(int(p.Quote.Scale)))
	den = pow10(int(p.Base.Scale))
	if e := int(p.value.Exponent()); e < 0 {
		den.Mul(den, pow10(-e))
	} else {
		num.Mul(num, pow10(e))
	}
	return num, den
}

// String returns the price as a decimal number.
func (p Price) String() string { return p.value.String() }
