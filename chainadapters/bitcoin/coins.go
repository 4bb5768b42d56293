package bitcoin

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"strongroom/chainadapters"
)

// maxTries bounds the search for a selection without change.
const maxTries = 20_000

// candidate is a coin with what it is worth after the fee for spending it.
type candidate struct {
	coin  chainadapters.Coin
	worth uint64
}

// SelectCoins implements the port. It first looks for coins that fit payments
// and fee so closely that change would not pay for itself (depth-first over the
// coins from the largest down, a bounded number of steps); otherwise it takes
// the largest coins until they cover everything. Coins that cost more than they
// bring are left alone. The answer is ordered by outpoint (BIP 69).
func (a *Adapter) SelectCoins(available []chainadapters.Coin, payments []chainadapters.Payment, fee chainadapters.Fee) ([]chainadapters.Coin, error) {
	if err := checkRate(fee); err != nil {
		return nil, err
	}
	outs, err := a.outputs(payments)
	if err != nil {
		return nil, err
	}
	inputFee := feeFor(inputWeight, fee.SatPerKVB) + 1 // one for rounding
	candidates, err := a.candidates(available, inputFee)
	if err != nil {
		return nil, err
	}
	// The count of inputs takes up to three bytes: reckon with all of them.
	need, err := sumOf(append(valuesOf(outs), feeFor(weightOf(0, outs)+2*perByte, fee.SatPerKVB))...)
	if err != nil {
		return nil, err
	}
	slack := dustSatoshi - 1 + feeFor(changeWeight, fee.SatPerKVB)
	chosen := exact(candidates, need, need+slack)
	if chosen == nil {
		chosen = largestFirst(candidates, need)
	}
	if chosen == nil {
		return nil, fmt.Errorf("select coins: %w: %d sat and fee of %d coins", chainadapters.ErrFunds, need, len(available))
	}
	return inOrder(chosen), nil
}

// candidates checks the coins and orders them by worth, largest first.
func (a *Adapter) candidates(available []chainadapters.Coin, inputFee uint64) ([]candidate, error) {
	all := make([]candidate, 0, len(available))
	seen := make(map[chainadapters.Outpoint]bool, len(available))
	for _, coin := range available {
		amount, err := a.checkCoin(coin)
		if err != nil {
			return nil, err
		}
		if seen[coin.Outpoint] {
			return nil, fmt.Errorf("%w: coin %s:%d is there twice", chainadapters.ErrPlan, coin.TxID, coin.Vout)
		}
		seen[coin.Outpoint] = true
		if amount > inputFee {
			all = append(all, candidate{coin, amount - inputFee})
		}
	}
	slices.SortFunc(all, func(x, y candidate) int {
		return cmp.Or(cmp.Compare(y.worth, x.worth), byOutpoint(x.coin, y.coin))
	})
	return all, nil
}

var errSpent = errors.New("search is over")

// exact finds coins worth between low and high, or nil. Each step decides about
// one coin: with it, then without.
func exact(all []candidate, low, high uint64) []candidate {
	rest := make([]uint64, len(all)+1) // worth of all coins from i on
	for i := len(all) - 1; i >= 0; i-- {
		rest[i] = rest[i+1] + all[i].worth
	}
	tries := 0
	var picked []candidate
	var walk func(i int, sum uint64) error
	walk = func(i int, sum uint64) error {
		if tries++; tries > maxTries {
			return errSpent
		}
		if sum >= low {
			return nil
		}
		if i == len(all) || sum+rest[i] < low || len(picked) == maxInputs {
			return errNone
		}
		if sum+all[i].worth <= high {
			picked = append(picked, all[i])
			if err := walk(i+1, sum+all[i].worth); !errors.Is(err, errNone) {
				return err
			}
			picked = picked[:len(picked)-1]
		}
		return walk(i+1, sum)
	}
	if walk(0, 0) != nil {
		return nil
	}
	return picked
}

var errNone = errors.New("no selection from here")

func largestFirst(all []candidate, need uint64) []candidate {
	var sum uint64
	for i, c := range all {
		if i == maxInputs {
			return nil
		}
		if sum += c.worth; sum >= need {
			return all[:i+1]
		}
	}
	return nil
}

func inOrder(chosen []candidate) []chainadapters.Coin {
	coins := make([]chainadapters.Coin, len(chosen))
	for i, c := range chosen {
		coins[i] = c.coin
	}
	slices.SortFunc(coins, byOutpoint)
	return coins
}

func byOutpoint(x, y chainadapters.Coin) int {
	return cmp.Or(cmp.Compare(x.TxID, y.TxID), cmp.Compare(x.Vout, y.Vout))
}
