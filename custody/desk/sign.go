package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/internal/crash"
	"strongroom/internal/planted"
)

// ErrForgery reports a signed transaction that is not what was planned. It is
// never stored and never sent.
var ErrForgery = errors.New("signed transaction is not the planned one")

// Sign has the stored plan of a reserved intent signed, reads the result itself,
// and stores it. Asked again after a crash, the signer is asked for the same bytes
// and gives the same signature.
func (d *Desk) Sign(ctx context.Context, id string) (custody.Progress, error) {
	return d.walk(ctx, id, d.sign)
}

func (d *Desk) sign(ctx context.Context, r *custodydb.IntentRow) error {
	if r.State != custody.WithdrawalReserved {
		return nil
	}
	adapter, ok := d.cfg.Adapters[r.Chain]
	if !ok {
		return fmt.Errorf("chain %s is not served: %w", r.Chain, custody.ErrChainHalted)
	}
	attempt, err := d.cfg.Store.Plan(ctx, r.ID)
	if err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	if attempt, err = d.withdrawn(ctx, adapter, r, attempt); err != nil {
		return err
	}
	return d.signPlan(ctx, adapter, r, attempt)
}

// signPlan has one attempt signed, verified and stored.
func (d *Desk) signPlan(ctx context.Context, adapter chainadapters.Adapter, r *custodydb.IntentRow, attempt custodydb.PlannedAttempt) error {
	attempt.Plan = freshNonce(ctx, adapter, attempt.Plan)
	unsigned, err := adapter.Build(attempt.Plan)
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	req := SignRequest{Intent: r.Intent, Attempt: attempt.Number, Plan: attempt.Plan, Unsigned: unsigned, MaxFee: attempt.MaxFee}
	if req.Intent, req.ToPath, err = d.meaning(ctx, r, attempt); err != nil {
		return err
	}
	crash.At(crash.SignBeforeAsk)
	signature, err := d.cfg.Signer.Sign(ctx, req)
	if err != nil {
		return d.refused(ctx, r, attempt, err)
	}
	if err := verify(adapter, attempt.Plan, unsigned, signature); err != nil {
		return err
	}
	if planted.Live(planted.BroadcastFirst) {
		_ = adapter.Broadcast(ctx, signature.Raw)
	}
	err = d.cfg.Store.PutSigned(ctx, r, custody.Attempt{
		Intent: r.ID, Kind: r.Kind, Chain: r.Chain, Number: attempt.Number,
		TxID: signature.TxID, Raw: signature.Raw, Plan: attempt.Plan, MaxFee: attempt.MaxFee, Cancels: attempt.Cancels,
	})
	if err != nil {
		return fmt.Errorf("store signed transaction: %w", err)
	}
	return nil
}

// meaning returns what the signer is told that an attempt is for, and our own key
// behind its destination.
func (d *Desk) meaning(ctx context.Context, r *custodydb.IntentRow, attempt custodydb.PlannedAttempt) (custody.Intent, *chainadapters.KeyPath, error) {
	coinsOfOurs := !r.Kind.PaysOut() && attempt.Plan.Slot == nil
	switch {
	case attempt.Cancels && !coinsOfOurs:
		return d.cancellation(r, attempt.Plan)
	case r.Kind.PaysOut(), r.Kind.FromVault():
		return r.Intent, nil, nil
	}
	to, err := d.cfg.Store.KeyOf(ctx, r.Chain, r.To)
	if err != nil {
		return r.Intent, nil, fmt.Errorf("find key of destination: %w", err)
	}
	in := r.Intent
	if coinsOfOurs { // its fee comes out of it, also where few of its coins take it back
		in.Amount = attempt.Plan.Payments[0].Amount
	}
	return in, &to.Path, nil
}

// refused keeps on record since when the signer is against an attempt.
func (d *Desk) refused(ctx context.Context, r *custodydb.IntentRow, attempt custodydb.PlannedAttempt, why error) error {
	if errors.Is(why, ErrRefused) {
		if err := d.cfg.Store.MarkRefused(ctx, r.ID, attempt.Number); err != nil {
			return errors.Join(why, err)
		}
	}
	return fmt.Errorf("ask signer: %w", why)
}

// freshNonce is a planted bug; in a product build it returns the plan as it is.
func freshNonce(ctx context.Context, adapter chainadapters.Adapter, plan chainadapters.Plan) chainadapters.Plan {
	if !planted.Live(planted.NoncePerRetry) || plan.Slot == nil {
		return plan
	}
	slot := *plan.Slot
	if nonce, err := adapter.NextNonce(ctx, slot.From); err == nil {
		slot.Nonce = nonce
	}
	plan.Slot = &slot
	return plan
}

// verify reads what came back from the signer and compares it with the plan field
// by field: the signer is trusted with keys, not with our books.
func verify(adapter chainadapters.Adapter, plan chainadapters.Plan, unsigned chainadapters.Unsigned, s Signature) error {
	signed, err := adapter.Decode(s.Raw)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForgery, err)
	}
	if signed.TxID != s.TxID {
		return fmt.Errorf("%w: it is %s, called %s", ErrForgery, signed.TxID, s.TxID)
	}
	want := slices.Clone(plan.Payments)
	if !unsigned.Change.IsZero() {
		want = append(want, chainadapters.Payment{To: plan.ChangeTo, Amount: unsigned.Change})
	}
	if !samePayments(want, signed.Payments) {
		return fmt.Errorf("%w: it pays otherwise", ErrForgery)
	}
	if !sameSpends(plan, signed.Spends) {
		return fmt.Errorf("%w: it spends otherwise", ErrForgery)
	}
	return nil
}

// samePayments compares as sets with counts: the order of outputs is the adapter's.
func samePayments(want, got []chainadapters.Payment) bool {
	if len(want) != len(got) {
		return false
	}
	left := make(map[chainadapters.Payment]int, len(want))
	for _, p := range want {
		left[p]++
	}
	for _, p := range got {
		if left[p] == 0 {
			return false
		}
		left[p]--
	}
	return true
}

func sameSpends(plan chainadapters.Plan, got []chainadapters.Spend) bool {
	if plan.Slot != nil {
		return len(got) == 1 && got[0].From == plan.Slot.From && got[0].Nonce == plan.Slot.Nonce
	}
	if len(got) != len(plan.Coins) {
		return false
	}
	left := make(map[chainadapters.Outpoint]bool, len(got))
	for _, c := range plan.Coins {
		left[c.Outpoint] = true
	}
	for _, s := range got {
		if !left[s.Outpoint] {
			return false
		}
		delete(left, s.Outpoint)
	}
	return true
}
