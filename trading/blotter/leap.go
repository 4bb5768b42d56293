package blotter

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/matching/engine"
)

// bridged is what a gap is bridged with, and what became of it.
type bridged struct {
	gap            *gap
	tradedTo       uint64
	standing       []stands
	entered, ended int64
}

// What waits and what was traded goes into tables of the transaction. Figures that trades
// add up to are those up to the gap's end; all others are as they stand, and the events
// that follow, up to the moment at which that was read, say them once more.
const (
	makeBridge = `CREATE TEMP TABLE blotter_standing (
			id bigint, account bigint, market integer, key_hi bigint, key_lo bigint, side smallint, type smallint,
			sibling bigint, price bigint, left_lots bigint, state smallint, stop_price bigint, expires bigint) ON COMMIT DROP;
		CREATE TEMP TABLE blotter_shown (id bigint, market integer, side smallint, price bigint, shown bigint) ON COMMIT DROP;
		CREATE TEMP TABLE blotter_traded (
			id bigint, account bigint, market integer, side smallint, lots bigint, turnover numeric, fee numeric,
			first bigint, last bigint, began bigint, updated bigint) ON COMMIT DROP`
	gatherTrades = `INSERT INTO blotter_traded
		SELECT ord, min(account), min(market), min(side), sum(qty), sum(price::numeric * qty), sum(fee), min(seq), max(seq), min(time), max(time) FROM (
			SELECT taker_order AS ord, taker_account AS account, market, taker_side AS side, qty, price, taker_fee AS fee, seq, time
				FROM trading.trade WHERE shard = $1 AND seq BETWEEN $2 AND $3
			UNION ALL
			SELECT maker_order, maker_account, market, 1 - taker_side, qty, price, maker_fee, seq, time
				FROM trading.trade WHERE shard = $1 AND seq BETWEEN $2 AND $3) t
		GROUP BY ord`
	indexBridge = `CREATE INDEX ON blotter_standing (id); CREATE INDEX ON blotter_shown (id); CREATE INDEX ON blotter_traded (id);
		ANALYZE blotter_standing; ANALYZE blotter_shown; ANALYZE blotter_traded`
	addTrades = `UPDATE blotter.orders o SET filled = o.filled + t.lots, turnover = o.turnover + t.turnover, fee = o.fee + t.fee,
			left_lots = greatest(o.left_lots - t.lots, 0), updated = t.updated, last_seq = t.last
		FROM blotter_traded t WHERE o.shard = $1 AND o.id = t.id`
	adoptStanding = `UPDATE blotter.orders o SET left_lots = s.left_lots, price = CASE s.price WHEN 0 THEN o.price ELSE s.price END, state = s.state,
			sibling = s.sibling, stop_price = s.stop_price, expires = s.expires
		FROM blotter_standing s WHERE o.shard = $1 AND o.id = s.id`
	// What waited, and is neither among what waits nor was in a book at the gap's end.
	endOthers = `UPDATE blotter.orders o SET state = CASE left_lots WHEN 0 THEN 3 ELSE 5 END, updated = $2, last_seq = $3
		WHERE o.shard = $1 AND o.state < 3 AND NOT EXISTS (SELECT FROM blotter_standing s WHERE s.id = o.id)
			AND NOT EXISTS (SELECT FROM blotter_shown b WHERE b.id = o.id)`
	// What came in meanwhile, each with a number of an event of the gap.
	enterOthers = `INSERT INTO blotter.orders (shard, id, seq, account, market, key_hi, key_lo, side, type, sibling, price, left_lots, filled, turnover, fee,
			state, code, created, updated, last_seq, gap, stop_price, expires)
		SELECT $1, id, $2::bigint + place - 1, account, market, key_hi, key_lo, side, type, sibling, price, left_lots, lots, turnover, fee,
			state, 0, began, greatest(began, updated), greatest(last, $2::bigint + place - 1), $2, stop_price, expires
		FROM (SELECT coalesce(s.id, t.id) AS id, coalesce(s.account, t.account) AS account, coalesce(s.market, t.market) AS market,
				coalesce(s.key_hi, 0) AS key_hi, coalesce(s.key_lo, 0) AS key_lo, coalesce(s.side, t.side) AS side, coalesce(s.type, 255) AS type,
				coalesce(s.sibling, 0) AS sibling, coalesce(s.price, b.price, 0) AS price, coalesce(s.left_lots, b.shown, 0) AS left_lots,
				coalesce(t.lots, 0) AS lots, coalesce(t.turnover, 0) AS turnover, coalesce(t.fee, 0) AS fee,
				coalesce(s.state, CASE WHEN b.id IS NULL THEN 5 ELSE 2 END) AS state,
				coalesce(t.began, $4) AS began, coalesce(t.updated, $4) AS updated, coalesce(t.last, $3) AS last,
				coalesce(s.stop_price, 0) AS stop_price, coalesce(s.expires, 0) AS expires,
				row_number() OVER (ORDER BY t.first, coalesce(s.id, t.id)) AS place
			FROM blotter_standing s FULL JOIN blotter_traded t ON t.id = s.id LEFT JOIN blotter_shown b ON b.id = t.id
			WHERE NOT EXISTS (SELECT FROM blotter.orders o WHERE o.shard = $1 AND o.id = coalesce(s.id, t.id))) n
		WHERE $2::bigint + place - 1 <= $3`
	noteGap = `INSERT INTO blotter.gap (shard, first_seq, last_seq, traded_to, found, entered, ended) VALUES ($1, $2, $3, $4, $5, $6, $7)`
)

