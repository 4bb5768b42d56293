package custodydb

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/custody"
)

// maxEventPage bounds one read of a customer's events.
const maxEventPage = 500

// lockCustomer makes transactions that write for one customer take turns until
// they commit. Limits and the order of events rely on it.
func lockCustomer(ctx context.Context, tx pgx.Tx, customer string) error {
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('custody.customer'), hashtext($1))", customer); err != nil {
		return fmt.Errorf("lock customer: %w", err)
	}
	return nil
}

// PutEvent tells a customer something, in tx. data becomes JSON. Events of one
// customer commit in the order of their sequence numbers, so that a reader who
// goes on after the last one it saw misses none.
func (s *Store) PutEvent(ctx context.Context, tx pgx.Tx, customer, kind, subject string, data any) error {
	if err := lockCustomer(ctx, tx, customer); err != nil {
		return err
	}
	body, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode event %s: %w", kind, err)
	}
	_, err = tx.Exec(ctx, `INSERT INTO custody.event (customer, kind, subject, data, at) VALUES ($1, $2, $3, $4, $5)`,
		customer, kind, subject, json.RawMessage(body), s.now())
	if err != nil {
		return fmt.Errorf("insert event %s: %w", kind, err)
	}
	return nil
}

// Events returns what a customer was told after a sequence number, oldest first,
// at most limit.
func (s *Store) Events(ctx context.Context, customer string, afterSeq uint64, limit int) ([]custody.Event, error) {
	rows, err := s.pool.Query(ctx, `SELECT seq, customer, kind, subject, data, at FROM custody.event
		WHERE customer = $1 AND seq > $2 ORDER BY seq LIMIT $3`, customer, afterSeq, min(max(limit, 1), maxEventPage))
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (custody.Event, error) {
		var e custody.Event
		if err := row.Scan(&e.Seq, &e.Customer, &e.Kind, &e.Subject, &e.Data, &e.At); err != nil {
			return e, fmt.Errorf("scan event: %w", err)
		}
		return e, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return list, nil
}
