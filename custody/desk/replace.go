package desk

import (
	"context"
	"errors"
	"fmt"
	"math"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/feedesk"
)

// quotation is what a bid is judged by, asked before anything is locked.
type quotation struct {
	fee   chainadapters.Fee // what a payment would bid now
	head  chainadapters.Header
	clock feedesk.Clock
	// parents are payments of ours in no block whose change it spends.
	parents burden
}

// anytime is the clock of a bid that is not to wait.
func anytime() feedesk.Clock { return feedesk.Clock{Age: 0, Last: math.MaxInt64} }

// stalled says why an intent that waits counts as stuck; empty where it does not.
func (d *Desk) stalled(ctx context.Context, adapter chainadapters.Adapter, r *custodydb.IntentRow, newest custodydb.Sent) (string, error) {
	if r.Kind.FromVault() && adapter.Family() == chainadapters.UTXO {
		return "", nil // another bid would take its cosigners once more
	}
	return d.outbid(ctx, adapter, r, newest)
}

func (d *Desk) outbid(ctx context.Context, adapter chainadapters.Adapter, r *custodydb.IntentRow, newest custodydb.Sent) (string, error) {
	order, err := d.cfg.Store.CancelOrder(ctx, r.ID)
	if err != nil {
		return "", fmt.Errorf("look for order: %w", err)
	}
	waits := d.cfg.Clock().Sub(r.Updated)
	switch {
	case order != "" && !newest.Cancels:
		return "an operator ordered to cancel it", nil
	case r.Kind == custody.IntentConsolidate && !newest.Cancels && waits <= mergePatience*d.cfg.StuckAfter:
		return "", nil // it was planned for a cheap hour: it waits for the next
	case waits > d.cfg.StuckAfter:
		return "waits in the node's pool for more than " + d.cfg.StuckAfter.String(), nil
	case adapter.Family() == chainadapters.UTXO:
		return d.hangs(ctx, r)
	case waits < underwaterAfter:
		return "", nil
	}
	head, err := adapter.Head(ctx)
	if err != nil {
		return "", fmt.Errorf("ask base fee: %w", err)
	}
	if newest.Plan.Fee.FeeCap.Less(head.BaseFee) {
		return "its fee is below what blocks ask", nil
	}
	return "", nil
}

// replace sees to it that a stuck intent bids again, or is taken back where an
// operator ordered that: the plan is stored, then signed, then stored with its
// signature; sending it is the next step. A refusal leaves what is out as it is.
func (d *Desk) replace(ctx context.Context, adapter chainadapters.Adapter, r *custodydb.IntentRow, newest custodydb.Sent) error {
	plan, err := d.cfg.Store.Plan(ctx, r.ID)
	if err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	order, err := d.cfg.Store.CancelOrder(ctx, r.ID)
	if err != nil {
		return fmt.Errorf("look for order: %w", err)
	}
	// A merging that no cheap hour took is not worth a high fee: its coins are.
	takeBack := (order != "" || r.Kind == custody.IntentConsolidate) && cancellable(adapter, r, plan.Plan)
	if plan.Number <= newest.Number || (takeBack && !plan.Cancels) {
		next, move, err := d.bid(ctx, adapter, r, plan, takeBack)
		if err != nil {
			return d.unbid(ctx, r, err)
		}
		if move != feedesk.Bid {
			return d.noteMove(ctx, r, move)
		}
		d.cfg.Log.InfoContext(ctx, "intent bids again", "intent", r.ID, "attempt", next.Number, "most", next.MaxFee.String(), "cancels", next.Cancels)
		plan = next
	}
	if err := d.signPlan(ctx, adapter, r, plan); err != nil {
		return d.unbid(ctx, r, err)
	}
	return nil
}

// unbid leaves an intent stuck where the next attempt cannot be made for reasons
// that asking again at once does not change. Anything else is the caller's error.
func (d *Desk) unbid(ctx context.Context, r *custodydb.IntentRow, why error) error {
	for known, reason := range map[error]string{
		ErrRefused:               "the signer refuses a higher fee",
		custodydb.ErrAttempts:    "it cannot be replaced",
		custodydb.ErrChangeSpent: "a later payment spends its change and bids for both",
		chainadapters.ErrPlan:    "a higher fee cannot be paid from what it spends",
		custody.ErrHotWallet:     "the hot wallet does not cover a higher fee now",
	} {
		if errors.Is(why, known) {
			d.cfg.Log.WarnContext(ctx, "intent stays stuck", "intent", r.ID, "cause", why)
			return d.note(ctx, r, reason)
		}
	}
	return why
}

