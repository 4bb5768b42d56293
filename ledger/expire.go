package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// maxExpiries bounds one call of ExpirePending.
const maxExpiries = 1_000

// ExpirePending voids pending transfers whose end has come by now, oldest first,
// at most limit (1 to 1,000) of them, and returns how many it voided. One that
// somebody else resolves meanwhile is passed over.
func (l *Ledger) ExpirePending(ctx context.Context, now time.Time, limit int) (int, error) {
	if limit < 1 || limit > maxExpiries {
		return 0, invalid("limit %d, want 1 to %d", limit, maxExpiries)
	}
	rows, err := l.cfg.Pool.Query(ctx, `
SELECT t.id FROM ledger.expiry e JOIN ledger.transfer t ON t.seq = e.pending
 WHERE e.expires <= $1 ORDER BY e.expires, e.pending LIMIT $2`, now, limit)
	if err != nil {
		return 0, fmt.Errorf("find expired transfers: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return 0, fmt.Errorf("find expired transfers: %w", err)
	}
	return l.void(ctx, ids)
}

// void queues all of them before it waits for the first, so that they share a
// batch. The ids it makes cannot be a caller's, and are the same every time.
func (l *Ledger) void(ctx context.Context, ids []string) (int, error) {
	outcomes := make(chan error, len(ids))
	for _, id := range ids {
		go func() {
			void := reservedIDPrefix + id
			_, err := l.post(ctx, Transaction{ID: void, Legs: []Transfer{{ID: TransferID(void), Kind: Void, Pending: TransferID(id)}}}, nil)
			outcomes <- err
		}()
	}
	voided := 0
	var failed error
	for range ids {
		switch err := <-outcomes; {
		case err == nil:
			voided++
		case !errors.Is(err, ErrPendingResolved):
			failed = errors.Join(failed, err)
		}
	}
	if failed != nil {
		return voided, fmt.Errorf("void expired transfers: %w", failed)
	}
	return voided, nil
}
