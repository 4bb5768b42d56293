package custodydb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/custody"
)

// outboxChannel is the NOTIFY channel that wakes the dispatcher.
const outboxChannel = "custody_outbox"

// maxOutboxPage bounds one read of the outbox.
const maxOutboxPage = 1000

// The topics of the outbox: one per kind of workflow.
const (
	TopicWithdrawal = "withdrawal"
	TopicDeposit    = "deposit"
	TopicCollect    = "collect"
	TopicTransfer   = "transfer"  // between funding and trading
	TopicSweep      = "sweep"     // hot wallet to vault
	TopicRefill     = "refill"    // vault to hot wallet
	TopicColdSpend  = "coldspend" // vault to an outside address
)

// topicOf is the topic of the workflow that carries an intent.
func topicOf(kind custody.IntentKind) string {
	switch kind { //nolint:exhaustive // the others are the house's own
	case custody.IntentWithdrawal:
		return TopicWithdrawal
	case custody.IntentSweep:
		return TopicSweep
	case custody.IntentRefill:
		return TopicRefill
	case custody.IntentColdSpend:
		return TopicColdSpend
	}
	return TopicCollect
}

// The kinds of message in the outbox.
const (
	KindStart  = "start"  // begin the workflow <topic>/<subject>
	KindSignal = "signal" // tell the workflow <topic>/<subject> that something moved
)

// OutboxRow is a message that another part must get at least once.
type OutboxRow struct {
	Seq     int64
	Key     string // unique: the same fact is told once
	Topic   string
	Kind    string
	Subject string
	Payload json.RawMessage // nil for {}
}

// PutOutbox adds a message in tx; a key that is there already changes nothing.
// The dispatcher wakes when tx commits.
func PutOutbox(ctx context.Context, tx pgx.Tx, row OutboxRow) error {
	payload := row.Payload
	if payload == nil {
		payload = json.RawMessage("{}")
	}
	tag, err := tx.Exec(ctx, `INSERT INTO custody.outbox (key, topic, kind, subject, payload) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (key) DO NOTHING`, row.Key, row.Topic, row.Kind, row.Subject, payload)
	if err != nil {
		return fmt.Errorf("insert outbox row %s: %w", row.Key, err)
	}
	if tag.RowsAffected() == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, "NOTIFY "+outboxChannel); err != nil {
		return fmt.Errorf("notify outbox: %w", err)
	}
	return nil
}

// Outbox returns the oldest unsent messages, at most limit.
func (s *Store) Outbox(ctx context.Context, limit int) ([]OutboxRow, error) {
	rows, err := s.pool.Query(ctx, `SELECT seq, key, topic, kind, subject, payload FROM custody.outbox
		WHERE sent_at IS NULL ORDER BY seq LIMIT $1`, min(max(limit, 1), maxOutboxPage))
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[OutboxRow])
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	return list, nil
}

// OutboxSent marks messages as delivered.
func (s *Store) OutboxSent(ctx context.Context, seqs []int64) error {
	_, err := s.pool.Exec(ctx, `UPDATE custody.outbox SET sent_at = $2 WHERE seq = ANY($1) AND sent_at IS NULL`, seqs, s.now())
	if err != nil {
		return fmt.Errorf("mark outbox sent: %w", err)
	}
	return nil
}

// OutboxWait returns when there are unsent messages, or after atMost. It listens
// before it looks, so that no wake-up falls in between.
func (s *Store) OutboxWait(ctx context.Context, atMost time.Duration) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("listen to outbox: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "LISTEN "+outboxChannel); err != nil {
		return fmt.Errorf("listen to outbox: %w", err)
	}
	defer func() {
		// A session that goes back to the pool must not collect notifications.
		if _, err := conn.Exec(context.WithoutCancel(ctx), "UNLISTEN *"); err != nil {
			_ = conn.Conn().Close(context.WithoutCancel(ctx)) // the pool drops closed sessions
		}
	}()
	var waiting bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM custody.outbox WHERE sent_at IS NULL)").Scan(&waiting); err != nil {
		return fmt.Errorf("read outbox: %w", err)
	}
	if waiting {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	_, err = conn.Conn().WaitForNotification(limited)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("wait for outbox: %w", err)
	}
	return nil
}
