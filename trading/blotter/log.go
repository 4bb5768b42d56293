package blotter

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/matching/engine"
	"strongroom/money"
	"strongroom/trading"
)

// MaxPage is how many orders or fills a page has at most.
const MaxPage = 500

// Catalog knows the markets; *trading.Catalog is one.
type Catalog interface {
	// Market and ByID return nil where there is no such market.
	Market(name string) *trading.Market
	ByID(id engine.MarketID) *trading.Market
	All() []*trading.Market
}

// Log reads the history of one shard. It is a trading.Log, and safe for concurrent use.
// The engine knows a digest of a client id only: that field of orders stays empty, but
// where it was asked for. Stop prices and expiries are those that Note was told.
type Log struct {
	pool    *pgxpool.Pool
	shard   int32
	catalog Catalog
}

var _ trading.Log = (*Log)(nil)

// NewLog returns a Log on a migrated database, which has the tables of settlement, too.
func NewLog(pool *pgxpool.Pool, shard int32, catalog Catalog) *Log {
	return &Log{pool: pool, shard: shard, catalog: catalog}
}

const selectOrders = `SELECT id, seq, market, side, type, sibling, price, left_lots, filled, turnover, state, code, created, updated, last_seq, gap,
	coalesce(t.stop_price, o.stop_price), coalesce(t.expires, o.expires)
	FROM blotter.orders o LEFT JOIN blotter.terms t USING (shard, id) WHERE shard = $1 AND account = (SELECT no FROM trading.account WHERE customer = $2 AND no > 0)`

// Order implements trading.Log.
func (l *Log) Order(ctx context.Context, customer, id string) (trading.Order, error) {
	n, ok := trading.ParseOrderID(id)
	if !ok {
		return trading.Order{}, fmt.Errorf("order %.30q: %w", id, trading.ErrNotFound)
	}
	return l.one(ctx, customer, id, selectOrders+` AND id = $3`, int64(n)) //nolint:gosec // bits
}

// OrderByClientID implements trading.Log.
func (l *Log) OrderByClientID(ctx context.Context, customer, clientID string) (trading.Order, error) {
	k := trading.ClientKey(customer, clientID)
	o, err := l.one(ctx, customer, clientID, selectOrders+` AND key_hi = $3 AND key_lo = $4 AND (key_hi <> 0 OR key_lo <> 0) ORDER BY seq DESC LIMIT 1`,
		int64(k.Hi), int64(k.Lo)) //nolint:gosec // bits
	if err == nil {
		o.ClientID = clientID
	}
	return o, err
}

func (l *Log) one(ctx context.Context, customer, id, query string, args ...any) (trading.Order, error) {
	list, _, err := l.orders(ctx, customer, query, args...)
	if err != nil {
		return trading.Order{}, err
	}
	if len(list) == 0 {
		return trading.Order{}, fmt.Errorf("order %.64q: %w", id, trading.ErrNotFound)
	}
	return list[0], nil
}

// Orders implements trading.Log: those that wait, too. At most MaxPage.
func (l *Log) Orders(ctx context.Context, q trading.LogQuery) (list []trading.Order, next string, err error) {
	before, err := position(q.Cursor)
	if err != nil {
		return nil, "", err
	}
	query, args := selectOrders+` AND market = ANY($3) AND seq < $4 ORDER BY seq DESC LIMIT $5`, []any{l.markets(q.Market), before, limit(q) + 1}
	if q.Market != "" {
		query = selectOrders + ` AND market = $3 AND seq < $4 ORDER BY seq DESC LIMIT $5`
		m := l.catalog.Market(q.Market)
		if m == nil {
			return nil, "", nil
		}
		args[0] = int32(m.ID)
	}
	list, places, err := l.orders(ctx, q.Customer, query, args...)
	if err == nil && len(list) > limit(q) {
		list, next = list[:limit(q)], strconv.FormatInt(places[limit(q)-1], 10)
	}
	return list, next, err
}

// limit is how many a page has.
func limit(q trading.LogQuery) int { return min(max(q.Limit, 1), MaxPage) }

