package custodydb

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/custody"
)

// ErrAttempts reports an intent that was replaced as often as can be.
var ErrAttempts = errors.New("no further attempt is allowed")

// ErrChangeSpent reports an intent that another one is built on: replacing it would
// undo that one.
var ErrChangeSpent = errors.New("another payment spends its change")

// Replanner makes the next attempt of an intent. free are coins that it may add;
// on account chains there are none. It MUST be pure: it runs while others wait.
type Replanner func(free []chainadapters.Coin) (PlannedAttempt, error)

// PlanNext stores the plan of an intent's next attempt and promises it the coins
// that it adds, in one transaction that also makes every other step of the intent
// begin anew. custody.ErrConflict where the row moved meanwhile, ErrAttempts or
// ErrChangeSpent where it cannot be replaced; errors of next pass through.
func (s *Store) PlanNext(ctx context.Context, r *IntentRow, next Replanner) (PlannedAttempt, error) {
	adapter, ok := s.cfg.Adapters[r.Chain]
	if !ok {
		return PlannedAttempt{}, fmt.Errorf("chain %s is not served: %w", r.Chain, custody.ErrAsset)
	}
	var attempt PlannedAttempt
	err := s.InTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE "+table(r.ID)+` SET version = version + 1 WHERE id = $1 AND state = $2 AND version = $3`,
			r.ID, r.State, r.Version)
		if err != nil {
			return fmt.Errorf("claim intent %s: %w", r.ID, err)
		}
		if err := won(tag, "claim intent "+r.ID); err != nil {
			return err
		}
		var free []chainadapters.Coin
		if adapter.Family() == chainadapters.UTXO {
			if free, err = replacementCoins(ctx, tx, r); err != nil {
				return err
			}
		}
		if attempt, err = next(free); err != nil {
			return err
		}
		if attempt.Number > maxAttempts {
			return fmt.Errorf("attempt %d of %s: %w", attempt.Number, r.ID, ErrAttempts)
		}
		if err := promiseMore(ctx, tx, r, attempt.Plan.Coins); err != nil {
			return err
		}
		return s.putPlan(ctx, tx, r.ID, attempt)
	})
	if err != nil {
		return PlannedAttempt{}, err
	}
	r.Version++
	attempt.Created = s.now()
	return attempt, nil
}

// replacementCoins returns the coins that a replacement may add. Whoever builds on
// the change of one of the intent's transactions would lose it with a replacement.
func replacementCoins(ctx context.Context, tx pgx.Tx, r *IntentRow) ([]chainadapters.Coin, error) {
	free, err := lockHotCoins(ctx, tx, r.Chain)
	if err != nil {
		return nil, err
	}
	var promised bool
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM custody.coin_lock l JOIN custody.chain_tx t ON t.chain = l.chain AND t.txid = l.txid
		WHERE t.intent = $1 AND l.intent <> $1)`, r.ID).Scan(&promised)
	switch {
	case err != nil:
		return nil, fmt.Errorf("look at change of %s: %w", r.ID, err)
	case promised:
		return nil, fmt.Errorf("replace %s: %w", r.ID, ErrChangeSpent)
	}
	return free, nil
}

// promiseMore promises those of coins to the intent that it does not have yet.
func promiseMore(ctx context.Context, tx pgx.Tx, r *IntentRow, coins []chainadapters.Coin) error {
	var more []chainadapters.Coin
	for _, c := range coins {
		var mine bool
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM custody.coin_lock WHERE chain = $1 AND txid = $2 AND vout = $3 AND intent = $4)`,
			r.Chain, c.TxID, c.Vout, r.ID).Scan(&mine)
		if err != nil {
			return fmt.Errorf("look at coin %s:%d: %w", c.TxID, c.Vout, err)
		}
		if !mine {
			more = append(more, c)
		}
	}
	return lockCoins(ctx, tx, r.Chain, r.ID, more)
}

// freeUnspent gives back what an ended intent had been promised and its mined
// transaction did not take: its other attempts spend a coin that is gone.
func freeUnspent(ctx context.Context, tx pgx.Tx, intent string) error {
	_, err := tx.Exec(ctx, `DELETE FROM custody.coin_lock l USING custody.coin c
		WHERE l.intent = $1 AND c.chain = l.chain AND c.txid = l.txid AND c.vout = l.vout AND c.spent_by IS NULL`, intent)
	if err != nil {
		return fmt.Errorf("free coins of %s: %w", intent, err)
	}
	return nil
}

// MarkRefused records that the signer refused an attempt. The first time counts.
func (s *Store) MarkRefused(ctx context.Context, intent string, attempt uint32) error {
	_, err := s.pool.Exec(ctx, `UPDATE custody.attempt_plan SET refused_at = coalesce(refused_at, $3) WHERE intent = $1 AND attempt = $2`,
		intent, attempt, s.now())
	if err != nil {
		return fmt.Errorf("mark %s refused: %w", intent, err)
	}
	return nil
}
