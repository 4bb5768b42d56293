package custodydb

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/custody"
)

// maxWithdrawalPage bounds one page of a customer's withdrawals.
const maxWithdrawalPage = 200

// selectWithdrawals reads withdrawals with the transaction that counts: the one
// that was mined, else the newest attempt.
const selectWithdrawals = `SELECT w.id, w.customer, w.asset, w.chain, w.destination, w.amount, w.fee, w.state, w.version,
	w.reason, w.created_at, w.updated_at, coalesce(t.txid, ''), coalesce(t.block_height, 0), coalesce(t.block_hash, ''),
	CASE WHEN t.block_height IS NULL THEN 0 ELSE greatest(c.height - t.block_height + 1, 0) END
	FROM custody.withdrawal w
	LEFT JOIN custody.chain c ON c.chain = w.chain
	LEFT JOIN LATERAL (SELECT txid, block_height, block_hash FROM custody.chain_tx t WHERE t.intent = w.id
		ORDER BY t.block_height IS NULL, t.attempt DESC LIMIT 1) t ON true `

func scanWithdrawal(row pgx.CollectableRow) (custody.Withdrawal, error) {
	var w custody.Withdrawal
	err := row.Scan(&w.ID, &w.Customer, &w.Asset, &w.Chain, &w.To, &w.Amount, &w.Fee, &w.State, &w.Version,
		&w.Reason, &w.CreatedAt, &w.UpdatedAt, &w.TxID, &w.Block.Height, &w.Block.Hash, &w.Confirmations)
	if err != nil {
		return w, fmt.Errorf("scan withdrawal: %w", err)
	}
	w.CreatedAt, w.UpdatedAt = w.CreatedAt.UTC(), w.UpdatedAt.UTC()
	return w, nil
}

// Withdrawal returns a customer's withdrawal, or custody.ErrNotFound, also where
// it is another customer's.
func (s *Store) Withdrawal(ctx context.Context, customer, withdrawal string) (custody.Withdrawal, error) {
	rows, err := s.pool.Query(ctx, selectWithdrawals+"WHERE w.id = $1 AND w.customer = $2", withdrawal, customer)
	if err != nil {
		return custody.Withdrawal{}, fmt.Errorf("read withdrawal: %w", err)
	}
	w, err := pgx.CollectExactlyOneRow(rows, scanWithdrawal)
	if err != nil {
		return w, fmt.Errorf("read withdrawal %.64s: %w", withdrawal, noRows(err))
	}
	return w, nil
}

// Withdrawals returns a customer's withdrawals, newest first: at most limit, from
// the one after cursor (empty for the newest). next is the cursor of the
// following page, empty where there is none.
func (s *Store) Withdrawals(ctx context.Context, customer, cursor string, limit int) (list []custody.Withdrawal, next string, err error) {
	limit = min(max(limit, 1), maxWithdrawalPage)
	rows, err := s.pool.Query(ctx, selectWithdrawals+`WHERE w.customer = $1 AND ($2 = '' OR w.id < $2) ORDER BY w.id DESC LIMIT $3`,
		customer, cursor, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("read withdrawals: %w", err)
	}
	if list, err = pgx.CollectRows(rows, scanWithdrawal); err != nil {
		return nil, "", fmt.Errorf("read withdrawals: %w", err)
	}
	if len(list) > limit {
		list = list[:limit]
		next = list[limit-1].ID
	}
	return list, next, nil
}

// CancelWithdrawal releases what a withdrawal holds, at its customer's wish. It
// returns custody.ErrIllegal once the withdrawal is reserved: from there on a
// signed transaction may exist. Cancelled again, it answers the same.
func (s *Store) CancelWithdrawal(ctx context.Context, customer, withdrawal string) (custody.Withdrawal, error) {
	if _, err := s.Withdrawal(ctx, customer, withdrawal); err != nil {
		return custody.Withdrawal{}, err
	}
	r, err := s.Release(ctx, withdrawal, custody.EventCancel, "cancelled by the customer")
	if err != nil {
		return custody.Withdrawal{}, err
	}
	if r.State != custody.WithdrawalCancelled {
		return custody.Withdrawal{}, fmt.Errorf("withdrawal %s is %s: %w", withdrawal, r.State, custody.ErrIllegal)
	}
	return s.Withdrawal(ctx, customer, withdrawal)
}

// maxRaces bounds how often a lost compare-and-set is tried again.
const maxRaces = 5

// Release ends an intent that was never signed, by event cancel, reject, block or
// expire, and gives back what it holds, in one transaction. An intent that has
// ended already is returned as it is. Errors: custody.ErrNotFound, and
// custody.ErrIllegal where it may have been signed.
func (s *Store) Release(ctx context.Context, intent string, event custody.WithdrawalEvent, reason string) (IntentRow, error) {
	for range maxRaces {
		r, err := s.LoadIntent(ctx, intent)
		if err != nil || r.State.Ended() {
			return r, err
		}
		if _, err := custody.Step(r.State, event, custody.WithdrawalFacts{}); err != nil {
			return r, fmt.Errorf("release %s: %w", intent, err)
		}
		released, err := s.release(ctx, r, event, clip(reason))
		if err == nil || !errors.Is(err, custody.ErrConflict) {
			return released, err
		}
	}
	return IntentRow{}, fmt.Errorf("release %s: %w", intent, custody.ErrConflict)
}

func (s *Store) release(ctx context.Context, r IntentRow, event custody.WithdrawalEvent, reason string) (IntentRow, error) {
	apply := func(ctx context.Context, tx pgx.Tx) error {
		moving := r
		if err := s.Apply(ctx, tx, &moving, event, custody.WithdrawalFacts{}, reason); err != nil {
			return err
		}
		if r.Kind != custody.IntentWithdrawal {
			return nil
		}
		return PutOutbox(ctx, tx, OutboxRow{Key: r.ID + "/released", Topic: TopicWithdrawal, Kind: KindSignal, Subject: r.ID})
	}
	var err error
	if r.Kind == custody.IntentWithdrawal {
		_, err = s.cfg.Ledger.Post(ctx, releaseTransaction(r), apply)
	} else {
		err = s.InTx(ctx, func(tx pgx.Tx) error { return apply(ctx, tx) })
	}
	if err != nil {
		return r, fmt.Errorf("release %s: %w", r.ID, err)
	}
	return s.LoadIntent(ctx, r.ID)
}
