package desk

import (
	"context"
	"errors"
	"fmt"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
)

// Screener says what sanctions lists have against addresses of a chain. Any error
// means that it cannot be said.
type Screener interface {
	Screen(ctx context.Context, chain chainadapters.ChainID, addresses []string) ([]custody.Finding, error)
}

// Screen takes a held withdrawal to approved, or to where it waits for people, or
// releases it: blocked where screening refuses it, rejected where policy does. A
// withdrawal of an asset that is not paid out at present stays where it is, and so
// does one while custody.ErrScreening says that nobody can screen.
func (d *Desk) Screen(ctx context.Context, id string) (custody.Progress, error) {
	return d.walk(ctx, id, d.screen)
}

// Release ends an intent that was never signed and gives back what it holds, with
// the reason given. One that has ended already stays as it is. custody.ErrIllegal
// where a signed transaction may exist.
func (d *Desk) Release(ctx context.Context, id, reason string) (custody.Progress, error) {
	return d.walk(ctx, id, func(ctx context.Context, r *custodydb.IntentRow) error {
		return d.release(ctx, r, custody.EventCancel, reason)
	})
}

func (d *Desk) release(ctx context.Context, r *custodydb.IntentRow, event custody.WithdrawalEvent, reason string) error {
	released, err := d.cfg.Store.Release(ctx, r.ID, event, reason)
	if err != nil {
		return fmt.Errorf("release: %w", err)
	}
	*r = released
	return nil
}

func (d *Desk) screen(ctx context.Context, r *custodydb.IntentRow) error {
	if r.State == custody.WithdrawalHeld {
		if err := d.check(ctx, r); err != nil || r.State != custody.WithdrawalScreened {
			return err
		}
	}
	switch r.State { //nolint:exhaustive // nothing to decide elsewhere
	case custody.WithdrawalScreened, custody.WithdrawalAwaitingApproval, custody.WithdrawalCooling:
		return d.decide(ctx, r)
	}
	return nil
}

// check looks at customer, address and asset.
func (d *Desk) check(ctx context.Context, r *custodydb.IntentRow) error {
	asset, err := d.asset(r)
	if err != nil {
		return err
	}
	if err := d.cfg.Store.Screen(ctx, *r); err != nil {
		return d.refuse(ctx, r, err)
	}
	if err := d.sanctions(ctx, r); err != nil || r.State.Ended() {
		return err
	}
	if asset.State != custody.AssetListed {
		return d.note(ctx, r, "withdrawals of "+asset.Code+" are suspended")
	}
	return d.move(ctx, r, custody.EventScreen, custody.WithdrawalFacts{}, "")
}

// sanctions blocks a withdrawal whose destination is listed, and gives back what
// it holds. What the list says is for compliance; the customer reads that the
// payment cannot be made. Movements of the house stay within the house.
func (d *Desk) sanctions(ctx context.Context, r *custodydb.IntentRow) error {
	if r.Kind != custody.IntentWithdrawal {
		return nil
	}
	findings, err := d.cfg.Screening.Screen(ctx, r.Chain, []string{r.To})
	if err != nil {
		return fmt.Errorf("screen destination: %w: %w", custody.ErrScreening, err)
	}
	if len(findings) == 0 {
		return nil
	}
	if err := d.cfg.Store.RecordFindings(ctx, r.ID, findings); err != nil {
		return fmt.Errorf("put on record: %w", err)
	}
	d.cfg.Log.WarnContext(ctx, "withdrawal to a listed address", "intent", r.ID, "list", findings[0].List, "entry", findings[0].Entry)
	return d.release(ctx, r, custody.EventBlock, custody.NeutralRefusal)
}

// refuse releases a withdrawal that must not be paid. Any other error passes.
func (d *Desk) refuse(ctx context.Context, r *custodydb.IntentRow, why error) error {
	if errors.Is(why, custody.ErrDestination) || errors.Is(why, custody.ErrFrozen) {
		return d.release(ctx, r, custody.EventBlock, why.Error())
	}
	return why
}

// decide asks the policy.
func (d *Desk) decide(ctx context.Context, r *custodydb.IntentRow) error {
	asset, err := d.asset(r)
	if err != nil {
		return err
	}
	verdict, reason, err := d.cfg.Policy.Decide(ctx, *r, asset)
	if err != nil {
		return fmt.Errorf("ask policy: %w", err)
	}
	switch verdict {
	case Allow:
		return d.move(ctx, r, custody.EventApprove, custody.WithdrawalFacts{}, "")
	case Deny:
		return d.release(ctx, r, custody.EventReject, reason)
	case Wait:
		if r.State == custody.WithdrawalScreened {
			return d.move(ctx, r, custody.EventNeedApproval, custody.WithdrawalFacts{}, reason)
		}
		return d.note(ctx, r, reason)
	}
	return fmt.Errorf("policy gave verdict %d: %w", verdict, custody.ErrIllegal)
}

func (d *Desk) move(ctx context.Context, r *custodydb.IntentRow, event custody.WithdrawalEvent, facts custody.WithdrawalFacts, reason string) error {
	if err := d.cfg.Store.Move(ctx, r, event, facts, reason); err != nil {
		return fmt.Errorf("move: %w", err)
	}
	return nil
}

func (d *Desk) note(ctx context.Context, r *custodydb.IntentRow, reason string) error {
	if err := d.cfg.Store.SetReason(ctx, r, reason); err != nil {
		return fmt.Errorf("note: %w", err)
	}
	return nil
}
