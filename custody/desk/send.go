package desk

import (
	"context"
	"fmt"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/internal/crash"
)

// sentFacts is what is known when bytes are stored and may have left.
func sentFacts() custody.WithdrawalFacts { return custody.WithdrawalFacts{Signed: true} }

// Send hands a signed transaction to the node. An answer that says anything but
// yes leaves the intent unknown: only the chain can tell, so that is no error.
func (d *Desk) Send(ctx context.Context, id string) (custody.Progress, error) {
	return d.walk(ctx, id, func(ctx context.Context, r *custodydb.IntentRow) error {
		if r.State != custody.WithdrawalSigned && r.State != custody.WithdrawalReplaced {
			return nil
		}
		adapter, _, err := d.chain(ctx, r.Chain)
		if err != nil {
			return err
		}
		attempts, err := d.cfg.Store.Attempts(ctx, r.ID)
		if err != nil {
			return fmt.Errorf("read transactions: %w", err)
		}
		return d.sendNewest(ctx, adapter, r, attempts)
	})
}

// sendNewest sends the bytes of the newest attempt, for the first time or again.
func (d *Desk) sendNewest(ctx context.Context, adapter chainadapters.Adapter, r *custodydb.IntentRow, attempts []custodydb.Sent) error {
	if len(attempts) == 0 {
		return fmt.Errorf("signed transaction of %s: %w", r.ID, custody.ErrNotFound)
	}
	if err := d.keyUsable(ctx, r); err != nil {
		return err
	}
	newest := attempts[len(attempts)-1]
	crash.At(crash.SendBeforeMark)
	if err := d.cfg.Store.MarkSent(ctx, r.Chain, newest.TxID); err != nil {
		return fmt.Errorf("mark sent: %w", err)
	}
	crash.At(crash.BroadcastBefore)
	lost := adapter.Broadcast(ctx, newest.Raw)
	crash.At(crash.BroadcastAfter)
	defer crash.At(crash.SentAfter)
	if lost != nil {
		// The node's words name the house's nodes: the customer reads the reason alone.
		d.cfg.Log.WarnContext(ctx, "outcome of sending is unknown", "intent", r.ID, "txid", newest.TxID, "cause", lost)
		// The caller's end may be the cause, and must not keep us from noting it.
		return d.move(context.WithoutCancel(ctx), r, custody.EventLost, sentFacts(), "outcome of sending is not known yet")
	}
	return d.move(context.WithoutCancel(ctx), r, custody.EventSent, sentFacts(), "")
}

// keyUsable returns custody.ErrKeyHalted where a person must look first.
func (d *Desk) keyUsable(ctx context.Context, r *custodydb.IntentRow) error {
	halted, err := d.cfg.Store.KeyHalted(ctx, r.ID)
	if err != nil {
		return fmt.Errorf("look at key: %w", err)
	}
	if halted {
		return fmt.Errorf("a transaction that is not ours used a nonce of this key: %w", custody.ErrKeyHalted)
	}
	return nil
}
