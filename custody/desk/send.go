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
		if err := d.keyUsable(ctx, r); err != nil {
			return err
		}
		return d.sendAny(ctx, adapter, r, attempts)
	})
}

// sendAny offers the node what was signed for an intent, for the first time or
// again, and notes what came of it.
func (d *Desk) sendAny(ctx context.Context, adapter chainadapters.Adapter, r *custodydb.IntentRow, attempts []custodydb.Sent) error {
	taken, err := d.offer(ctx, adapter, r, attempts)
	if err != nil {
		return err
	}
	event, why := custody.EventSent, ""
	if !taken {
		event, why = custody.EventLost, "outcome of sending is not known yet"
	}
	// The caller's end may be the cause, and must not keep us from noting it.
	if err := d.move(context.WithoutCancel(ctx), r, event, sentFacts(), why); err != nil {
		return err
	}
	crash.At(crash.SentAfter)
	return nil
}

// offer hands the node the bytes of the newest attempt or, where it does not take
// them, of one before: any of them that waits is better than none. It reports
// whether the node has one.
func (d *Desk) offer(ctx context.Context, adapter chainadapters.Adapter, r *custodydb.IntentRow, attempts []custodydb.Sent) (bool, error) {
	if len(attempts) == 0 {
		return false, fmt.Errorf("signed transaction of %s: %w", r.ID, custody.ErrNotFound)
	}
	for _, a := range slices.Backward(attempts) {
		crash.At(crash.SendBeforeMark)
		if err := d.cfg.Store.MarkSent(ctx, r.Chain, a.TxID); err != nil {
			return false, fmt.Errorf("mark sent: %w", err)
		}
		crash.At(crash.BroadcastBefore)
		lost := adapter.Broadcast(ctx, a.Raw)
		crash.At(crash.BroadcastAfter)
		if lost == nil {
			return true, nil
		}
		// The node's words name the house's nodes: the customer reads the reason alone.
		d.cfg.Log.WarnContext(ctx, "outcome of sending is unknown", "intent", r.ID, "txid", a.TxID, "cause", lost)
		if !errors.Is(lost, chainadapters.ErrRefused) {
			break // the node is not there for the others either
		}
	}
	return false, nil
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