// position reads a cursor: what comes is before it.
func position(cursor string) (int64, error) {
	if cursor == "" {
		return math.MaxInt64, nil
	}
	n, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil || n <= 0 || strconv.FormatInt(n, 10) != cursor {
		return 0, &trading.Refusal{Code: "bad_cursor", Field: "cursor", Text: "the cursor is not one of ours", Fix: "leave it out"}
	}
	return n, nil
}

// markets are the numbers of a market, or of all: what a market's numbers mean is not
// known of others.
func (l *Log) markets(name string) []int32 {
	list := []int32{}
	for _, m := range l.catalog.All() {
		if name == "" || name == m.Name {
			list = append(list, int32(m.ID))
		}
	}
	return list
}

// orders reads orders and where each stands.
func (l *Log) orders(ctx context.Context, customer, query string, args ...any) (list []trading.Order, places []int64, err error) {
	rows, err := l.pool.Query(ctx, query, append([]any{l.shard, customer}, args...)...)
	if err != nil {
		return nil, nil, fmt.Errorf("read orders: %w", err)
	}
	var r row
	fields := []any{&r.id, &r.seq, &r.market, &r.side, &r.kind, &r.sibling, &r.price, &r.left, &r.filled, &r.turnover, &r.state, &r.code, &r.created, &r.updated, &r.last, &r.gap, &r.stop, &r.expires}
	_, err = pgx.ForEachRow(rows, fields, func() error {
		o, err := r.view(l.catalog, customer)
		list, places = append(list, o), append(places, r.seq)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read orders: %w", err)
	}
	return list, places, nil
}

// row is an order as the table has it.
type row struct {
	id, seq, sibling, price, left, filled, created, updated, last int64
	gap, stop, expires                                            int64
	market                                                        engine.MarketID
	side                                                          engine.Side
	kind                                                          engine.Type
	state                                                         state
	code                                                          engine.Code
	turnover                                                      money.Units
}

var errNoMarket = errors.New("market of the order is not in the catalog")

// view is the order as its owner sees it.
func (r *row) view(catalog Catalog, customer string) (trading.Order, error) {
	m := catalog.ByID(r.market)
	if m == nil {
		return trading.Order{}, fmt.Errorf("order %d on market %d: %w", r.id, r.market, errNoMarket)
	}
	turnover, err := r.turnover.Mul(m.Config.TickUnits)
	if err != nil {
		return trading.Order{}, fmt.Errorf("turnover of order %d: %w", r.id, err)
	}
	o := trading.Order{
		ID: trading.OrderIDText(engine.OrderID(r.id)), Customer: customer, Market: m.Name, Side: trading.SideName(r.side), Type: trading.TypeOf(r.kind), //nolint:gosec // bits
		State: r.state.name(), Reason: trading.CodeName(r.code), Remaining: m.Quantity(r.left), Filled: m.Quantity(r.filled), Turnover: m.Quote.Format(turnover),
		CreatedAt: time.Unix(0, r.created).UTC(), UpdatedAt: time.Unix(0, r.updated).UTC(), Seq: uint64(r.last), //nolint:gosec // positive
	}
	if r.sibling != 0 {
		o.Sibling = trading.OrderIDText(engine.OrderID(r.sibling)) //nolint:gosec // bits
	}
	if r.stop != 0 {
		o.StopPrice = m.Price(r.stop)
	}
	if r.expires != 0 {
		o.ExpiresAt = time.Unix(0, r.expires).UTC()
	}
	if r.kind != engine.MarketQuote && (r.gap == 0 || r.state != ended) {
		o.Quantity = m.Quantity(r.filled + r.left)
	}
	switch r.kind { // of the others the price is a bound that the engine found
	case engine.Limit, engine.StopLimit, engine.Peg, engine.OCO:
		if r.price != 0 {
			o.Price = m.Price(r.price)
		}
	case engine.Market, engine.MarketQuote, engine.Stop, engine.Trailing:
	}
	return o, nil
}