func (d *Desk) noteMove(ctx context.Context, r *custodydb.IntentRow, move feedesk.Move) error {
	if move == feedesk.Stop {
		return d.note(ctx, r, "the most that may be bid is out: it waits for the market")
	}
	return nil
}

// bid asks the market and plans the next attempt where the ladder says so.
func (d *Desk) bid(ctx context.Context, adapter chainadapters.Adapter, r *custodydb.IntentRow, last custodydb.PlannedAttempt, takeBack bool) (custodydb.PlannedAttempt, feedesk.Move, error) {
	q, err := d.market(ctx, adapter, r, last)
	if err != nil {
		return last, 0, err
	}
	if takeBack && !last.Cancels {
		q.clock = anytime()
	}
	return d.planNext(ctx, adapter, r, last, q, takeBack || last.Cancels)
}

// market asks what a payment would bid now. On account chains the question is
// about nothing sent to oneself, which no contract can make fail.
func (d *Desk) market(ctx context.Context, adapter chainadapters.Adapter, r *custodydb.IntentRow, last custodydb.PlannedAttempt) (quotation, error) {
	now := d.cfg.Clock()
	q := quotation{clock: feedesk.Clock{Age: now.Sub(last.First), Last: now.Sub(last.Created)}}
	ask := chainadapters.Plan{Payments: payments(r)}
	if last.Plan.Slot != nil {
		ask = selfSend(chainadapters.Plan{Slot: last.Plan.Slot})
	}
	var err error
	if q.fee, err = adapter.Quote(ctx, ask); err != nil {
		return q, fmt.Errorf("quote fee: %w", err)
	}
	if last.Plan.Slot == nil {
		q.parents, err = d.parents(ctx, adapter, r)
		return q, err
	}
	if q.head, err = adapter.Head(ctx); err != nil {
		return q, fmt.Errorf("ask base fee: %w", err)
	}
	return q, nil
}

// errNoBid ends the planning of an attempt that the ladder does not want.
var errNoBid = errors.New("no bid")

// planNext stores the plan of the next attempt, if the ladder says so.
func (d *Desk) planNext(ctx context.Context, adapter chainadapters.Adapter, r *custodydb.IntentRow, last custodydb.PlannedAttempt, q quotation, cancels bool) (custodydb.PlannedAttempt, feedesk.Move, error) {
	var move feedesk.Move
	next, err := d.cfg.Store.PlanNext(ctx, r, func(free []chainadapters.Coin) (custodydb.PlannedAttempt, error) {
		plan, m, err := d.ladder(adapter, r, last, q, cancels, free)
		if move = m; err != nil {
			return custodydb.PlannedAttempt{}, err
		}
		if m != feedesk.Bid {
			return custodydb.PlannedAttempt{}, errNoBid
		}
		unsigned, err := adapter.Build(plan)
		if err != nil {
			return custodydb.PlannedAttempt{}, fmt.Errorf("build: %w", err)
		}
		return custodydb.PlannedAttempt{Number: last.Number + 1, Plan: plan, MaxFee: unsigned.MaxFee, Cancels: cancels}, nil
	})
	if errors.Is(err, errNoBid) {
		return last, move, nil
	}
	if err != nil {
		return last, move, fmt.Errorf("plan next attempt: %w", err)
	}
	return next, move, nil
}

// ladder returns the plan of the next attempt by the ladder of the chain's family.
func (d *Desk) ladder(adapter chainadapters.Adapter, r *custodydb.IntentRow, last custodydb.PlannedAttempt, q quotation, cancels bool, free []chainadapters.Coin) (chainadapters.Plan, feedesk.Move, error) {
	if last.Plan.Slot == nil {
		c := recoin{adapter: adapter, policy: d.rates(r.Chain), last: last, q: q, cancels: cancels, ours: !r.Kind.PaysOut(), free: free}
		return c.plan()
	}
	move, fee := d.gas(r.Chain).Next(feedesk.GasBid{Last: last.Plan.Fee, Market: q.fee, BaseFee: q.head.BaseFee, Clock: q.clock})
	plan := last.Plan
	plan.Fee = fee
	if cancels {
		plan = selfSend(plan)
	}
	return plan, move, nil
}
