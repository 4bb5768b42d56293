// Package custodydb keeps custody's rows in PostgreSQL. It carries out what the
// rules of package custody decide: every state moves by compare-and-set on state
// and version, every message to other parts is written in the transaction that
// makes it true, and nothing that happened is deleted. It asks no node, knows no
// key, and books money only through the ledger.
package custodydb

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/internal/pg"
	"strongroom/ledger"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the SQL schema of all tables of this package.
const Schema = "custody"

// Migrations returns the tables of custody for pg.Migrate.
func Migrations() pg.Source {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above: only a broken build comes here
	}
	return pg.Source{Schema: Schema, FS: files}
}

// Ledger is what custody needs of the book.
type Ledger interface {
	// Open makes accounts that do not exist yet; the others stay as they are.
	Open(ctx context.Context, accounts ...ledger.Account) error
	// Post books tx and runs attach in the same database transaction. Where tx
	// was booked before, attach does not run and Receipt.Repeated is set. Where
	// attach fails, nothing is booked and its error is returned, wrapped.
	Post(ctx context.Context, tx ledger.Transaction, attach ...ledger.Attachment) (ledger.Receipt, error)
	// Position is what is owed of an asset, and what is there for it.
	Position(ctx context.Context, asset string) (ledger.Position, error)
}

// XPubs are the extended public keys of the house on one chain.
type XPubs struct {
	Deposit string // account 0: customers' deposit addresses
	Hot     string // account 1: the hot wallet and its change
}

// Config holds the collaborators of a Store; all are needed but XPubs and Clock.
type Config struct {
	Pool   *pgxpool.Pool
	Ledger Ledger
	Assets custody.Assets
	// Adapters holds one adapter per chain. The store uses only their pure methods.
	Adapters map[chainadapters.ChainID]chainadapters.Adapter
	// XPubs is needed where addresses are derived.
	XPubs map[chainadapters.ChainID]XPubs
	// Environment is part of each intent's hash: what was meant for one
	// installation is worth nothing on another.
	Environment string
	// Vaults plan what is spent out of vaults of coins; nil where none is refilled from.
	Vaults VaultPlanner
	Clock  func() time.Time // nil for the system's clock
	// MaxPending is how many payments of ours in the pool a coin may hang on that
	// pays for another; 2 where zero, none below zero.
	MaxPending int
}

// Store is custody's memory. It is safe for concurrent use, by several processes too.
type Store struct {
	cfg    Config
	pool   *pgxpool.Pool
	opened sync.Map // asset code → true: its accounts exist
}

// New returns a Store on a migrated database.
func New(cfg Config) (*Store, error) {
	switch {
	case cfg.Pool == nil:
		return nil, errors.New("custodydb: config lacks a pool")
	case cfg.Ledger == nil:
		return nil, errors.New("custodydb: config lacks a ledger")
	case cfg.Assets == nil:
		return nil, errors.New("custodydb: config lacks the assets")
	case len(cfg.Adapters) == 0:
		return nil, errors.New("custodydb: config lacks adapters")
	case cfg.Environment == "":
		return nil, errors.New("custodydb: config lacks the environment's name")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now //nolint:forbidigo // the default of what is injected
	}
	if cfg.MaxPending == 0 {
		cfg.MaxPending = defaultPending
	}
	return &Store{cfg: cfg, pool: cfg.Pool}, nil
}

// now is the time of record: UTC, and no finer than PostgreSQL keeps it.
func (s *Store) now() time.Time { return s.cfg.Clock().UTC().Truncate(time.Microsecond) }

// InTx runs work in one SQL transaction: committed where it returns nil, undone
// otherwise. It is never retried here.
func (s *Store) InTx(ctx context.Context, work func(pgx.Tx) error) error {
	if err := pgx.BeginFunc(ctx, s.pool, work); err != nil {
		return fmt.Errorf("custody transaction: %w", err)
	}
	return nil
}

// queryer is what both a pool and a transaction can do.
type queryer interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// noRows turns the driver's word for an absent row into custody's.
func noRows(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return custody.ErrNotFound
	}
	return err
}

// won turns a compare-and-set that found no row into custody.ErrConflict.
func won(tag interface{ RowsAffected() int64 }, what string) error {
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("%s: %w", what, custody.ErrConflict)
	}
	return nil
}
