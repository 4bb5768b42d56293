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
	sizePerCoin = 70  // what a further input measures at most, in virtual bytes
	sizeOfOne   = 111 // of a transaction that moves one coin, at most
	mostOfOurs  = 2   // a movement to ourselves may cost half of what it moves
)

// recoin is the question for the next attempt on a UTXO chain.
type recoin struct {
	adapter chainadapters.Adapter
	policy  feedesk.RatePolicy
	last    custodydb.PlannedAttempt
	q       quotation
	cancels bool
	// ours: the coins come from us and go to us. Its fee comes out of what it moves.
	ours bool
	free []chainadapters.Coin // that a payment to others may add
}

// plan answers it. All coins of the attempt before are kept, so that at most one of
// the attempts is ever mined, and free ones are added only where those do not pay
// for the higher fee. A movement to ourselves adds none, and what takes it back
// spends as few of its coins as pay: the others are free once that is final.
func (c *recoin) plan() (chainadapters.Plan, feedesk.Move, error) {
	bid, err := bidAfter(c.adapter, c.last, c.q)
	if err != nil {
		return c.last.Plan, 0, err
	}
	plan, more, err := c.start(&bid)
	if err != nil {
		return plan, 0, err
	}
	for range maxFits {
		next, built, move, err := c.try(plan, bid)
		if err == nil && move == feedesk.Bid {
			switch c.verdict(built) {
			case feedesk.Bid:
				return next, feedesk.Bid, nil
			case feedesk.Stop:
				return plan, feedesk.Stop, nil
			case feedesk.Wait:
				bid.Size = built.Size // it was reckoned with another size
			}
			continue
		}
		if len(more) == 0 || !c.short(err, move, plan) {
			return plan, move, noMoreCoins(err)
		}
		plan.Coins, more = append(slices.Clip(plan.Coins), more[0]), more[1:]
		bid.Size += sizePerCoin
	}
	return plan, feedesk.Stop, nil
}

// verdict says of what was built whether it is the next attempt, whether with the
// change that it drops it costs too much, or whether it has to be reckoned anew.
func (c *recoin) verdict(built chainadapters.Unsigned) feedesk.Move {
	switch {
	case c.policy.Budget.Less(built.MaxFee):
		return feedesk.Stop
	case evicts(c.policy, c.last.MaxFee, built):
		return feedesk.Bid
	}
	return feedesk.Wait
}

// try builds what the ladder says of a bid, where it says to bid.
func (c *recoin) try(plan chainadapters.Plan, bid feedesk.RateBid) (chainadapters.Plan, chainadapters.Unsigned, feedesk.Move, error) {
	move, rate := c.policy.Next(bid)
	if move != feedesk.Bid {
		return plan, chainadapters.Unsigned{}, move, nil
	}
	plan.Fee.SatPerKVB = rate
	next, built, err := fit(c.adapter, plan, bid.Size, c.cancels || c.ours)
	return next, built, move, err
}

// start returns the plan to begin with and the coins that may be added to it.
func (c *recoin) start(bid *feedesk.RateBid) (chainadapters.Plan, []chainadapters.Coin, error) {
	plan := c.last.Plan
	switch {
	case !c.ours:
		return plan, c.free[:min(len(c.free), maxAdded)], nil
	case c.cancels && !c.last.Cancels:
		coins := slices.Clone(plan.Coins)
		slices.SortStableFunc(coins, func(x, y chainadapters.Coin) int { return y.Amount.Cmp(x.Amount) })
		plan.Coins, bid.Size = coins[:1:1], sizeOfOne
		return plan, coins[1:min(len(coins), maxAdded)], nil
	case c.cancels:
		return plan, nil, nil
	}
	total, err := sumOf(plan.Coins)
	if err != nil {
		return plan, nil, err
	}
	half, err := total.MulDiv(money.FromUint64(1), money.FromUint64(mostOfOurs), money.Down)
	if err != nil {
		return plan, nil, fmt.Errorf("halve what is moved: %w", err)
	}
	c.policy.Budget = money.Min(c.policy.Budget, half)
	return plan, nil, nil
}

// short reports whether a further coin could help: so little may not pay such a fee.
func (c *recoin) short(err error, move feedesk.Move, plan chainadapters.Plan) bool {
	if c.ours {
		return move == feedesk.Stop || errors.Is(err, chainadapters.ErrFunds) || errors.Is(err, chainadapters.ErrPlan)
	}
	return errors.Is(err, chainadapters.ErrFunds) && !c.cancels && plan.ChangeTo != ""
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
		ParentFee: q.parents.fee, ParentSize: q.parents.size,
	}, nil
}

// evicts reports whether what was built pays for what it replaces and for its own
// relay, at its true size.
func evicts(policy feedesk.RatePolicy, replaced money.Units, built chainadapters.Unsigned) bool {
	must, err := replaced.Add(feedesk.FeeAt(policy.Relay, built.Size))
	return err == nil && !built.MaxFee.Less(must)
}

// fit builds a plan at its rate. What goes to ourselves alone is what the fee for
// size leaves.
func fit(adapter chainadapters.Adapter, plan chainadapters.Plan, size uint64, ours bool) (chainadapters.Plan, chainadapters.Unsigned, error) {
	if ours {
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
