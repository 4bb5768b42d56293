package custodydb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/custody"
)

// The acts of an operator.
const (
	actCancel   = "cancel"
	actClearKey = "clear_key"
)

func (s *Store) putOrder(ctx context.Context, tx pgx.Tx, act, subject, reason string) error {
	_, err := tx.Exec(ctx, `INSERT INTO custody.operator_order (act, subject, reason, at) VALUES ($1, $2, $3, $4)`,
		act, subject, reason, s.now())
	if err != nil {
		return fmt.Errorf("record order: %w", err)
	}
	return nil
}

// OrderCancel records an operator's order to take an intent back that waits for
// its signature or for a block, and wakes its workflow. What becomes of it the
// chain decides. custody.ErrIllegal where it is mined, has ended, or has nothing
// reserved yet; ErrReason where reason is empty.
func (s *Store) OrderCancel(ctx context.Context, intent, reason string) error {
	reason = clip(strings.TrimSpace(reason))
	if reason == "" {
		return ErrReason
	}
	return s.InTx(ctx, func(tx pgx.Tx) error {
		r, err := s.loadIntent(ctx, tx, intent, "FOR UPDATE")
		if err != nil {
			return err
		}
		if !r.State.Replaceable() {
			return fmt.Errorf("cancel %s in %s: %w", intent, r.State, custody.ErrIllegal)
		}
		if err := s.putOrder(ctx, tx, actCancel, intent, reason); err != nil {
			return err
		}
		var n int64
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM custody.operator_order WHERE subject = $1`, intent).Scan(&n); err != nil {
			return fmt.Errorf("count orders: %w", err)
		}
		key := fmt.Sprintf("%s/order/%d", intent, n)
		return PutOutbox(ctx, tx, OutboxRow{Key: key, Topic: topicOf(r.Kind), Kind: KindSignal, Subject: intent})
	})
}

// CancelOrder returns the reason of the first order to cancel an intent; empty
// where there is none.
func (s *Store) CancelOrder(ctx context.Context, intent string) (string, error) {
	var reason string
	err := s.pool.QueryRow(ctx, `SELECT reason FROM custody.operator_order WHERE subject = $1 AND act = $2 ORDER BY seq LIMIT 1`,
		intent, actCancel).Scan(&reason)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("look for order: %w", err)
	}
	return reason, nil
}

// HaltedKeys returns the sending keys that wait for a person.
func (s *Store) HaltedKeys(ctx context.Context) ([]chainadapters.Slot, []chainadapters.ChainID, error) {
	rows, err := s.pool.Query(ctx, `SELECT chain, address, next FROM custody.nonce_counter WHERE halted ORDER BY chain, address`)
	if err != nil {
		return nil, nil, fmt.Errorf("read halted keys: %w", err)
	}
	var keys []chainadapters.Slot
	var chains []chainadapters.ChainID
	var k chainadapters.Slot
	var chain chainadapters.ChainID
	if _, err := pgx.ForEachRow(rows, []any{&chain, &k.From, &k.Nonce}, func() error {
		keys, chains = append(keys, k), append(chains, chain)
		return nil
	}); err != nil {
		return nil, nil, fmt.Errorf("read halted keys: %w", err)
	}
	return keys, chains, nil
}

// maxForeign bounds how many nonces a stranger may have used.
const maxForeign = 10_000

// ClearKey is an operator's word that a halted key may be used again. count is how
// many transactions of it are in the chain: the nonces that a stranger used are
// put on record as theirs, so that ours stay without gaps. custody.ErrNotFound for
// a key that never sent, custody.ErrIllegal for one that is not halted or where
// count makes no sense, ErrReason where reason is empty.
func (s *Store) ClearKey(ctx context.Context, chain chainadapters.ChainID, address string, count uint64, reason string) error {
	reason = clip(strings.TrimSpace(reason))
	if reason == "" {
		return ErrReason
	}
	return s.InTx(ctx, func(tx pgx.Tx) error {
		var next uint64
		var halted bool
		err := tx.QueryRow(ctx, `SELECT next, halted FROM custody.nonce_counter WHERE chain = $1 AND address = $2 FOR UPDATE`,
			chain, address).Scan(&next, &halted)
		if err != nil {
			return fmt.Errorf("key %s on %s: %w", address, chain, noRows(err))
		}
		if !halted || count > math.MaxInt64 || count > next+maxForeign {
			return fmt.Errorf("key %s on %s, halted %t, next %d, chain's count %d: %w", address, chain, halted, next, count, custody.ErrIllegal)
		}
		for ; next < count; next++ {
			_, err := tx.Exec(ctx, `INSERT INTO custody.nonce_slot (chain, address, nonce, intent) VALUES ($1, $2, $3, $4)`,
				chain, address, next, fmt.Sprintf("foreign/%s/%s/%d", chain, address, next))
			if err != nil {
				return fmt.Errorf("record foreign nonce: %w", err)
			}
		}
		if _, err := tx.Exec(ctx, `UPDATE custody.nonce_counter SET halted = false, next = $3 WHERE chain = $1 AND address = $2`,
			chain, address, next); err != nil {
			return fmt.Errorf("clear key: %w", err)
		}
		return s.putOrder(ctx, tx, actClearKey, string(chain)+" "+address, reason)
	})
}
