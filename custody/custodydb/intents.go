package custodydb

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/custody"
	"strongroom/money"
)

// IntentRow is a withdrawal, a collection or a gas top-up as it stands.
type IntentRow struct {
	custody.Intent
	Customer string      // withdrawals
	Fee      money.Units // withdrawals: what the customer pays, in Asset
	From     string      // collections, top-ups and refills on account chains: who sends; empty for the hot wallet or coins
	Vault    string      // sweeps: where they go; refills and payments out of vaults: where they come from
	// Of payments out of vaults, for people: who asked, and why.
	Requester, Purpose string

	State   custody.WithdrawalState
	Version uint64
	Reason  string
	Updated time.Time
}

// Progress returns the row as its workflow needs it.
func (r IntentRow) Progress(txid string) custody.Progress {
	return custody.Progress{ID: r.ID, Kind: r.Kind, State: r.State, Ended: r.State.Ended(), TxID: txid, Reason: r.Reason}
}

// table returns the table that holds an intent, by the prefix of its id.
func table(intent string) string {
	if strings.HasPrefix(intent, "wdr_") {
		return "custody.withdrawal"
	}
	return "custody.house_intent"
}

// LoadIntent returns an intent, or custody.ErrNotFound.
func (s *Store) LoadIntent(ctx context.Context, intent string) (IntentRow, error) {
	return s.loadIntent(ctx, s.pool, intent, "")
}

func (s *Store) loadIntent(ctx context.Context, q queryer, intent, lock string) (IntentRow, error) {
	columns := "id, 'withdrawal', asset, chain, destination, amount, state, version, reason, updated_at, customer, fee, '', '', '', ''"
	if table(intent) != "custody.withdrawal" {
		columns = "id, kind, asset, chain, destination, amount, state, version, reason, updated_at, '', 0::numeric(78,0), from_address, vault, requester, purpose"
	}
	var r IntentRow
	err := q.QueryRow(ctx, "SELECT "+columns+" FROM "+table(intent)+" WHERE id = $1 "+lock, intent).Scan(
		&r.ID, &r.Kind, &r.Asset, &r.Chain, &r.To, &r.Amount, &r.State, &r.Version, &r.Reason, &r.Updated, &r.Customer, &r.Fee, &r.From, &r.Vault, &r.Requester, &r.Purpose)
	if err != nil {
		return r, fmt.Errorf("read intent %.64s: %w", intent, noRows(err))
	}
	asset, ok := s.cfg.Assets.AssetByCode(r.Asset)
	if !ok {
		return r, fmt.Errorf("intent %s: asset %s: %w", r.ID, r.Asset, custody.ErrAsset)
	}
	r.Environment, r.Contract = s.cfg.Environment, asset.Contract
	return r, nil
}

// Apply moves an intent by an event in tx, by compare-and-set on the state and
// version in r, and tells the customer. It returns custody.ErrIllegal where the
// rules forbid the move, custody.ErrConflict where the row has changed.
func (s *Store) Apply(ctx context.Context, tx pgx.Tx, r *IntentRow, event custody.WithdrawalEvent, facts custody.WithdrawalFacts, reason string) error {
	next, err := custody.Step(r.State, event, facts)
	if err != nil {
		return fmt.Errorf("intent %s: %w", r.ID, err)
	}
	if next == r.State && reason == r.Reason {
		return nil
	}
	// Customer first, rows after: the same order everywhere, so that nobody waits
	// in a circle.
	if r.Kind == custody.IntentWithdrawal {
		if err := lockCustomer(ctx, tx, r.Customer); err != nil {
			return err
		}
	}
	now := s.now()
	tag, err := tx.Exec(ctx, "UPDATE "+table(r.ID)+` SET state = $4, version = version + 1, reason = $5, updated_at = $6
		WHERE id = $1 AND state = $2 AND version = $3`, r.ID, r.State, r.Version, next, reason, now)
	if err != nil {
		return fmt.Errorf("update intent %s: %w", r.ID, err)
	}
	if err := won(tag, "update intent "+r.ID); err != nil {
		return err
	}
	moved := next != r.State
	r.State, r.Version, r.Reason, r.Updated = next, r.Version+1, reason, now
	if !moved {
		return nil
	}
	return s.tell(ctx, tx, *r)
}

