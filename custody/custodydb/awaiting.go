package custodydb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/custody"
	"strongroom/internal/id"
)

// Awaiting lists intents that wait for people, at most limit.
func (s *Store) Awaiting(ctx context.Context, limit int) ([]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT id FROM custody.withdrawal WHERE state = $1
		UNION ALL SELECT id FROM custody.house_intent WHERE state = $1 LIMIT $2`, custody.WithdrawalAwaitingApproval, limit)
	if err != nil {
		return nil, fmt.Errorf("list intents that wait for people: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list intents that wait for people: %w", err)
	}
	return ids, nil
}

// Wake tells the workflow of an intent to look again: once for each key, each time where
// the key is empty. custody.ErrNotFound where there is no such intent.
func (s *Store) Wake(ctx context.Context, intent, key string) error {
	r, err := s.LoadIntent(ctx, intent)
	if err != nil || r.State.Ended() {
		return err
	}
	if key == "" {
		key = id.New("wake")
	}
	return s.InTx(ctx, func(tx pgx.Tx) error {
		return PutOutbox(ctx, tx, OutboxRow{Key: intent + "/" + key, Topic: topicOf(r.Kind), Kind: KindSignal, Subject: intent})
	})
}
