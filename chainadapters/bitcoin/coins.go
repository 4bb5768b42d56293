package bitcoin

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters"
)

// maxPending bounds how many transactions of ours that are in no block yet a new
// one may hang on. Nodes relay chains of up to 25 of them.
const maxPending = 24

// candidate is a coin with its amount as a number.
type candidate struct {
	coin   chainadapters.Coin
	amount uint64
}

// selection is some of the candidates, and what is wasted by spending them.
type selection struct {
	picked []candidate
	total  uint64
	waste  int64
}

// SelectCoins implements the port. Coins in blocks are tried first; only where
// they do not reach, change of ours that waits in the pool joins, the shortest
// chains first. Of one such set it weighs the best selection without change
// (branch and bound), the largest coins, and the largest with the last as small
// as will do, and takes the one that wastes least; of equals the one of fewer
// coins, then the one that ties up less. Coins that cost more than they bring are
// left alone. The answer is ordered by outpoint (BIP 69).
func (a *Adapter) SelectCoins(available []chainadapters.Coin, payments []chainadapters.Payment, fee chainadapters.Fee) ([]chainadapters.Coin, error) {
	if err := checkRate(fee); err != nil {
		return nil, err
	}
	outs, err := a.outputs(payments)
	if err != nil {
		return nil, err
	}
	paid, err := sumOf(valuesOf(outs)...)
	if err != nil {
		return nil, err
	}
	candidates, err := a.candidates(available, fee.SatPerKVB)
	if err != nil {
		return nil, err
	}
	t := newTable(paid, outs, fee.SatPerKVB, a.params.Dust)
	for _, tier := range tiers(candidates) {
		if best, found := t.choose(tier); found {
			return inOrder(best.picked), nil
		}
	}
	return nil, fmt.Errorf("select coins: %w: %d sat and fee of %d coins", chainadapters.ErrFunds, paid, len(available))
}

// candidates checks the coins and orders them by amount, largest first, the older
// of equals before the younger.
func (a *Adapter) candidates(available []chainadapters.Coin, rate uint64) ([]candidate, error) {
	inputFee := feeFor(inputWeight, rate) + 1 // one for rounding
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
		if amount > inputFee && coin.Pending <= maxPending {
			all = append(all, candidate{coin, amount})
		}
	}
	slices.SortFunc(all, func(x, y candidate) int {
		return cmp.Or(cmp.Compare(y.amount, x.amount), cmp.Compare(x.coin.Height, y.coin.Height), byOutpoint(x.coin, y.coin))
	})
	return all, nil
}

// tiers returns what may be selected from, in order: the coins in blocks, then
// these and the change that hangs on one transaction in the pool, on two, and so
// on, as long as all together hang on no more than nodes relay.
func tiers(all []candidate) [][]candidate {
	depths := map[uint32]bool{}
	for i := range all {
		depths[all[i].coin.Pending] = true
	}
	var list [][]candidate
	for depth := range uint32(maxPending + 1) {
		if !depths[depth] {
			continue
		}
		hangs := uint32(0)
		list = append(list, slices.DeleteFunc(slices.Clone(all), func(c candidate) bool {
			if p := c.coin.Pending; p > depth || hangs+p > maxPending {
				return true
			}
			hangs += c.coin.Pending
			return false
		}))
	}
	return list
}

// table is what a payment needs, by the number of coins that pay it.
type table struct {
	need [maxInputs + 1]uint64 // payments, and the fee without change
	keep [maxInputs + 1]uint64 // the least excess over need of which change is made
	rate uint64
	low  uint64 // no selection whose worth is less reaches
}

func newTable(paid uint64, outs []*wire.TxOut, rate, dust uint64) *table {
	t := &table{rate: rate, low: paid + weightOf(0, outs)*rate/(perByte*perKVB)}
	for n := range t.need {
		bare, with := feeFor(weightOf(n, outs), rate), feeFor(weightOf(n, outs)+changeWeightBeside(outs), rate)
		t.need[n], t.keep[n] = paid+bare, with-bare+minChange(dust)
	}
	return t
}

// wasteOf is what the selection costs beyond what the same coins would cost to
// spend at the usual rate: below zero where it is cheap to spend now. Excess that
// is too small for change is waste, and so is change: it is made now and spent
// later.
func (t *table) wasteOf(n int, total uint64) int64 {
	early := int64(n) * (int64(feeFor(inputWeight, t.rate)) - int64(feeFor(inputWeight, longTermSatPerKVB))) //nolint:gosec // fees are bounded
	return early + int64(min(total-t.need[n], t.keep[n]))                                                    //nolint:gosec // total reaches
}

// reaches says whether n coins of this sum pay for everything.
func (t *table) reaches(n int, total uint64) bool { return n <= maxInputs && total >= t.need[n] }

// choose returns the selection that wastes least.
func (t *table) choose(from []candidate) (selection, bool) {
	var list []selection
	if largest, found := t.largestFirst(from); found {
		list = append(list, largest, t.smallestLast(from, largest))
	}
	if exact, found := t.exact(from); found {
		list = append(list, exact)
	}
	if len(list) == 0 {
		return selection{}, false
	}
	return slices.MinFunc(list, func(x, y selection) int {
		return cmp.Or(cmp.Compare(x.waste, y.waste), cmp.Compare(len(x.picked), len(y.picked)), cmp.Compare(x.total, y.total))
	}), true
}

func (t *table) largestFirst(from []candidate) (selection, bool) {
	var sum uint64
	for i, c := range from[:min(len(from), maxInputs)] {
		if sum += c.amount; t.reaches(i+1, sum) {
			return selection{from[:i+1], sum, t.wasteOf(i+1, sum)}, true
		}
	}
	return selection{}, false
}

// smallestLast takes the last coin of the largest as small as will do, so that no
// more than needed waits for the change.
func (t *table) smallestLast(from []candidate, largest selection) selection {
	n := len(largest.picked)
	without := largest.total - largest.picked[n-1].amount
	for i := len(from) - 1; i >= n; i-- {
		if total := without + from[i].amount; t.reaches(n, total) {
			first := i // the older of equals
			for first > n && from[first-1].amount == from[i].amount {
				first--
			}
			return selection{append(slices.Clone(largest.picked[:n-1]), from[first]), total, t.wasteOf(n, total)}
		}
	}
	return largest
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
