package funding

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/trading"
)

const (
	// maxPage bounds a page of transfers.
	maxPage = 500
	// firstLook and longestLook are the gaps between two looks at a transfer that is
	// waited for; maxAwait bounds the wait of who does not bound it.
	firstLook   = 10 * time.Millisecond
	longestLook = 200 * time.Millisecond
	maxAwait    = time.Minute
)

const columns = `id, customer, asset, amount, direction, state, reason, created_at`

func scan(row pgx.CollectableRow) (trading.Transfer, error) {
	var t trading.Transfer
	err := row.Scan(&t.ID, &t.Customer, &t.Asset, &t.Amount, &t.Direction, &t.State, &t.Reason, &t.CreatedAt)
	return t, err //nolint:wrapcheck // wrapped by every caller
}

// load returns a transfer, or trading.ErrNotFound.
func (s *Store) load(ctx context.Context, id string) (trading.Transfer, error) {
	rows, err := s.cfg.Pool.Query(ctx, `SELECT `+columns+` FROM funding.request WHERE id = $1`, id)
	if err != nil {
		return trading.Transfer{}, fmt.Errorf("read transfer: %w", err)
	}
	t, err := pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		return t, fmt.Errorf("transfer %.60q: %w", id, trading.ErrNotFound)
	}
	if err != nil {
		return t, fmt.Errorf("read transfer: %w", err)
	}
	return t, nil
}

// Transfer implements trading.Transfers: somebody else's is trading.ErrNotFound.
func (s *Store) Transfer(ctx context.Context, customer, id string) (trading.Transfer, error) {
	t, err := s.load(ctx, id)
	if err == nil && t.Customer != customer {
		return trading.Transfer{}, fmt.Errorf("transfer %.60q: %w", id, trading.ErrNotFound)
	}
	return t, err
}

// ByID returns a transfer, whosever it is, or trading.ErrNotFound.
func (s *Store) ByID(ctx context.Context, id string) (trading.Transfer, error) {
	return s.load(ctx, id)
}

// Transfers implements trading.Transfers: newest first, at most 500. cursor is empty or
// next of the page before; another one is a *trading.Refusal.
func (s *Store) Transfers(ctx context.Context, customer, cursor string, limit int) (list []trading.Transfer, next string, err error) {
	limit = min(max(limit, 1), maxPage)
	var before uint64
	if cursor != "" {
		if before, err = strconv.ParseUint(cursor, 10, 63); err != nil {
			return nil, "", &trading.Refusal{Code: "bad_cursor", Field: "cursor", Text: "the cursor is not one of ours", Fix: "leave it out"}
		}
	}
	rows, err := s.cfg.Pool.Query(ctx, `SELECT seq, `+columns+` FROM funding.request WHERE customer = $1 AND ($2 = 0 OR seq < $2)
		ORDER BY seq DESC LIMIT $3`, customer, int64(before), limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("list transfers: %w", err)
	}
	var seq, last int64
	var t trading.Transfer
	_, err = pgx.ForEachRow(rows, []any{&seq, &t.ID, &t.Customer, &t.Asset, &t.Amount, &t.Direction, &t.State, &t.Reason, &t.CreatedAt}, func() error {
		if len(list) == limit {
			next = strconv.FormatInt(last, 10)
			return nil
		}
		list, last = append(list, t), seq
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("list transfers: %w", err)
	}
	return list, next, nil
}

// Await implements trading.Transfers; it waits for a minute at most.
func (s *Store) Await(ctx context.Context, customer, id string) (trading.Transfer, error) {
	t, err := s.Transfer(ctx, customer, id)
	limited, cancel := context.WithTimeout(ctx, maxAwait)
	defer cancel()
	for gap := firstLook; err == nil && t.State == trading.TransferPending; gap = min(2*gap, longestLook) {
		if !pause(limited, gap) {
			return t, nil
		}
		var again trading.Transfer
		if again, err = s.Transfer(limited, customer, id); err != nil && limited.Err() != nil {
			return t, nil
		}
		t = again
	}
	return t, err
}

// pause waits for d; it reports false where ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
