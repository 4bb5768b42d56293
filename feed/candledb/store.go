package candledb

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/feed"
	"strongroom/internal/pg"
	"strongroom/matching/engine"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables, all in the schema "feed".
func Migrations() pg.Source {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above: only a broken build comes here
	}
	return pg.Source{Schema: "feed", FS: files}
}

// MaxCandles bounds what one call reads.
const MaxCandles = 10_000

// Store reads what was kept of one shard. It is safe for concurrent use.
type Store struct {
	pool  *pgxpool.Pool
	shard int32
}

// NewStore returns a Store on a migrated database.
func NewStore(pool *pgxpool.Pool, shard int32) *Store { return &Store{pool: pool, shard: shard} }

// queryer is what both a pool and a transaction can do.
type queryer interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

const candleColumns = `SELECT start, open, high, low, close, volume, turnover, trades, last_seq FROM feed.candle `

// Range returns up to limit candles that begin in [from, to), oldest first. limit is at
// most MaxCandles.
func (s *Store) Range(ctx context.Context, market engine.MarketID, interval feed.Interval, from, to time.Time, limit int) ([]feed.Candle, error) {
	rows, err := s.pool.Query(ctx, candleColumns+`WHERE shard = $1 AND market = $2 AND interval_ns = $3 AND start >= $4 AND start < $5
		ORDER BY start LIMIT $6`, s.shard, int32(market), int64(interval), from.UnixNano(), to.UnixNano(), min(limit, MaxCandles))
	return collect(rows, err)
}

func collect(rows pgx.Rows, err error) ([]feed.Candle, error) {
	var list []feed.Candle
	if err == nil {
		list, err = pgx.CollectRows(rows, scanCandle)
	}
	if err != nil {
		return nil, fmt.Errorf("read candles: %w", err)
	}
	return list, nil
}

func scanCandle(row pgx.CollectableRow) (c feed.Candle, err error) {
	var turnover pgtype.Numeric
	var seq int64
	if err := row.Scan(&c.Start, &c.Open, &c.High, &c.Low, &c.Close, &c.Volume, &turnover, &c.Trades, &seq); err != nil {
		return c, fmt.Errorf("scan: %w", err)
	}
	c.Seq = uint64(seq) //nolint:gosec // never negative
	c.Turnover, err = amountOf(turnover)
	return c, err
}

var errTurnover = errors.New("turnover is no amount")

// amountOf is the inverse of numeric.
func amountOf(n pgtype.Numeric) (engine.Amount, error) {
	if !n.Valid || n.NaN || n.Exp < 0 || n.Exp > 39 || n.Int.Sign() < 0 {
		return engine.Amount{}, errTurnover
	}
	v := new(big.Int).Mul(n.Int, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n.Exp)), nil))
	if v.BitLen() > 128 {
		return engine.Amount{}, errTurnover
	}
	return engine.Amount{Hi: new(big.Int).Rsh(v, 64).Uint64(), Lo: new(big.Int).And(v, new(big.Int).SetUint64(1<<64-1)).Uint64()}, nil
}

func numeric(a engine.Amount) pgtype.Numeric {
	v := new(big.Int).Lsh(new(big.Int).SetUint64(a.Hi), 64)
	return pgtype.Numeric{Int: v.Or(v, new(big.Int).SetUint64(a.Lo)), Valid: true}
}

// newest returns the newest candle of each interval, in the order of feed.Intervals.
func newest(ctx context.Context, q queryer, shard int32, market engine.MarketID) ([]feed.Candle, error) {
	list := make([]feed.Candle, 0, len(feed.Intervals()))
	for _, interval := range feed.Intervals() {
		rows, err := q.Query(ctx, candleColumns+`WHERE shard = $1 AND market = $2 AND interval_ns = $3 ORDER BY start DESC LIMIT 1`,
			shard, int32(market), int64(interval))
		one, err := collect(rows, err)
		if err != nil {
			return nil, err
		}
		list = append(list, append(one, feed.Candle{})[0])
	}
	return list, nil
}

func cursor(ctx context.Context, q queryer, shard int32, lock string) (epoch, next uint64, err error) {
	var e, n int64
	err = q.QueryRow(ctx, `SELECT epoch, next_seq FROM feed.cursor WHERE shard = $1`+lock, shard).Scan(&e, &n)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, 1, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read cursor: %w", err)
	}
	return uint64(e), uint64(n), nil //nolint:gosec // never negative
}

// Past returns what is known of trades on each of markets before event next: candles,
// the minutes of the last day, and the newest trades as far as settlement has rows of
// them. All are of one moment.
func (s *Store) Past(ctx context.Context, markets []engine.MarketID) (past map[engine.MarketID]feed.Past, next uint64, err error) {
	past = map[engine.MarketID]feed.Past{}
	err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, next, err = cursor(ctx, tx, s.shard, ""); err != nil {
			return err
		}
		for _, market := range markets {
			if past[market], err = s.past(ctx, tx, market, next); err != nil {
				return fmt.Errorf("of market %d: %w", market, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read what was traded: %w", err)
	}
	return past, next, nil
}

func (s *Store) past(ctx context.Context, tx pgx.Tx, market engine.MarketID, next uint64) (p feed.Past, err error) {
	if p.Candles, err = newest(ctx, tx, s.shard, market); err != nil {
		return p, err
	}
	minute := int64(time.Minute)
	rows, err := tx.Query(ctx, candleColumns+`WHERE shard = $1 AND market = $2 AND interval_ns = $3 AND start > $4 ORDER BY start`,
		s.shard, int32(market), minute, p.Candles[1].Start-int64(24*time.Hour))
	if p.Minutes, err = collect(rows, err); err != nil {
		return p, err
	}
	p.Trades, err = s.trades(ctx, tx, `AND seq < $2 AND market = $3 ORDER BY seq DESC LIMIT $4`,
		int64(next), int32(market), feed.RecentTrades) //nolint:gosec // below 2^63 for ever
	slices.Reverse(p.Trades)
	return p, err
}

// trades reads rows of settlement, none where there is no settlement in this database.
func (s *Store) trades(ctx context.Context, tx pgx.Tx, where string, args ...any) ([]feed.Trade, error) {
	if there, err := settled(ctx, tx); err != nil || !there {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT seq, time, price, qty, taker_side FROM trading.trade WHERE shard = $1 `+where, append([]any{s.shard}, args...)...)
	var list []feed.Trade
	if err == nil {
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t feed.Trade, err error) {
			var seq int64
			err = row.Scan(&seq, &t.Time, &t.Price, &t.Qty, &t.Taker)
			t.Seq = uint64(seq) //nolint:gosec // never negative
			return t, err       //nolint:wrapcheck // wrapped below
		})
	}
	if err != nil {
		return nil, fmt.Errorf("read trades: %w", err)
	}
	return list, nil
}

// settled tells whether settlement keeps its rows in this database.
func settled(ctx context.Context, q queryer) (there bool, err error) {
	if err := q.QueryRow(ctx, `SELECT to_regclass('trading.trade') IS NOT NULL`).Scan(&there); err != nil {
		return false, fmt.Errorf("look for rows of settlement: %w", err)
	}
	return there, nil
}
