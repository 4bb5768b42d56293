package desk

import (
	"errors"
	"fmt"
	"slices"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/feedesk"
	"strongroom/money"
)

// Bounds of the search for a replacement on a UTXO chain.
const (
	maxAdded    = 16 // coins that one replacement adds
	maxFits     = 2*maxAdded + 8
	sizePerCoin = 70 // what a further input measures at most, in virtual bytes
)

// rateLadder plans the next attempt on a UTXO chain. It keeps all coins of the
// attempt before, so that at most one of the attempts is ever mined, and adds free
// ones only where those do not pay for the higher fee.
func rateLadder(adapter chainadapters.Adapter, policy feedesk.RatePolicy, last custodydb.PlannedAttempt, q quotation, cancels bool, free []chainadapters.Coin) (chainadapters.Plan, feedesk.Move, error) {
	bid, err := bidAfter(adapter, last, q)
	if err != nil {
		return last.Plan, 0, err
	}
	plan := last.Plan
	free = free[:min(len(free), maxAdded)]
	for range maxFits {
		move, rate := policy.Next(bid)
		if move != feedesk.Bid {
			return plan, move, nil
		}
		plan.Fee.SatPerKVB = rate
		next, built, err := fit(adapter, plan, bid.Size, cancels)
		if err != nil {
			short := errors.Is(err, chainadapters.ErrFunds) && !cancels && plan.ChangeTo != ""
			if !short || len(free) == 0 {
				return plan, 0, noMoreCoins(err)
			}
			plan.Coins, free = append(slices.Clip(plan.Coins), free[0]), free[1:]
			bid.Size += sizePerCoin
			continue
		}
		if policy.Budget.Less(built.MaxFee) {
			return plan, feedesk.Stop, nil // with the change that it drops
		}
		if evicts(policy, last.MaxFee, built) {
			return next, feedesk.Bid, nil
		}
		bid.Size = built.Size // it was reckoned with another size
	}
	return plan, feedesk.Stop, nil
}

// bidAfter returns the bid that the ladder continues. What an attempt really pays
// may be more than its rate says: change that was too small went to the fee.
func bidAfter(adapter chainadapters.Adapter, last custodydb.PlannedAttempt, q quotation) (feedesk.RateBid, error) {
	built, err := adapter.Build(last.Plan)
	if err != nil {
		return feedesk.RateBid{}, fmt.Errorf("build attempt %d again: %w", last.Number, err)
	}
	paid, err := feedesk.RateOf(last.MaxFee, built.Size)
	if err != nil {
		return feedesk.RateBid{}, fmt.Errorf("rate of attempt %d: %w", last.Number, err)
	}
	return feedesk.RateBid{
		Rate: max(paid, last.Plan.Fee.SatPerKVB), Fee: last.MaxFee, Size: built.Size, Market: q.fee.SatPerKVB, Clock: q.clock,
	}, nil
}

// evicts reports whether what was built pays for what it replaces and for its own
// relay, at its true size.
func evicts(policy feedesk.RatePolicy, replaced money.Units, built chainadapters.Unsigned) bool {
	must, err := replaced.Add(feedesk.FeeAt(policy.Relay, built.Size))
	return err == nil && !built.MaxFee.Less(must)
}

// fit builds a plan at its rate. A cancellation gives back what the fee for size
// leaves.
func fit(adapter chainadapters.Adapter, plan chainadapters.Plan, size uint64, cancels bool) (chainadapters.Plan, chainadapters.Unsigned, error) {
	if cancels {
		var err error
		if plan, err = goBack(plan, feedesk.FeeAt(plan.Fee.SatPerKVB, size)); err != nil {
			return plan, chainadapters.Unsigned{}, err
		}
	}
	built, err := adapter.Build(plan)
	if err != nil {
		return plan, built, fmt.Errorf("build: %w", err)
	}
	return plan, built, nil
}

// noMoreCoins names a lack of coins in custody's words.
func noMoreCoins(err error) error {
	if errors.Is(err, chainadapters.ErrFunds) {
		return fmt.Errorf("%w: %w", custody.ErrHotWallet, err)
	}
	return err
}
