package desk

import (
	"context"
	"fmt"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
)

// sighting is what node and watcher know of all transactions of an intent.
type sighting struct {
	attempts []custodydb.Sent
	// mined is the attempt that node or watcher see in a block; nil for none.
	mined *custodydb.Sent
	// byNode and byUs tell who sees it there.
	byNode, byUs bool
	pooled       bool // the node has one of them waiting
	fresh        bool // and that is the newest one
	facts        custody.WithdrawalFacts
}

// Observe asks the node about every transaction that was ever signed for the
// intent and moves it accordingly: towards final, back after a reorganisation, to
// stuck and from there to a higher bid, or it sends the same bytes once more where
// they are nowhere. A payment that failed on chain for good, or that our own
// cancellation took the place of, is released and the fee booked.
func (d *Desk) Observe(ctx context.Context, id string) (custody.Progress, error) {
	return d.walk(ctx, id, d.observe)
}

func (d *Desk) observe(ctx context.Context, r *custodydb.IntentRow) error {
	switch r.State { //nolint:exhaustive // nothing of the others is on its way
	case custody.WithdrawalBroadcast, custody.WithdrawalUnknown, custody.WithdrawalConfirming, custody.WithdrawalReorged,
		custody.WithdrawalStuck, custody.WithdrawalSigned, custody.WithdrawalReplaced, custody.WithdrawalFinal:
	default:
		return nil
	}
	adapter, status, err := d.chain(ctx, r.Chain)
	if err != nil {
		return err
	}
	s, err := d.look(ctx, adapter, status.Cursor, r)
	if err != nil {
		return err
	}
	if s.mined != nil {
		return d.mined(ctx, r, s)
	}
	return d.unmined(ctx, adapter, r, s)
}

// look compares the node's answers with what the watcher has taken in.
func (d *Desk) look(ctx context.Context, adapter chainadapters.Adapter, cursor chainadapters.Ref, r *custodydb.IntentRow) (sighting, error) {
	s := sighting{facts: sentFacts()}
	asset, err := d.asset(r)
	if err != nil {
		return s, err
	}
	if s.attempts, err = d.cfg.Store.Attempts(ctx, r.ID); err != nil {
		return s, fmt.Errorf("read transactions: %w", err)
	}
	txids := make([]string, len(s.attempts))
	for i, a := range s.attempts {
		txids[i] = a.TxID
	}
	statuses, err := adapter.Statuses(ctx, txids)
	if err != nil {
		return s, fmt.Errorf("ask node: %w", err)
	}
	if len(statuses) != len(txids) {
		return s, fmt.Errorf("ask node: %d answers for %d transactions: %w", len(statuses), len(txids), chainadapters.ErrIncomplete)
	}
	s.facts.FinalDepth = asset.FinalDepth
	for i := range s.attempts {
		s.add(&s.attempts[i], statuses[i], cursor)
	}
	s.fresh = len(statuses) > 0 && statuses[len(statuses)-1].State == chainadapters.Pooled
	return s, nil
}

// add takes one attempt into the picture. At most one of them can be in the
// node's chain, and at most one in ours; where they differ, they do not agree.
func (s *sighting) add(a *custodydb.Sent, status chainadapters.TxStatus, cursor chainadapters.Ref) {
	there := status.State == chainadapters.Mined
	s.pooled = s.pooled || status.State == chainadapters.Pooled
	s.byNode = s.byNode || there
	s.byUs = s.byUs || a.Mined
	if !there && !a.Mined {
		return
	}
	if s.mined == nil || a.Mined {
		s.mined = a
	}
	if there && a.Mined && status.Block == a.Block && status.Success == a.Success {
		s.facts.Agreed, s.facts.Success, s.facts.Pays = true, a.Success, !a.Cancels
		s.facts.Depth = custody.Confirmations(a.Block.Height, cursor.Height)
	}
}

// mined handles an intent one of whose transactions is in a block, by the node's
// word or by ours.
func (d *Desk) mined(ctx context.Context, r *custodydb.IntentRow, s sighting) error {
	if r.State == custody.WithdrawalFinal {
		return nil // Settle reads it all again
	}
	if r.State != custody.WithdrawalConfirming {
		if err := d.move(ctx, r, custody.EventMine, s.facts, ""); err != nil {
			return err
		}
	}
	switch {
	case !s.byNode:
		return d.note(ctx, r, "the node does not see its block any more")
	case !s.facts.Agreed:
		return nil // the watcher is not there yet, or will rewind
	case s.facts.Depth < s.facts.FinalDepth:
		return d.note(ctx, r, "")
	case !s.facts.Success:
		return d.undo(ctx, r, s, custody.EventRevert, "the transaction failed on chain")
	case !s.facts.Pays:
		return d.undo(ctx, r, s, custody.EventCancelMined, d.whyCancelled(ctx, r))
	}
	return d.move(ctx, r, custody.EventFinalise, s.facts, "")
}

// unmined handles an intent none of whose transactions is in a block.
func (d *Desk) unmined(ctx context.Context, adapter chainadapters.Adapter, r *custodydb.IntentRow, s sighting) error {
	switch r.State { //nolint:exhaustive // observe lets no others in
	case custody.WithdrawalConfirming, custody.WithdrawalFinal:
		if err := d.move(ctx, r, custody.EventReorg, s.facts, "its block left the chain"); err != nil {
			return err
		}
	case custody.WithdrawalSigned, custody.WithdrawalReplaced:
		if !s.fresh {
			return nil // Send's turn
		}
	}
	if err := d.keyUsable(ctx, r); err != nil {
		return err
	}
	if s.fresh && r.State != custody.WithdrawalStuck && r.State != custody.WithdrawalBroadcast {
		return d.move(ctx, r, custody.EventSent, s.facts, "")
	}
	if !s.fresh {
		if err := d.sendAgain(ctx, adapter, r, s.attempts); err != nil {
			return err
		}
	}
	return d.waiting(ctx, adapter, r, s)
}

// sendAgain offers the node what it does not have. What is stuck stays stuck.
func (d *Desk) sendAgain(ctx context.Context, adapter chainadapters.Adapter, r *custodydb.IntentRow, attempts []custodydb.Sent) error {
	if r.State != custody.WithdrawalStuck {
		return d.sendAny(ctx, adapter, r, attempts)
	}
	_, err := d.offer(ctx, adapter, r, attempts)
	return err
}

// waiting handles an intent none of whose transactions is in a block, after the
// node was offered them.
func (d *Desk) waiting(ctx context.Context, adapter chainadapters.Adapter, r *custodydb.IntentRow, s sighting) error {
	newest := s.attempts[len(s.attempts)-1]
	switch r.State { //nolint:exhaustive // the others have just been found again
	case custody.WithdrawalStuck:
		return d.replace(ctx, adapter, r, newest)
	case custody.WithdrawalBroadcast, custody.WithdrawalUnknown:
		why, err := d.stalled(ctx, adapter, r, newest)
		if err != nil {
			return err
		}
		if why != "" {
			return d.move(ctx, r, custody.EventStall, s.facts, why)
		}
		if r.State == custody.WithdrawalBroadcast {
			return d.note(ctx, r, "")
		}
	}
	return nil
}
