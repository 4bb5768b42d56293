package candledb

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/feed"
	"strongroom/matching/engine"
)

const upsert = `INSERT INTO feed.candle (shard, market, interval_ns, start, open, high, low, close, volume, turnover, trades, last_seq)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
	ON CONFLICT (shard, market, interval_ns, start) DO UPDATE SET high = EXCLUDED.high, low = EXCLUDED.low, close = EXCLUDED.close,
	volume = EXCLUDED.volume, turnover = EXCLUDED.turnover, trades = EXCLUDED.trades, last_seq = EXCLUDED.last_seq`

// rowsAtOnce bounds a round trip.
const rowsAtOnce = 1000

// flush writes what changed, and how far that is, in one transaction.
func (w *Writer) flush(ctx context.Context) error {
	if w.next == w.kept {
		return w.forget(ctx)
	}
	rows := w.closed
	for market := range w.touched {
		for i, c := range w.markets[market].All() {
			if c.Trades > 0 {
				rows = append(rows, row{market, feed.Closed{Interval: feed.Intervals()[i], Candle: c}})
			}
		}
	}
	err := pgx.BeginFunc(ctx, w.cfg.Pool, func(tx pgx.Tx) error { return w.write(ctx, tx, rows) })
	if err != nil {
		return fmt.Errorf("write candles up to event %d: %w", w.next-1, err)
	}
	w.figures.wrote(w.next-w.kept, len(rows))
	w.kept, w.closed = w.next, nil
	clear(w.touched)
	return w.forget(ctx)
}

func (w *Writer) write(ctx context.Context, tx pgx.Tx, rows []row) error {
	if _, err := tx.Exec(ctx, `INSERT INTO feed.cursor (shard) VALUES ($1) ON CONFLICT DO NOTHING`, w.cfg.Shard); err != nil {
		return fmt.Errorf("make cursor: %w", err)
	}
	_, next, err := cursor(ctx, tx, w.cfg.Shard, " FOR UPDATE")
	if err != nil {
		return err
	}
	if next != w.kept {
		return fmt.Errorf("%w: they are at event %d, not at %d", ErrContended, next, w.kept)
	}
	for len(rows) > 0 {
		n := min(len(rows), rowsAtOnce)
		batch := &pgx.Batch{}
		for i := range rows[:n] {
			r := &rows[i]
			batch.Queue(upsert, w.cfg.Shard, int32(r.market), int64(r.Interval), r.Start, r.Open, r.High, r.Low, r.Close, r.Volume,
				numeric(r.Turnover), r.Trades, int64(r.Seq)) //nolint:gosec // below 2^63 for ever
		}
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return fmt.Errorf("write %d candles: %w", n, err)
		}
		rows = rows[n:]
	}
	_, err = tx.Exec(ctx, `UPDATE feed.cursor SET epoch = $2, next_seq = $3 WHERE shard = $1`,
		w.cfg.Shard, int64(w.epoch), int64(w.next)) //nolint:gosec // below 2^63 for ever
	if err != nil {
		return fmt.Errorf("move cursor: %w", err)
	}
	return nil
}

// forget deletes candles of one second that are old, a bounded part of them at a time.
func (w *Writer) forget(ctx context.Context) error {
	now := w.cfg.Clock()
	if now.Sub(w.forgot) < forgetEvery {
		return nil
	}
	tag, err := w.cfg.Pool.Exec(ctx, `DELETE FROM feed.candle WHERE ctid IN (
		SELECT ctid FROM feed.candle c WHERE shard = $1 AND interval_ns = $2 AND start < $3
		AND start < (SELECT max(start) FROM feed.candle n WHERE n.shard = c.shard AND n.market = c.market AND n.interval_ns = c.interval_ns)
		LIMIT $4)`, w.cfg.Shard, int64(time.Second), now.Add(-secondsFor).UnixNano(), forgetMost)
	if err != nil {
		return fmt.Errorf("forget old candles: %w", err)
	}
	if tag.RowsAffected() < forgetMost {
		w.forgot = now
	}
	return nil
}

// Fill goes on from the rows of settlement where no node keeps the events that come
// next, as far as there are rows.
func (w *Writer) Fill(ctx context.Context) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	there, err := settled(ctx, w.cfg.Pool)
	if err != nil || !there {
		return err
	}
	var upTo int64
	err = w.cfg.Pool.QueryRow(ctx, `SELECT coalesce(max(next_seq), 1) FROM trading.shard WHERE id = $1`, w.cfg.Shard).Scan(&upTo)
	if err != nil {
		return fmt.Errorf("read how far the shard is settled: %w", err)
	}
	for err == nil && w.next < uint64(upTo) { //nolint:gosec // above zero
		err = w.fillPage(ctx, upTo)
	}
	return err
}

// fillPage takes a page of rows and writes.
func (w *Writer) fillPage(ctx context.Context, upTo int64) error {
	rows, err := w.cfg.Pool.Query(ctx, `SELECT seq, time, market, price, qty FROM trading.trade
		WHERE shard = $1 AND seq >= $2 AND seq < $3 ORDER BY seq LIMIT $4`, w.cfg.Shard, int64(w.next), upTo, w.cfg.Most) //nolint:gosec // below 2^63 for ever
	var list []engine.Event
	if err == nil {
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (v engine.Event, err error) {
			var seq int64
			var market int32
			err = row.Scan(&seq, &v.Time, &market, &v.Price, &v.Qty)
			v.Seq, v.Market = uint64(seq), engine.MarketID(market) //nolint:gosec // the table's bounds
			return v, err                                          //nolint:wrapcheck // wrapped below
		})
	}
	if err != nil {
		return fmt.Errorf("read trades from %d on: %w", w.next, err)
	}
	for i := range list {
		w.trade(&list[i])
	}
	if w.next = uint64(upTo); len(list) == w.cfg.Most { //nolint:gosec // above zero
		w.next = list[len(list)-1].Seq + 1
	}
	w.figures.filled(len(list))
	return w.flush(ctx)
}
