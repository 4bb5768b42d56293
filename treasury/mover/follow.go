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
	"strongroom/treasury/vault"
)

// IntentID is the id of the intent that carries a move: "swp_…n1" of the sweep "mov_…/1",
// "rfl_…n1" of such a refill. A move has one, for ever.
func IntentID(row *treasury.MoveRow) string {
	prefix := "swp_"
	if row.Kind == intent.Refill {
		prefix = "rfl_"
	}
	return prefix + strings.ReplaceAll(strings.TrimPrefix(row.ID, "mov_"), "/", "n")
}

func intentIDs(open []treasury.MoveRow) []string {
	ids := make([]string, len(open))
	for i := range open {
		ids[i] = IntentID(&open[i])
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
		p, carried := sweeps[IntentID(row)]
		var err error
		if carried {
			err = m.advance(ctx, row, p)
		} else {
			err = m.carry(ctx, s, row)
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
	var err error
	if row.Kind == intent.Refill {
		err = m.cfg.Custody.OpenRefill(ctx, custodydb.Refill{ID: IntentID(row), Asset: row.Asset, Vault: s.wallet[row.From], Amount: row.Amount})
	} else {
		err = m.cfg.Custody.OpenSweep(ctx, custodydb.Sweep{ID: IntentID(row), Asset: row.Asset, To: s.place[row.To], Amount: row.Amount})
	}
	if err != nil {
		return fmt.Errorf("open %s of %s: %w", row.Kind, row.ID, err)
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
	if to == treasury.MoveFinal { // before nobody looks at it any more
		if err := m.proven(ctx, row.From, p.TxID); err != nil {
			return err
		}
	}
	for _, next := range steps(row, to) {
		moved, err := m.cfg.Vaults.Advance(ctx, row.ID, row.Version, changeTo(next, p))
		if err != nil {
			return fmt.Errorf("advance %s to %s: %w", row.ID, next, err)
		}
		*row = moved
	}
	return nil
}

// steps are the states that a move goes through to where its intent is.
func steps(row *treasury.MoveRow, to treasury.MoveState) []treasury.MoveState {
	switch {
	case to == row.State, to == treasury.MoveProposed, to == treasury.MoveSigned && row.State == treasury.MoveSent:
		return nil
	case row.State == treasury.MoveProposed && (to == treasury.MoveSent || to == treasury.MoveFinal):
		return []treasury.MoveState{treasury.MoveSigned, to}
	}
	return []treasury.MoveState{to}
}

// changeTo is what is known of a move in its next state.
func changeTo(next treasury.MoveState, p custody.Progress) treasury.MoveChange {
	change := treasury.MoveChange{To: next, TxID: p.TxID}
	if next.Open() {
		return change
	}
	change.Outcome = p.Reason
	if change.Outcome == "" {
		change.Outcome = "it is " + string(p.State)
	}
	return change
}

// proven notes that a vault's keys were under control: they have paid.
func (m *Mover) proven(ctx context.Context, id, txid string) error {
	err := m.cfg.Vaults.Prove(ctx, treasury.ProofRow{
		Proof: vault.Proof{Vault: id, At: m.cfg.Clock().Unix()}, Kind: treasury.ProofPayment, Evidence: txid,
	})
	if err != nil {
		return fmt.Errorf("keep proof of %s: %w", id, err)
	}
	return nil
}
