package blotter

import (
	"context"
	"fmt"
	"time"

	"strongroom/matching/engine"
)

// Note keeps what no event tells of an order, for who gave it in: its trigger in ticks
// and when it expires, zero for none. It may come before the history has the order, and
// more than once: the last one counts.
func (l *Log) Note(ctx context.Context, id engine.OrderID, trigger int64, expires time.Time) error {
	at := int64(0)
	if !expires.IsZero() {
		at = expires.UnixNano()
	}
	_, err := l.pool.Exec(ctx, `INSERT INTO blotter.terms (shard, id, stop_price, expires) VALUES ($1, $2, $3, $4)
		ON CONFLICT (shard, id) DO UPDATE SET stop_price = EXCLUDED.stop_price, expires = EXCLUDED.expires`, l.shard, int64(id), trigger, at) //nolint:gosec // bits
	if err != nil {
		return fmt.Errorf("note terms of order %d: %w", id, err)
	}
	return nil
}