// leap writes all that is known behind a gap and moves the cursor there.
func (w *Writer) leap(ctx context.Context, tx pgx.Tx, b *bridged) error {
	first, last, at := int64(b.gap.first), int64(b.gap.books.Seq), b.gap.books.Time                                                             //nolint:gosec // below 2^63 for ever
	tag, err := tx.Exec(ctx, move, w.cfg.Shard, int64(max(w.epoch, b.gap.books.Epoch)), last+1, b.gap.books.Hash[:], first, int64(0), int64(0)) //nolint:gosec // as above
	if err != nil {
		return fmt.Errorf("move cursor: %w", err)
	}
	if tag.RowsAffected() != 1 {
		return fmt.Errorf("%w: it is not at event %d", ErrContended, first)
	}
	if err := b.load(ctx, tx, w.cfg.Shard); err != nil {
		return err
	}
	for _, step := range []struct {
		sql   string
		args  []any
		count *int64
	}{
		{addTrades, nil, nil},
		{adoptStanding, nil, nil},
		{endOthers, []any{at, last}, &b.ended},
		{enterOthers, []any{first, last, at}, &b.entered},
	} {
		tag, err := tx.Exec(ctx, step.sql, append([]any{w.cfg.Shard}, step.args...)...)
		if err != nil {
			return fmt.Errorf("take up orders: %w", err)
		}
		if step.count != nil {
			*step.count = tag.RowsAffected()
		}
	}
	_, err = tx.Exec(ctx, noteGap, w.cfg.Shard, first, last, int64(b.tradedTo), w.cfg.Clock().UnixNano(), b.entered, b.ended) //nolint:gosec // as above
	if err != nil {
		return fmt.Errorf("note gap: %w", err)
	}
	return nil
}

// load fills the tables of the transaction.
func (b *bridged) load(ctx context.Context, tx pgx.Tx, shard int32) error {
	if _, err := tx.Exec(ctx, makeBridge); err != nil {
		return fmt.Errorf("make tables: %w", err)
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"blotter_standing"},
		[]string{"id", "account", "market", "key_hi", "key_lo", "side", "type", "sibling", "price", "left_lots", "state", "stop_price", "expires"},
		pgx.CopyFromSlice(len(b.standing), func(i int) ([]any, error) { return b.standing[i].values(), nil }))
	if err != nil {
		return fmt.Errorf("copy %d orders that wait: %w", len(b.standing), err)
	}
	for i := range b.gap.books.Markets {
		m := &b.gap.books.Markets[i]
		_, err := tx.CopyFrom(ctx, pgx.Identifier{"blotter_shown"}, []string{"id", "market", "side", "price", "shown"},
			pgx.CopyFromSlice(len(m.Orders), func(i int) ([]any, error) {
				o := &m.Orders[i]
				return []any{int64(o.Order), int32(m.Market), int16(o.Side), o.Price, o.Shown}, nil //nolint:gosec // bits
			}))
		if err != nil {
			return fmt.Errorf("copy %d orders in a book: %w", len(m.Orders), err)
		}
	}
	if _, err := tx.Exec(ctx, gatherTrades, shard, int64(b.gap.first), int64(b.tradedTo)); err != nil { //nolint:gosec // below 2^63 for ever
		return fmt.Errorf("gather trades: %w", err)
	}
	if _, err := tx.Exec(ctx, indexBridge); err != nil {
		return fmt.Errorf("index tables: %w", err)
	}
	return nil
}

// values are an order that waits as a row, in the order of the columns.
func (s *stands) values() []any {
	o := s.order
	kind, price, now := engine.Type(o.GetType()), o.GetPrice(), open //nolint:gosec // the shard's own
	if kind == engine.Limit && o.GetSibling() != 0 {
		kind = engine.OCO
	}
	if price == 0 {
		price, now = o.GetLimit(), waiting
	}
	var hi, lo uint64
	if key := o.GetClientId(); len(key) == 16 {
		hi, lo = binary.BigEndian.Uint64(key), binary.BigEndian.Uint64(key[8:])
	}
	return []any{
		int64(o.GetOrder()), int64(s.account), int32(o.GetMarket()), int64(hi), int64(lo), int16(o.GetSide()), int16(kind), //nolint:gosec // bits
		int64(o.GetSibling()), price, o.GetQty(), int16(now), o.GetTrigger(), o.GetExpiresNs(), //nolint:gosec // bits
	}
}
