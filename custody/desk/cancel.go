package desk

import (
	"context"
	"fmt"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/feedesk"
	"strongroom/money"
)

// withdrawn returns the attempt of a reserved intent that is to be signed: the
// planned one, or a new one that takes it back. It is taken back on an operator's
// order, or where the signer's refusal has kept its nonce or coins from others for
// too long: nothing of it was signed, and yet nobody behind it could be paid.
func (d *Desk) withdrawn(ctx context.Context, adapter chainadapters.Adapter, r *custodydb.IntentRow, attempt custodydb.PlannedAttempt) (custodydb.PlannedAttempt, error) {
	if attempt.Cancels {
		return attempt, nil
	}
	why, err := d.cfg.Store.CancelOrder(ctx, r.ID)
	if err != nil {
		return attempt, fmt.Errorf("look for order: %w", err)
	}
	tooLong := !attempt.Refused.IsZero() && d.cfg.Clock().Sub(attempt.Refused) >= d.cfg.GiveUpAfter
	if why == "" && !tooLong || !cancellable(adapter, r, attempt.Plan) {
		return attempt, nil
	}
	if why == "" {
		why = "the signer refuses it for " + d.cfg.GiveUpAfter.String()
	}
	market, err := d.market(ctx, adapter, r, attempt)
	if err != nil {
		return attempt, err
	}
	market.clock = anytime()
	next, move, err := d.planNext(ctx, adapter, r, attempt, market, true)
	if err != nil || move == feedesk.Bid {
		if err == nil {
			d.cfg.Log.WarnContext(ctx, "a payment that was never signed is taken back", "intent", r.ID, "cause", why)
		}
		return next, err
	}
	return attempt, nil // no fee is left for it: the refusal stands
}

// whyCancelled is what a cancelled intent ends with, for the customer.
func (d *Desk) whyCancelled(ctx context.Context, r *custodydb.IntentRow) string {
	if order, err := d.cfg.Store.CancelOrder(ctx, r.ID); err == nil && order != "" {
		return "taken back before it was paid: " + order
	}
	if r.Kind == custody.IntentConsolidate {
		return "taken back: no block took it at a low fee"
	}
	return "taken back before it was paid: it could not be signed"
}

// cancellable reports whether a plan can be taken back: by its nonce, or by coins
// that have somewhere to return to.
func cancellable(adapter chainadapters.Adapter, r *custodydb.IntentRow, plan chainadapters.Plan) bool {
	return adapter.Family() != chainadapters.UTXO || !r.Kind.PaysOut() || plan.ChangePath.Account == chainadapters.HotAccount
}

// cancellation is what the signer is told of a cancellation: the chain's native
// asset, nothing or all coins, to our own key.
func (d *Desk) cancellation(r *custodydb.IntentRow, plan chainadapters.Plan) (custody.Intent, *chainadapters.KeyPath, error) {
	asset, err := d.asset(r)
	if err != nil {
		return r.Intent, nil, err
	}
	path := plan.ChangePath
	if plan.Slot != nil {
		path = plan.Slot.Path
	}
	in := r.Intent
	in.Kind, in.Asset, in.Contract = custody.IntentCancel, asset.Native, ""
	in.To, in.Amount = plan.Payments[0].To, plan.Payments[0].Amount
	return in, &path, nil
}

// selfSend turns the plan of an account chain into one that moves nothing on the
// same nonce. Its gas limit stays: nodes compare prices per gas, and what is not
// used is not paid.
func selfSend(plan chainadapters.Plan) chainadapters.Plan {
	plan.Payments, plan.Exec = []chainadapters.Payment{{To: plan.Slot.From}}, nil
	return plan
}

// goBack turns the plan of a UTXO chain into one that returns its coins, less a
// fee, to the change address, or to where it pays ourselves already.
func goBack(plan chainadapters.Plan, fee money.Units) (chainadapters.Plan, error) {
	to := plan.ChangeTo
	if to == "" { // it is one payment to ourselves
		to = plan.Payments[0].To
	}
	total, err := sumOf(plan.Coins)
	if err != nil {
		return plan, err
	}
	left, err := total.Sub(fee)
	if err != nil {
		return plan, fmt.Errorf("%w: coins of %s for a fee of %s", chainadapters.ErrFunds, total, fee)
	}
	plan.Payments = []chainadapters.Payment{{To: to, Amount: left}}
	plan.ChangeTo = ""
	return plan, nil
}

func sumOf(coins []chainadapters.Coin) (total money.Units, err error) {
	for _, c := range coins {
		if total, err = total.Add(c.Amount); err != nil {
			return total, fmt.Errorf("add coins up: %w", err)
		}
	}
	return total, nil
}
