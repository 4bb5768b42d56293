package treasurydb

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Notice is one thing that people are told of a request: its number says which.
type Notice struct {
	Request string
	Number  int
}

// The numbers of notices.
const (
	NoticeAsked     = 0
	NoticeEscalated = 3 // officers are told too
)

// MakeNotices makes the notices whose time has come, the last one of each request only: at
// most limit. Whoever was away when an earlier one was due is not told twice.
func MakeNotices(ctx context.Context, db DB, now time.Time, limit int) (made int64, err error) {
	tag, err := db.Exec(ctx, `INSERT INTO treasury.notice (request, number, made)
		SELECT r.id, n.number, $1 FROM treasury.request r, LATERAL (SELECT CASE
				WHEN $1 >= r.created + (r.expires - r.created) * 0.875 THEN 3
				WHEN $1 >= r.created + (r.expires - r.created) * 0.75 THEN 2
				WHEN $1 >= r.created + (r.expires - r.created) * 0.5 THEN 1
				ELSE 0 END AS number) n
		WHERE r.state = 'waiting' AND r.expires > $1
			AND NOT EXISTS (SELECT FROM treasury.notice t WHERE t.request = r.id AND t.number >= n.number OFFSET 0)
		ORDER BY r.expires, r.id LIMIT $2 ON CONFLICT DO NOTHING`, now, limit)
	if err != nil {
		return 0, fmt.Errorf("make notices: %w", err)
	}
	return tag.RowsAffected(), nil
}

// TakeNotice locks one that nobody was told yet, of a request that waits still, the oldest
// first, until the transaction ends; others pass it over. False: there is none.
func TakeNotice(ctx context.Context, tx pgx.Tx, now time.Time, after Notice) (Notice, bool, error) {
	var n Notice
	rows, err := tx.Query(ctx, `SELECT t.request, t.number FROM treasury.notice t JOIN treasury.request r ON r.id = t.request
		WHERE t.told IS NULL AND r.state = 'waiting' AND r.expires > $1 AND (t.request, t.number) > ($2, $3)
			AND NOT EXISTS (SELECT FROM treasury.notice later WHERE later.request = t.request AND later.number > t.number)
		ORDER BY t.request, t.number LIMIT 1 FOR UPDATE OF t SKIP LOCKED`, now, after.Request, after.Number)
	if err != nil {
		return n, false, fmt.Errorf("take notice: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Notice])
	if err != nil || len(found) == 0 {
		return n, false, err //nolint:wrapcheck // pgx says what it did
	}
	return found[0], true, nil
}

// MarkTold notes that somebody took a notice in.
func MarkTold(ctx context.Context, db DB, n Notice, now time.Time) error {
	if _, err := db.Exec(ctx, `UPDATE treasury.notice SET told = $3 WHERE request = $1 AND number = $2`, n.Request, n.Number, now); err != nil {
		return fmt.Errorf("mark notice of %s: %w", n.Request, err)
	}
	return nil
}

// Told is how often people were told of a request, and when last.
func Told(ctx context.Context, db DB, request string) (times int, last time.Time, err error) {
	var at *time.Time
	err = db.QueryRow(ctx, `SELECT count(*), max(told) FROM treasury.notice WHERE request = $1 AND told IS NOT NULL`, request).Scan(&times, &at)
	if err != nil {
		return 0, last, fmt.Errorf("read notices of %s: %w", request, err)
	}
	if at != nil {
		last = at.UTC()
	}
	return times, last, nil
}
