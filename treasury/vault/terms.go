package vault

import (
	"fmt"

	"strongroom/money"
)

const wholeShare = 10_000 // basis points

// Terms are what moves of one asset keep to.
type Terms struct {
	// Limit is the most that one transaction may move, by the policy; zero: no limit.
	Limit money.Units `json:"limit"`
	// Fee is the most that the network takes for one transaction out of the vault that
	// pays, in units of this asset; zero where fees are paid in another one.
	Fee money.Units `json:"fee"`
	// FeeShare is the most that Fee may be of what a transaction moves, in basis points.
	FeeShare uint64 `json:"feeShare"`
	// Least is the least that is worth a move, whatever its fee.
	Least money.Units `json:"least"`
}

// Check reports what contradicts itself. Errors: ErrInvalid, with the field.
func (t Terms) Check() error {
	if t.FeeShare < 1 || t.FeeShare > wholeShare {
		return fmt.Errorf("%w: terms: feeShare %d: 1 to %d basis points", ErrInvalid, t.FeeShare, wholeShare)
	}
	least, err := t.Worth()
	if err != nil {
		return err
	}
	twice, err := least.Mul(2)
	if err == nil && !t.Limit.IsZero() && t.Limit.Less(twice) {
		return fmt.Errorf("%w: terms: limit: at least %s, twice what is worth a move, or zero for none", ErrInvalid, twice)
	}
	if err == nil {
		_, err = t.Limit.Add(t.Fee)
	}
	if err != nil {
		return fmt.Errorf("%w: terms: limit: %w", ErrInvalid, err)
	}
	return nil
}

// Worth is the least that is moved: Least, or what Fee is the allowed share of.
// Errors: ErrInvalid.
func (t Terms) Worth() (money.Units, error) {
	byFee, err := t.Fee.MulDiv(money.FromUint64(wholeShare), money.FromUint64(t.FeeShare), money.Up)
	if err != nil {
		return money.Units{}, fmt.Errorf("%w: terms: fee: %w", ErrInvalid, err)
	}
	if byFee.Less(t.Least) {
		byFee = t.Least
	}
	if byFee.IsZero() {
		byFee = money.FromUint64(1)
	}
	return byFee, nil
}

// reserve is more than the fees that one plan may leave unspent in a hot vault.
func (t Terms) reserve() (money.Units, error) {
	return t.Fee.Mul(MaxParts + 1)
}

// net is the most that arrives when a vault gives up gross, in at most parts
// transactions.
func (t Terms) net(gross money.Units, parts int) (money.Units, error) {
	if parts <= 0 {
		return money.Units{}, nil
	}
	if t.Limit.IsZero() {
		return gross.SubFloor(t.Fee), nil
	}
	each, err := t.Limit.Add(t.Fee)
	if err != nil {
		return money.Units{}, err
	}
	full, err := gross.MulDiv(money.FromUint64(1), each, money.Down)
	if err != nil {
		return money.Units{}, err
	}
	n, small := full.Uint64()
	if most := uint64(parts); !small || n >= most {
		return t.Limit.Mul(most)
	}
	used, err := each.Mul(n)
	if err != nil {
		return money.Units{}, err
	}
	whole, err := t.Limit.Mul(n)
	if err != nil {
		return money.Units{}, err
	}
	return whole.Add(gross.SubFloor(used).SubFloor(t.Fee))
}

// split cuts what moves into transactions of nearly the same size, because a small
// last one would not be worth its fee.
func (t Terms) split(amount money.Units) ([]money.Units, error) {
	n := uint64(1)
	if !t.Limit.IsZero() {
		count, err := amount.MulDiv(money.FromUint64(1), t.Limit, money.Up)
		if err != nil {
			return nil, err
		}
		few, fits := count.Uint64()
		if n = few; !fits || n > MaxParts {
			return nil, fmt.Errorf("%w: %s is more than %d transactions of %s", ErrInvalid, amount, MaxParts, t.Limit)
		}
	}
	each, err := amount.MulDiv(money.FromUint64(1), money.FromUint64(n), money.Down)
	if err != nil {
		return nil, err
	}
	whole, err := each.Mul(n)
	if err != nil {
		return nil, err
	}
	rest, _ := amount.SubFloor(whole).Uint64() // less than n
	parts := make([]money.Units, n)
	for i := range parts {
		parts[i] = each
		if uint64(i) < rest {
			if parts[i], err = each.Add(money.FromUint64(1)); err != nil {
				return nil, err
			}
		}
	}
	return parts, nil
}
