package blotter

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/matching/engine"
	"strongroom/money"
	"strongroom/trading"
)

// A trade has a place for each side: twice its number, and one more for the maker, since
// both may be one customer's. Each half is read by an index of settlement's trades.
const selectFills = `WITH who AS (SELECT no FROM trading.account WHERE customer = $2 AND no > 0)
	SELECT place, seq, market, side, ord, price, qty, fee, time FROM (
		(SELECT seq * 2 AS place, seq, market, taker_side AS side, taker_order AS ord, price, qty, taker_fee AS fee, time FROM trading.trade
			WHERE shard = $1 AND taker_account = (SELECT no FROM who) AND seq BETWEEN $3 AND $4 AND market = ANY($5) AND ($6::bigint = 0 OR taker_order = $6)
			ORDER BY seq DESC LIMIT $8)
		UNION ALL
		(SELECT seq * 2 + 1, seq, market, 1 - taker_side, maker_order, price, qty, maker_fee, time FROM trading.trade
			WHERE shard = $1 AND maker_account = (SELECT no FROM who) AND seq BETWEEN $3 AND $4 AND market = ANY($5) AND ($6::bigint = 0 OR maker_order = $6)
			ORDER BY seq DESC LIMIT $8)) f
	WHERE place < $7 ORDER BY place DESC LIMIT $8`

// Fills implements trading.Log. At most MaxPage.
func (l *Log) Fills(ctx context.Context, q trading.LogQuery) (list []trading.Fill, next string, err error) {
	before, err := position(q.Cursor)
	if err != nil {
		return nil, "", err
	}
	first, last, order := int64(1), before/2, engine.OrderID(0)
	if q.OrderID != "" {
		var ok bool
		if order, ok = trading.ParseOrderID(q.OrderID); !ok {
			return nil, "", nil
		}
		// The trades of an order lie behind its acceptance.
		err := l.pool.QueryRow(ctx, `SELECT coalesce(max(CASE gap WHEN 0 THEN seq ELSE gap END), 1) FROM blotter.orders WHERE shard = $1 AND id = $2`, l.shard, int64(order)).Scan(&first) //nolint:gosec // bits
		if err != nil {
			return nil, "", fmt.Errorf("find order of fills: %w", err)
		}
	}
	n := limit(q)
	rows, err := l.pool.Query(ctx, selectFills, l.shard, q.Customer, first, last, l.markets(q.Market), int64(order), before, n+2)
	if err != nil {
		return nil, "", fmt.Errorf("read fills: %w", err)
	}
	var r fill
	var places []int64
	_, err = pgx.ForEachRow(rows, []any{&r.place, &r.seq, &r.market, &r.side, &r.order, &r.price, &r.qty, &r.fee, &r.time}, func() error {
		f, err := r.view(l.catalog, q.Customer)
		list, places = append(list, f), append(places, r.place)
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("read fills: %w", err)
	}
	if len(list) > n {
		list, next = list[:n], strconv.FormatInt(places[n-1], 10)
	}
	return list, next, nil
}

// fill is one side of a trade as the table has it.
type fill struct {
	place, seq, order, price, qty, time int64
	market                              engine.MarketID
	side                                engine.Side
	fee                                 money.Units
}

func (r *fill) view(catalog Catalog, customer string) (trading.Fill, error) {
	m := catalog.ByID(r.market)
	if m == nil {
		return trading.Fill{}, fmt.Errorf("trade %d on market %d: %w", r.seq, r.market, errNoMarket)
	}
	turnover, err := m.Cost(r.price, r.qty)
	if err != nil {
		return trading.Fill{}, fmt.Errorf("trade %d: %w", r.seq, err)
	}
	received := m.Base // the fee is taken of it
	if r.side == engine.Sell {
		received = m.Quote
	}
	return trading.Fill{
		Seq: uint64(r.seq), Market: m.Name, Customer: customer, OrderID: trading.OrderIDText(engine.OrderID(r.order)), Side: trading.SideName(r.side), //nolint:gosec // bits
		Maker: r.place%2 == 1, Price: m.Price(r.price), Quantity: m.Quantity(r.qty), Turnover: m.Quote.Format(turnover),
		Fee: received.Format(r.fee), FeeAsset: received.Code, Time: time.Unix(0, r.time).UTC(),
	}, nil
}
