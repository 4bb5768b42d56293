package settle

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/internal/pg"
	"strongroom/ledger"
	"strongroom/matching/engine"
	"strongroom/money"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of settlement, all in the schema "trading".
func Migrations() pg.Source {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above: only a broken build comes here
	}
	return pg.Source{Schema: "trading", FS: files}
}

// Ledger is what settlement needs of the book.
type Ledger interface {
	// Open makes accounts that do not exist yet; the others stay as they are.
	Open(ctx context.Context, accounts ...ledger.Account) error
	// Post books tx and runs attach in the same SQL transaction.
	Post(ctx context.Context, tx ledger.Transaction, attach ...ledger.Attachment) (ledger.Receipt, error)
}

// Registry gives customers, assets and markets the numbers by which the engine knows
// them. It is safe for concurrent use.
type Registry struct {
	pool  *pgxpool.Pool
	named named
}

// NewRegistry returns a Registry on a migrated database.
func NewRegistry(pool *pgxpool.Pool) *Registry { return &Registry{pool: pool} }

// numbering is held while a number is given: they are dense.
const numbering = `SELECT pg_advisory_xact_lock(hashtextextended('trading.numbers', 0))`

// Account returns a customer's number, a new one where it has none. ErrInvalid for an
// empty name.
func (r *Registry) Account(ctx context.Context, customer string) (engine.AccountID, error) {
	if customer == "" {
		return 0, fmt.Errorf("account of nobody: %w", ErrInvalid)
	}
	no, err := r.number(ctx, `SELECT no FROM trading.account WHERE customer = $1`,
		`INSERT INTO trading.account (no, customer) SELECT coalesce(max(no), 0) + 1, $1 FROM trading.account RETURNING no`, customer)
	return engine.AccountID(no), err //nolint:gosec // the table's bound
}

// Asset returns an asset's number, a new one where it has none. ErrInvalid for an
// empty code.
func (r *Registry) Asset(ctx context.Context, code string) (engine.AssetID, error) {
	if code == "" {
		return 0, fmt.Errorf("asset without code: %w", ErrInvalid)
	}
	no, err := r.number(ctx, `SELECT no FROM trading.asset WHERE code = $1`,
		`INSERT INTO trading.asset (no, code) SELECT coalesce(max(no), -1) + 1, $1 FROM trading.asset RETURNING no`, code)
	return engine.AssetID(no), err //nolint:gosec // the table's bound
}

func (r *Registry) number(ctx context.Context, find, insert, name string) (int64, error) {
	var no int64
	err := r.pool.QueryRow(ctx, find, name).Scan(&no)
	if err == nil {
		return no, nil
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("find number of %s: %w", name, err)
	}
	err = pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, numbering); err != nil {
			return fmt.Errorf("lock numbers: %w", err)
		}
		err := tx.QueryRow(ctx, find, name).Scan(&no)
		if errors.Is(err, pgx.ErrNoRows) {
			err = tx.QueryRow(ctx, insert, name).Scan(&no)
		}
		return err //nolint:wrapcheck // wrapped below
	})
	if err != nil {
		return 0, fmt.Errorf("give %s a number: %w", name, err)
	}
	return no, nil
}

// Market says what is traded on a market of a shard and what its lots and ticks are
// worth, in base units; see engine.MarketConfig.
type Market struct {
	Shard       ShardID
	No          engine.MarketID
	Base, Quote engine.AssetID
	LotUnits    uint64
	TickUnits   uint64
}

// Define adds a market, before it trades. The same again changes nothing; another
// content is ErrConflict.
func (r *Registry) Define(ctx context.Context, m Market) error {
	lot, tick := money.FromUint64(m.LotUnits), money.FromUint64(m.TickUnits)
	tag, err := r.pool.Exec(ctx, `INSERT INTO trading.market (shard, no, base, quote, lot_units, tick_units) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (shard, no) DO NOTHING`, m.Shard, m.No, m.Base, m.Quote, lot, tick)
	if err != nil {
		return fmt.Errorf("define market %d: %w", m.No, err)
	}
	if tag.RowsAffected() == 1 {
		return nil
	}
	have, err := loadMarkets(ctx, r.pool, m.Shard)
	if err != nil {
		return err
	}
	if have[m.No] != (marketTerms{m.Base, m.Quote, lot, tick}) {
		return fmt.Errorf("define market %d: %w", m.No, ErrConflict)
	}
	return nil
}

func loadMarkets(ctx context.Context, pool *pgxpool.Pool, shard ShardID) (map[engine.MarketID]marketTerms, error) {
	rows, err := pool.Query(ctx, `SELECT no, base, quote, lot_units, tick_units FROM trading.market WHERE shard = $1`, shard)
	if err != nil {
		return nil, fmt.Errorf("read markets: %w", err)
	}
	found := map[engine.MarketID]marketTerms{}
	var no engine.MarketID
	var m marketTerms
	_, err = pgx.ForEachRow(rows, []any{&no, &m.base, &m.quote, &m.lot, &m.tick}, func() error {
		found[no] = m
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read markets: %w", err)
	}
	return found, nil
}
