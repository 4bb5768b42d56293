package custodydb

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/internal/crash"
	"strongroom/money"
)

// maxAttempts bounds how often an intent is replaced.
const maxAttempts = 64

// PlannedAttempt is what an attempt is made of, before it is signed.
type PlannedAttempt struct {
	Number uint32
	Plan   chainadapters.Plan
	MaxFee money.Units // native asset
	// Cancels tells that it takes the place of the payment and moves nothing.
	Cancels bool
	Created time.Time // filled by Plan, with the times below
	First   time.Time // when the first attempt of the intent was planned
	Refused time.Time // when the signer refused it first; zero for never
}

// Sent is a stored transaction of an intent, with what is known of its fate.
type Sent struct {
	custody.Attempt
	SentAt  time.Time         // zero before the first send was started
	Mined   bool              // on the canonical chain, as our watcher saw it
	Block   chainadapters.Ref // where Mined
	Success bool              // where Mined: it did what it says
	Fee     money.Units       // where Mined: what it cost, in the native asset
}

// putPlan stores the plan of a new attempt in tx.
func (s *Store) putPlan(ctx context.Context, tx pgx.Tx, intent string, p PlannedAttempt) error {
	plan, err := json.Marshal(p.Plan)
	if err != nil {
		return fmt.Errorf("encode plan of %s: %w", intent, err)
	}
	_, err = tx.Exec(ctx, `INSERT INTO custody.attempt_plan (intent, attempt, plan, max_fee, cancels, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		intent, p.Number, json.RawMessage(plan), p.MaxFee, p.Cancels, s.now())
	if err != nil {
		return fmt.Errorf("insert plan of %s: %w", intent, err)
	}
	return nil
}

// Plan returns the newest planned attempt of an intent, or custody.ErrNotFound.
func (s *Store) Plan(ctx context.Context, intent string) (PlannedAttempt, error) {
	var p PlannedAttempt
	var plan []byte
	var refused *time.Time
	err := s.pool.QueryRow(ctx, `SELECT attempt, plan, max_fee, cancels, created_at, refused_at,
			(SELECT min(created_at) FROM custody.attempt_plan WHERE intent = $1)
		FROM custody.attempt_plan WHERE intent = $1 ORDER BY attempt DESC LIMIT 1`, intent).Scan(
		&p.Number, &plan, &p.MaxFee, &p.Cancels, &p.Created, &refused, &p.First)
	if err != nil {
		return p, fmt.Errorf("read plan of %s: %w", intent, noRows(err))
	}
	if refused != nil {
		p.Refused = *refused
	}
	if err := json.Unmarshal(plan, &p.Plan); err != nil {
		return p, fmt.Errorf("decode plan of %s: %w", intent, err)
	}
	return p, nil
}

// PutSigned stores a signed transaction and moves its intent to signed, or to
// replaced where it was stuck, in one transaction: from here on its bytes may be
// sent. custody.ErrConflict where the intent moved meanwhile.
func (s *Store) PutSigned(ctx context.Context, r *IntentRow, a custody.Attempt) error {
	plan, err := json.Marshal(a.Plan)
	if err != nil {
		return fmt.Errorf("encode plan of %s: %w", a.Intent, err)
	}
	moved, event := *r, custody.EventSign
	if r.State == custody.WithdrawalStuck {
		event = custody.EventReplace
	}
	err = s.InTx(ctx, func(tx pgx.Tx) error {
		if err := s.Apply(ctx, tx, &moved, event, custody.WithdrawalFacts{Signed: true}, ""); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO custody.chain_tx (chain, txid, intent, kind, attempt, plan, raw, max_fee, cancels, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			a.Chain, a.TxID, a.Intent, a.Kind, a.Number, json.RawMessage(plan), a.Raw, a.MaxFee, a.Cancels, s.now())
		if err != nil {
			return fmt.Errorf("insert transaction %s: %w", a.TxID, err)
		}
		crash.At(crash.SignedBefore)
		return nil
	})
	if err == nil {
		crash.At(crash.SignedAfter)
		*r = moved
	}
	return err
}

// Attempts returns the stored transactions of an intent, oldest first.
func (s *Store) Attempts(ctx context.Context, intent string) ([]Sent, error) {
	rows, err := s.pool.Query(ctx, `SELECT intent, kind, chain, attempt, txid, raw, plan, max_fee, cancels, created_at, sent_at,
		block_height IS NOT NULL, coalesce(block_height, 0), coalesce(block_hash, ''),
		coalesce(success, false), coalesce(fee, 0)::numeric(78,0)
		FROM custody.chain_tx WHERE intent = $1 ORDER BY attempt LIMIT $2`, intent, maxAttempts)
	if err != nil {
		return nil, fmt.Errorf("read transactions of %s: %w", intent, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Sent, error) {
		var t Sent
		var sentAt *time.Time
		var plan []byte
		if err := row.Scan(&t.Intent, &t.Kind, &t.Chain, &t.Number, &t.TxID, &t.Raw, &plan, &t.MaxFee, &t.Cancels, &t.Created, &sentAt,
			&t.Mined, &t.Block.Height, &t.Block.Hash, &t.Success, &t.Fee); err != nil {
			return t, fmt.Errorf("scan: %w", err)
		}
		if sentAt != nil {
			t.SentAt = *sentAt
		}
		if err := json.Unmarshal(plan, &t.Plan); err != nil {
			return t, fmt.Errorf("decode plan: %w", err)
		}
		return t, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read transactions of %s: %w", intent, err)
	}
	return list, nil
}

// MarkSent records that a send of the transaction is about to start. The first
// time counts.
func (s *Store) MarkSent(ctx context.Context, chain chainadapters.ChainID, txid string) error {
	tag, err := s.pool.Exec(ctx, `UPDATE custody.chain_tx SET sent_at = coalesce(sent_at, $3) WHERE chain = $1 AND txid = $2`,
		chain, txid, s.now())
	if err != nil {
		return fmt.Errorf("mark %s sent: %w", txid, err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("mark %s sent: %w", txid, custody.ErrNotFound)
	}
	return nil
}
