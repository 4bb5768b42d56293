package custody

import (
	"cmp"
	"fmt"
	"slices"

	"strongroom/chainadapters"
	"strongroom/money"
)

// ConsolidationPolicy says when small coins of the hot wallet are merged.
type ConsolidationPolicy struct {
	// Above is how many free coins the hot wallet may have before any are merged.
	Above int
	// Most is how many coins one consolidation spends.
	Most int
	// LowSatPerKVB is the highest fee rate at which it is worth doing.
	LowSatPerKVB uint64
	// SharePercent is how much of the free coins' value may be tied up at once.
	SharePercent uint64
}

// leastMerge is the fewest coins that are worth a transaction.
const leastMerge = 3

// HotCoins is the hot wallet of a UTXO chain as the planner of consolidations sees
// it.
type HotCoins struct {
	Free    []chainadapters.Coin // final, unspent and promised to nobody
	Waiting int                  // withdrawals that have no coins yet
	Moving  int                  // movements of the house on this chain that have not ended
}

// PlanConsolidation decides whether coins of the hot wallet are merged into one
// payment to itself, and which: the smallest that are worth more than spending
// them costs. Where none are, the plan is empty and the reason says why. It
// does not bid again: where no cheap hour takes it, it is taken back. It also stands back for any other
// movement of the house, so that two never bid for the same cheap hour. feeOf
// tells what a payment of these coins costs at the rate.
func PlanConsolidation(w HotCoins, p ConsolidationPolicy, rate uint64, feeOf func([]chainadapters.Coin) (money.Units, error)) (CoinPlan, string, error) {
	switch {
	case len(w.Free) <= p.Above || len(w.Free) < leastMerge:
		return CoinPlan{}, "the hot wallet has few coins", nil
	case w.Waiting > 0:
		return CoinPlan{}, "withdrawals wait for coins", nil
	case w.Moving > 0:
		return CoinPlan{}, "another movement of the house is on its way", nil
	case rate > p.LowSatPerKVB:
		return CoinPlan{}, "the fee rate is not low", nil
	}
	coins := slices.SortedFunc(slices.Values(w.Free), func(x, y chainadapters.Coin) int {
		return cmp.Or(x.Amount.Cmp(y.Amount), cmp.Compare(x.TxID, y.TxID), cmp.Compare(x.Vout, y.Vout))
	})
	coins, err := economic(coins, feeOf)
	if err != nil {
		return CoinPlan{}, "", err
	}
	plan, err := merge(coins, p, feeOf)
	if err != nil || len(plan.Coins) == 0 {
		return CoinPlan{}, "no coins are worth merging", err
	}
	return plan, "", nil
}

// economic leaves out coins, smallest first, that cost more to spend than they
// hold. All coins cost the same: what a second one adds to the largest.
func economic(coins []chainadapters.Coin, feeOf func([]chainadapters.Coin) (money.Units, error)) ([]chainadapters.Coin, error) {
	last := len(coins) - 1
	one, err := feeOf(coins[last:])
	if err != nil {
		return nil, err
	}
	two, err := feeOf(coins[last-1:])
	if err != nil {
		return nil, err
	}
	each := two.SubFloor(one)
	first := slices.IndexFunc(coins, func(c chainadapters.Coin) bool { return each.Less(c.Amount) })
	if first < 0 {
		return nil, nil
	}
	return coins[first:], nil
}

// merge takes the smallest coins up to the policy's number and share.
func merge(coins []chainadapters.Coin, p ConsolidationPolicy, feeOf func([]chainadapters.Coin) (money.Units, error)) (CoinPlan, error) {
	var all, sum money.Units
	var err error
	for _, c := range coins {
		if all, err = all.Add(c.Amount); err != nil {
			return CoinPlan{}, fmt.Errorf("add coins up: %w", err)
		}
	}
	most, err := all.MulDiv(money.FromUint64(p.SharePercent), money.FromUint64(100), money.Down)
	if err != nil {
		return CoinPlan{}, fmt.Errorf("share of the hot wallet: %w", err)
	}
	n := 0
	for n < len(coins) && n < p.Most {
		with, err := sum.Add(coins[n].Amount)
		if err != nil || most.Less(with) {
			break
		}
		sum, n = with, n+1
	}
	if n < leastMerge {
		return CoinPlan{}, nil
	}
	fee, err := feeOf(coins[:n])
	if err != nil {
		return CoinPlan{}, err
	}
	amount := sum.SubFloor(fee)
	if amount.IsZero() {
		return CoinPlan{}, nil
	}
	return CoinPlan{Coins: coins[:n], Amount: amount}, nil
}
