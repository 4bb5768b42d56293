package blotter

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/matching/settle"
)

// Changes go into a table of the connection first, then into the rows. Where a row is
// there already an acceptance is an amendment: who and what it is stays.
const (
	makeTable = `CREATE TEMP TABLE IF NOT EXISTS blotter_change (
		id bigint, entered boolean, seq bigint, account bigint, market integer, key_hi bigint, key_lo bigint, side smallint, type smallint, created bigint,
		sibling bigint, price bigint, state smallint, left_lots bigint, ended boolean, code smallint, lots bigint, turnover numeric, fee numeric,
		updated bigint, last_seq bigint) ON COMMIT DELETE ROWS`
	enter = `INSERT INTO blotter.orders AS o (shard, id, seq, account, market, key_hi, key_lo, side, type, sibling, price, left_lots, filled, turnover, fee,
			state, code, created, updated, last_seq)
		SELECT $1, id, seq, account, market, key_hi, key_lo, side, type, sibling, price, left_lots, lots, turnover, fee, state, code, created, updated, last_seq
		FROM blotter_change WHERE entered
		ON CONFLICT (shard, id) DO UPDATE SET price = EXCLUDED.price, left_lots = EXCLUDED.left_lots, filled = o.filled + EXCLUDED.filled,
			turnover = o.turnover + EXCLUDED.turnover, fee = o.fee + EXCLUDED.fee, state = EXCLUDED.state, code = EXCLUDED.code,
			updated = EXCLUDED.updated, last_seq = EXCLUDED.last_seq`
	alter = `UPDATE blotter.orders o SET sibling = CASE c.sibling WHEN 0 THEN o.sibling ELSE c.sibling END,
			price = CASE c.price WHEN 0 THEN o.price ELSE c.price END, state = CASE c.state WHEN 0 THEN o.state ELSE c.state END,
			left_lots = CASE c.left_lots WHEN -1 THEN o.left_lots ELSE c.left_lots END, code = CASE WHEN c.ended THEN c.code ELSE o.code END,
			filled = o.filled + c.lots, turnover = o.turnover + c.turnover, fee = o.fee + c.fee, updated = c.updated, last_seq = c.last_seq
		FROM blotter_change c WHERE NOT c.entered AND o.shard = $1 AND o.id = c.id`
	move = `INSERT INTO blotter.cursor AS c (shard, epoch, next_seq, hash, half_order, half_account) VALUES ($1, $2, $3, $4, $6, $7)
		ON CONFLICT (shard) DO UPDATE SET epoch = EXCLUDED.epoch, next_seq = EXCLUDED.next_seq, hash = EXCLUDED.hash,
			half_order = EXCLUDED.half_order, half_account = EXCLUDED.half_account
		WHERE c.next_seq = $5`
)

func columns() []string {
	return []string{
		"id", "entered", "seq", "account", "market", "key_hi", "key_lo", "side", "type", "created",
		"sibling", "price", "state", "left_lots", "ended", "code", "lots", "turnover", "fee", "updated", "last_seq",
	}
}

func (c *change) values() []any {
	return []any{
		int64(c.id), c.entered, int64(c.seq), int64(c.account), int32(c.market), int64(c.key.Hi), int64(c.key.Lo), int16(c.side), int16(c.kind), c.created, //nolint:gosec // bits
		int64(c.sibling), c.price, int16(c.state), c.left, c.ended, int16(c.code), c.lots, settle.UnitsOf(c.turnover), settle.UnitsOf(c.fee), c.updated, int64(c.last), //nolint:gosec // bits
	}
}

// write writes a part and moves the cursor over it, in one transaction.
func (w *Writer) write(ctx context.Context, p *part) error {
	w.figures.behind(p, w.next)
	if p.next == w.next {
		return w.forget(ctx)
	}
	err := pgx.BeginFunc(ctx, w.cfg.Pool, func(tx pgx.Tx) error { return w.put(ctx, tx, p) })
	if err != nil {
		return fmt.Errorf("write order history up to event %d: %w", p.next-1, err)
	}
	w.figures.wrote(p, w.next, w.cfg.Clock())
	w.epoch, w.next, w.hash, w.half = p.epoch, p.next, p.hash, p.changes.half
	return w.forget(ctx)
}

func (w *Writer) put(ctx context.Context, tx pgx.Tx, p *part) error {
	// A crash of the server may take the newest of it back, rows and cursor together:
	// the events are there still.
	if _, err := tx.Exec(ctx, `SET LOCAL synchronous_commit = off`); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	half := p.changes.half
	if half.seq+1 != p.next {
		half = pair{}
	}
	tag, err := tx.Exec(ctx, move, w.cfg.Shard, int64(p.epoch), int64(p.next), p.hash[:], int64(w.next), int64(half.order), int64(half.account)) //nolint:gosec // bits
	if err != nil {
		return fmt.Errorf("move cursor: %w", err)
	}
	if tag.RowsAffected() != 1 {
		return fmt.Errorf("%w: it is not at event %d", ErrContended, w.next)
	}
	if len(p.changes.list) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, makeTable); err != nil {
		return fmt.Errorf("make table: %w", err)
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"blotter_change"}, columns(),
		pgx.CopyFromSlice(len(p.changes.list), func(i int) ([]any, error) { return p.changes.list[i].values(), nil }))
	if err != nil {
		return fmt.Errorf("copy %d changes: %w", len(p.changes.list), err)
	}
	for _, sql := range []string{enter, alter} {
		if _, err := tx.Exec(ctx, sql, w.cfg.Shard); err != nil {
			return fmt.Errorf("apply %d changes: %w", len(p.changes.list), err)
		}
	}
	return nil
}

// forget deletes orders that ended long ago without a fill, a bounded part of them at a
// time.
func (w *Writer) forget(ctx context.Context) error {
	now := w.cfg.Clock()
	if now.Sub(w.forgot) < forgetEvery {
		return nil
	}
	var gone int64
	err := w.cfg.Pool.QueryRow(ctx, `WITH gone AS (DELETE FROM blotter.orders WHERE (shard, id) IN (
			SELECT shard, id FROM blotter.orders WHERE shard = $1 AND state = 4 AND filled = 0 AND updated < $2 ORDER BY updated LIMIT $3) RETURNING shard, id),
		terms AS (DELETE FROM blotter.terms t USING gone WHERE t.shard = gone.shard AND t.id = gone.id)
		SELECT count(*) FROM gone`,
		w.cfg.Shard, now.Add(-forgottenAfter).UnixNano(), forgetMost).Scan(&gone)
	if err != nil {
		return fmt.Errorf("forget orders that ended before %s: %w", now.Add(-forgottenAfter).Format(time.DateOnly), err)
	}
	w.figures.forgot(gone)
	if gone < forgetMost {
		w.forgot = now
	}
	return nil
}