// Move is Apply in a transaction of its own.
func (s *Store) Move(ctx context.Context, r *IntentRow, event custody.WithdrawalEvent, facts custody.WithdrawalFacts, reason string) error {
	moved := *r
	if err := s.InTx(ctx, func(tx pgx.Tx) error {
		return s.Apply(ctx, tx, &moved, event, facts, reason)
	}); err != nil {
		return err
	}
	*r = moved
	return nil
}

// SetReason notes why an intent waits, for people. It changes neither state nor
// version nor the time of the last move, and nothing where the row has moved on.
func (s *Store) SetReason(ctx context.Context, r *IntentRow, reason string) error {
	reason = clip(reason)
	if r.Reason == reason {
		return nil
	}
	_, err := s.pool.Exec(ctx, "UPDATE "+table(r.ID)+` SET reason = $4 WHERE id = $1 AND state = $2 AND version = $3`,
		r.ID, r.State, r.Version, reason)
	if err != nil {
		return fmt.Errorf("note reason of %s: %w", r.ID, err)
	}
	r.Reason = reason
	return nil
}

// maxReason bounds a reason, in bytes: it may quote a node.
const maxReason = 500

func clip(reason string) string {
	reason = strings.ToValidUTF8(strings.ReplaceAll(reason, "\x00", ""), "?")
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "")
	}
	return reason
}

// moved is what a customer reads about a withdrawal in an event.
type moved struct {
	ID      string                  `json:"id"`
	Asset   string                  `json:"asset"`
	Amount  money.Units             `json:"amount"`
	State   custody.WithdrawalState `json:"state"`
	Version uint64                  `json:"version"`
	Reason  string                  `json:"reason,omitempty"`
}

// tell writes what the move means for others: the customer's event and, where
// the intent ended unpaid, what it had taken.
func (s *Store) tell(ctx context.Context, tx pgx.Tx, r IntentRow) error {
	unpaid := r.State.Ended() && r.State != custody.WithdrawalPosted
	if r.Kind != custody.IntentWithdrawal {
		if unpaid {
			return releaseDeposits(ctx, tx, r.ID)
		}
		return nil
	}
	if unpaid {
		if err := releaseLimit(ctx, tx, r.ID); err != nil {
			return err
		}
	}
	data := moved{ID: r.ID, Asset: r.Asset, Amount: r.Amount, State: r.State, Version: r.Version, Reason: r.Reason}
	return s.PutEvent(ctx, tx, r.Customer, "withdrawal."+string(r.State), r.ID, data)
}

// releaseDeposits lets another collection take what this one did not move: all of
// it, unless a transaction that took it back spent some of its coins.
func releaseDeposits(ctx context.Context, tx pgx.Tx, intent string) error {
	_, err := tx.Exec(ctx, `UPDATE custody.deposit d SET collected_by = NULL WHERE d.collected_by = $1
		AND NOT EXISTS (SELECT FROM custody.coin c JOIN custody.chain_tx t ON t.chain = c.chain AND t.txid = c.spent_by
			WHERE c.chain = d.chain AND c.txid = d.txid AND c.vout = d.idx AND t.intent = $1)`, intent)
	if err != nil {
		return fmt.Errorf("release deposits of %s: %w", intent, err)
	}
	_, err = tx.Exec(ctx, `DELETE FROM custody.coin_lock l WHERE intent = $1
		AND NOT EXISTS (SELECT FROM custody.chain_tx t WHERE t.intent = $1)`, intent)
	if err != nil {
		return fmt.Errorf("release coins of %s: %w", intent, err)
	}
	return nil
}
