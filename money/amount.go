package money

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// Errors of the decimal grammar.
var (
	// ErrSyntax reports text outside the grammar.
	ErrSyntax = errors.New("not a plain decimal number")
	// ErrScale reports more decimals than the asset has.
	ErrScale = errors.New("more decimals than the asset has")
)

// Bounds of the decimal grammar `(0|[1-9]\d{0,29})(\.\d{1,18})?`.
const (
	maxAmountText    = 40
	maxWholeDigits   = 30
	maxDecimalDigits = 18
)

// Asset names what is counted and how many decimals one whole of it has.
// The code is unique on the platform; where an asset lives on several chains,
// each has a code of its own.
type Asset struct {
	Code  string `json:"code"`
	Scale uint8  `json:"scale"`
}

// Amount is a number of base units of one asset.
type Amount struct {
	Asset Asset
	Units Units
}

// Parse reads a decimal number of wholes, such as "1.5", as base units of a.
// The grammar is `(0|[1-9]\d{0,29})(\.\d{1,18})?` in at most 40 characters: no
// sign, no exponent, no space. Errors wrap ErrSyntax, ErrScale or ErrRange;
// trailing zeros beyond the scale are refused too, for what cannot be paid must
// not be asked.
func (a Asset) Parse(s string) (Units, error) {
	whole, decimals, err := splitDecimal(s)
	if err != nil {
		return Units{}, err
	}
	if len(decimals) > int(a.Scale) {
		return Units{}, fmt.Errorf("%w: %s takes at most %d", ErrScale, a.Code, a.Scale)
	}
	digits := strings.TrimLeft(whole+decimals+strings.Repeat("0", int(a.Scale)-len(decimals)), "0")
	if digits == "" {
		return Units{}, nil
	}
	return ParseUnits(digits)
}

// Format returns u as a decimal number of wholes without trailing zeros.
func (a Asset) Format(u Units) string {
	digits := u.String()
	if a.Scale == 0 {
		return digits
	}
	if pad := int(a.Scale) + 1 - len(digits); pad > 0 {
		digits = strings.Repeat("0", pad) + digits
	}
	point := len(digits) - int(a.Scale)
	return strings.TrimSuffix(digits[:point]+"."+strings.TrimRight(digits[point:], "0"), ".")
}

// String returns the amount with its asset code: "1.5 BTC".
func (a Amount) String() string { return a.Asset.Format(a.Units) + " " + a.Asset.Code }

// splitDecimal returns the digits before and after the point of s, or ErrSyntax.
func splitDecimal(s string) (whole, decimals string, err error) {
	whole, decimals, point := strings.Cut(s, ".")
	switch {
	case len(s) > maxAmountText,
		whole == "" || len(whole) > maxWholeDigits || !allDigits(whole),
		len(whole) > 1 && whole[0] == '0',
		point && (decimals == "" || len(decimals) > maxDecimalDigits || !allDigits(decimals)):
		return "", "", fmt.Errorf("%w: %.48q", ErrSyntax, s)
	}
	return whole, decimals, nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }
