package custody

import (
	"fmt"

	"strongroom/chainadapters"
	"strongroom/money"
)

// Pile is what one deposit address on an account chain has of one asset that may
// be moved: on chain, mature, and promised to nothing else.
type Pile struct {
	Settled money.Units
	// Gas is the settled native asset at the same address. For a pile of the
	// native asset it is not read.
	Gas money.Units
}

// PilePlan says what to do with a pile; at most one of the amounts is above zero.
type PilePlan struct {
	Collect money.Units // of the pile's asset, to the hot wallet
	TopUp   money.Units // of the native asset, from the hot wallet to the address
}

// PlanPile decides what to do with a pile. reserve is the most that moving it may
// cost, in the native asset; minimum is the least worth moving. A native pile pays
// for itself and keeps the reserve, a token's needs gas beside it.
func PlanPile(p Pile, native bool, reserve, minimum money.Units) PilePlan {
	if native {
		rest := p.Settled.SubFloor(reserve)
		if rest.IsZero() || rest.Less(minimum) {
			return PilePlan{}
		}
		return PilePlan{Collect: rest}
	}
	switch {
	case p.Settled.IsZero() || p.Settled.Less(minimum):
		return PilePlan{}
	case p.Gas.Less(reserve):
		return PilePlan{TopUp: reserve.SubFloor(p.Gas)}
	}
	return PilePlan{Collect: p.Settled}
}

// Reserve returns what a transaction may cost under a quoted fee with a margin in
// percent, in the native asset, rounded up: fees rise between plan and payment.
// It returns money.ErrRange where that does not fit.
func Reserve(fee chainadapters.Fee, marginPercent uint64) (money.Units, error) {
	cost, err := fee.FeeCap.Mul(fee.GasLimit)
	if err != nil {
		return money.Units{}, fmt.Errorf("cost of gas: %w", err)
	}
	return WithMargin(cost, marginPercent)
}

// WithMargin returns a cost and a margin in percent on top, rounded up.
func WithMargin(cost money.Units, marginPercent uint64) (money.Units, error) {
	sum, err := cost.MulDiv(money.FromUint64(100+marginPercent), money.FromUint64(100), money.Up)
	if err != nil {
		return money.Units{}, fmt.Errorf("add margin: %w", err)
	}
	return sum, nil
}

// CoinPlan is a collection of coins into one payment. What Amount leaves of the
// coins is the fee; there is no change.
type CoinPlan struct {
	Coins  []chainadapters.Coin
	Amount money.Units
}

// PlanCoins picks from coins, largest first, the first ones that bring the most
// after the fee that feeOf tells for them: a coin that costs more than it holds is
// left. The plan is empty where less than minimum remains.
func PlanCoins(coins []chainadapters.Coin, minimum money.Units, feeOf func([]chainadapters.Coin) (money.Units, error)) (CoinPlan, error) {
	var best CoinPlan
	var sum money.Units
	for i := range coins {
		var err error
		if sum, err = sum.Add(coins[i].Amount); err != nil {
			return CoinPlan{}, fmt.Errorf("add coins up: %w", err)
		}
		fee, err := feeOf(coins[:i+1])
		if err != nil {
			return CoinPlan{}, err
		}
		if net := sum.SubFloor(fee); best.Amount.Less(net) {
			best = CoinPlan{Coins: coins[:i+1], Amount: net}
		}
	}
	if best.Amount.IsZero() || best.Amount.Less(minimum) {
		return CoinPlan{}, nil
	}
	return best, nil
}
