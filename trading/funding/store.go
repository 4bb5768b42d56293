package funding

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/internal/pg"
	"strongroom/ledger"
	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/matching/wire"
	"strongroom/trading"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of transfers, all in the schema "funding". They come
// after those of the ledger, of custody and of settlement.
func Migrations() pg.Source {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above: only a broken build comes here
	}
	return pg.Source{Schema: "funding", FS: files}
}

// ErrNotTaken reports a command that the engine refuses without remembering it, such as
// one of an account beyond its bounds: an operator has to do something about it.
var ErrNotTaken = errors.New("the engine does not take the transfer")

// Ledger is what transfers need of the book.
type Ledger interface {
	settle.Ledger
	Balance(ctx context.Context, id ledger.AccountID) (ledger.Balance, error)
}

// Engine takes commands and returns their results in order; a *Link is one. After an
// error commands may have taken effect.
type Engine interface {
	Do(ctx context.Context, commands ...engine.Command) ([]wire.Result, error)
}

// Config holds the collaborators of a Store; all are needed but Guard and Engine.
type Config struct {
	Pool   *pgxpool.Pool
	Ledger Ledger
	Shard  settle.ShardID
	// Assets are the codes of what is traded on the shard.
	Assets []string
	// Start has a transfer's workflow begin once tx is committed, and only then.
	Start func(ctx context.Context, tx pgx.Tx, id string) error
	// Guard may refuse money that is to go to trading, in the transaction that books it:
	// who is frozen must not trade away what is owed. Nil refuses nothing.
	Guard func(ctx context.Context, tx pgx.Tx, customer string) error
	// Engine is the shard; nil in a process that takes no steps.
	Engine Engine
	Clock  func() time.Time
}

// Store keeps transfers and takes their steps. It is safe for concurrent use, in several
// processes too.
type Store struct {
	cfg       Config
	transfers *settle.Transfers
	registry  *settle.Registry
}

var _ trading.Transfers = (*Store)(nil)

// New returns a Store on a migrated database.
func New(cfg Config) (*Store, error) {
	if cfg.Pool == nil || cfg.Ledger == nil || cfg.Start == nil || cfg.Clock == nil || len(cfg.Assets) == 0 {
		return nil, errors.New("funding: config lacks a pool, a ledger, assets, a start or a clock")
	}
	cfg.Assets = slices.Clone(cfg.Assets)
	return &Store{cfg: cfg, transfers: settle.NewTransfers(cfg.Pool, cfg.Ledger), registry: settle.NewRegistry(cfg.Pool)}, nil
}

// Preference implements trading.Transfers: false for who never said anything.
func (s *Store) Preference(ctx context.Context, customer string) (bool, error) {
	var onward bool
	err := s.cfg.Pool.QueryRow(ctx, `SELECT deposits_to_trading FROM funding.preference WHERE customer = $1`, customer).Scan(&onward)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return false, fmt.Errorf("read preference of %s: %w", customer, err)
	}
	return onward, nil
}

// SetPreference implements trading.Transfers. It counts for deposits that mature from
// now on.
func (s *Store) SetPreference(ctx context.Context, customer string, depositsToTrading bool) error {
	_, err := s.cfg.Pool.Exec(ctx, `INSERT INTO funding.preference (customer, deposits_to_trading, updated_at) VALUES ($1, $2, $3)
		ON CONFLICT (customer) DO UPDATE SET deposits_to_trading = excluded.deposits_to_trading, updated_at = excluded.updated_at`,
		customer, depositsToTrading, s.cfg.Clock())
	if err != nil {
		return fmt.Errorf("keep preference of %s: %w", customer, err)
	}
	return nil
}
