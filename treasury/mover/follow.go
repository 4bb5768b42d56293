package mover

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/treasury"
	"strongroom/treasury/intent"
)

// SweepID is the id of the intent that carries a sweep: "swp_…n1" of "mov_…/1". A move
// has one, for ever.
func SweepID(move string) string {
	return "swp_" + strings.ReplaceAll(strings.TrimPrefix(move, "mov_"), "/", "n")
}

func sweepIDs(open []treasury.MoveRow) []string {
	var ids []string
	for i := range open {
		if open[i].Kind == intent.Sweep {
			ids = append(ids, SweepID(open[i].ID))
		}
	}
	return ids
}

// follow brings each move to where its intent is, and has those carried that nobody
// carries yet: what was planned just before a crash. It returns those that are open still.
func (m *Mover) follow(ctx context.Context, s *side, open []treasury.MoveRow, sweeps map[string]custody.Progress) ([]treasury.MoveRow, error) {
	var left []treasury.MoveRow
	for i := range open {
		row := &open[i]
		if row.Chain != string(s.info.Chain) {
			continue
		}
		p, carried := sweeps[SweepID(row.ID)]
		var err error
		if row.Kind != intent.Sweep || !carried {
			err = m.carry(ctx, s, row)
		} else {
			err = m.advance(ctx, row, p)
		}
		switch {
		case errors.Is(err, treasury.ErrConflict): // another process was first: the next round sees
		case err != nil:
			return nil, err
		case row.State.Open():
			left = append(left, *row)
		}
	}
	return left, nil
}

// carry hands a move to whoever carries it. Done twice it is done once.
func (m *Mover) carry(ctx context.Context, s *side, row *treasury.MoveRow) error {
	switch {
	case row.Kind == intent.Sweep:
		w := custodydb.Sweep{ID: SweepID(row.ID), Asset: row.Asset, To: s.place[row.To], Amount: row.Amount}
		if err := m.cfg.Custody.OpenSweep(ctx, w); err != nil {
			return fmt.Errorf("open sweep of %s: %w", row.ID, err)
		}
	case m.cfg.Refills != nil:
		if err := m.cfg.Refills.Refill(ctx, *row); err != nil {
			return fmt.Errorf("begin refill of %s: %w", row.ID, err)
		}
	}
	return nil
}

// stage is where a move is whose intent is in a state.
func stage(row *treasury.MoveRow, state custody.WithdrawalState) treasury.MoveState {
	switch state { //nolint:exhaustive // the others come before the signature
	case custody.WithdrawalSigned:
		return treasury.MoveSigned
	case custody.WithdrawalBroadcast, custody.WithdrawalUnknown, custody.WithdrawalConfirming, custody.WithdrawalReorged,
		custody.WithdrawalStuck, custody.WithdrawalReplaced, custody.WithdrawalFinal:
		return treasury.MoveSent
	case custody.WithdrawalPosted:
		return treasury.MoveFinal
	case custody.WithdrawalReverted:
		return treasury.MoveFailed
	case custody.WithdrawalCancelled, custody.WithdrawalRejected, custody.WithdrawalExpired, custody.WithdrawalBlocked:
		if row.State == treasury.MoveProposed {
			return treasury.MoveRecalled
		}
		return treasury.MoveFailed
	}
	return treasury.MoveProposed
}

// advance takes a move where its intent is: what was signed is noted as signed first,
// also where it is long sent.
func (m *Mover) advance(ctx context.Context, row *treasury.MoveRow, p custody.Progress) error {
	to := stage(row, p.State)
	steps := []treasury.MoveState{to}
	if row.State == treasury.MoveProposed && (to == treasury.MoveSent || to == treasury.MoveFinal) {
		steps = []treasury.MoveState{treasury.MoveSigned, to}
	}
	for _, next := range steps {
		if next == row.State || next == treasury.MoveProposed || next == treasury.MoveSigned && row.State == treasury.MoveSent {
			continue
		}
		change := treasury.MoveChange{To: next, TxID: p.TxID}
		if !next.Open() {
			change.Outcome = p.Reason
			if change.Outcome == "" {
				change.Outcome = "it is " + string(p.State)
			}
		}
		moved, err := m.cfg.Vaults.Advance(ctx, row.ID, row.Version, change)
		if err != nil {
			return fmt.Errorf("advance %s to %s: %w", row.ID, next, err)
		}
		*row = moved
	}
	return nil
}
