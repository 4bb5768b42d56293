// Package settlebench measures how fast trades of a real node of matching get into the
// ledger: how many fills a second are settled where many wait, also over a long run, and
// how far behind settlement is where they come at a steady rate. Everything is read over
// TLS from a node of its own, and committed by a server that waits for its disk. It
// decides nothing about what is good enough.
package settlebench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	ledgerbench "strongroom/internal/bench/ledger"
	"strongroom/internal/devstack/shard"
	"strongroom/internal/pg"
	"strongroom/ledger"
	"strongroom/matching/client"
	"strongroom/matching/settle"
	"strongroom/matching/settle/settletest/floor"
)

// Config says what to measure. Bin, Dir, Database and Clock are needed, and Fills and
// Runs are at least 1.
type Config struct {
	Bin      string // the program matching
	Dir      string // of the node
	Database string // of an empty database
	Clock    func() time.Time
	Progress func(line string)

	Customers int
	Fills     int // of one run
	Runs      int // the median counts
	// Long is the fills of one long run, zero for none; its rate is told for each Step.
	Long, Step int
	// Rates are fills a second at which the lag is measured, for so long each.
	Rates    []int
	Duration time.Duration
	// Cold leaves the server without the log files that one has which has been running.
	Cold bool
}

// ErrInvalid reports a configuration that cannot be measured.
var ErrInvalid = errors.New("not valid")

// Bounds of a configuration.
const (
	mostCustomers = 1_000
	mostFills     = 5_000_000
	closeWithin   = 30 * time.Second
	connections   = 8
	seed          = 1
)

func (c *Config) check() error {
	if !c.runs() || !c.long() || !c.rates() {
		return fmt.Errorf("%d customers, %d fills, %d runs, %d by %d, %v for %s: %w", c.Customers, c.Fills, c.Runs, c.Long, c.Step, c.Rates, c.Duration, ErrInvalid)
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	return nil
}

func (c *Config) runs() bool {
	return c.Clock != nil && c.Customers >= 2 && c.Customers <= mostCustomers && c.Fills >= 1 && c.Fills <= mostFills && c.Runs >= 1
}

func (c *Config) long() bool {
	return c.Long == 0 || c.Long > 0 && c.Long <= mostFills && c.Step >= 1
}

func (c *Config) rates() bool {
	return len(c.Rates) == 0 || slices.Min(c.Rates) >= 1 && c.Duration > 0
}

// bench is one node, one ledger and customers of both.
type bench struct {
	cfg    Config
	pool   *pgxpool.Pool
	book   *ledger.Ledger
	client *client.Client
	floor  *floor.Floor
}

// Run migrates the database, starts a node, and measures.
func Run(ctx context.Context, cfg Config) (out Report, err error) {
	if err := cfg.check(); err != nil {
		return out, err
	}
	if err := pg.Migrate(ctx, cfg.Database, ledger.Migrations(), settle.Migrations()); err != nil {
		return out, fmt.Errorf("prepare database: %w", err)
	}
	pool, err := pg.Open(ctx, fmt.Sprintf("%s&pool_max_conns=%d", cfg.Database, connections))
	if err != nil {
		return out, fmt.Errorf("open database: %w", err)
	}
	defer pool.Close()
	book, err := ledger.New(ledger.Config{Pool: pool, Clock: cfg.Clock}) //nolint:contextcheck // a batch outlives every caller
	if err != nil {
		return out, fmt.Errorf("open ledger: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
		defer cancel()
		err = errors.Join(err, book.Close(ctx))
	}()
	nodes, err := shard.Start(shard.Config{
		Dir: filepath.Join(cfg.Dir, "node"), Bin: cfg.Bin, Nodes: 1,
		Callers: map[string]shard.Rights{floor.Caller: {Any: true, Operate: true, Events: true}},
		Flags:   []string{"--accounts", "1024", "--assets", "2", "--markets", "2", "--orders", "262144", "--keys", "65536", "--transfers", "65536"},
	})
	if err != nil {
		return out, fmt.Errorf("start node: %w", err)
	}
	defer func() { err = errors.Join(err, nodes.Stop()) }()
	to, err := floor.Dial(nodes.Certs(), nodes.Addresses())
	if err != nil {
		return out, fmt.Errorf("dial node: %w", err)
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	b := &bench{cfg: cfg, pool: pool, book: book, client: to}
	if b.floor, err = floor.New(ctx, floor.Config{Pool: pool, Ledger: book, Client: to, Customers: cfg.Customers, Seed: seed}); err != nil {
		return out, fmt.Errorf("prepare customers: %w", err)
	}
	defer b.floor.Close()
	return b.all(ctx)
}

func (b *bench) all(ctx context.Context) (out Report, err error) {
	if _, err := b.drain(ctx, 0); err != nil { // customers' money
		return out, err
	}
	if !b.cfg.Cold {
		if err := ledgerbench.Settle(ctx, b.pool); err != nil {
			return out, fmt.Errorf("settle after filling: %w", err)
		}
	}
	out.Customers, out.Fills, out.Duration, out.Cold = b.cfg.Customers, b.cfg.Fills, b.cfg.Duration, b.cfg.Cold
	if out.Environment, err = environment(ctx, b.pool); err != nil {
		return out, err
	}
	for n := range b.cfg.Runs {
		d, err := b.drain(ctx, b.cfg.Fills)
		if err != nil {
			return out, fmt.Errorf("run %d: %w", n+1, err)
		}
		b.cfg.Progress(fmt.Sprintf("run %d: %s", n+1, d))
		out.Runs = append(out.Runs, d)
	}
	if b.cfg.Long > 0 {
		if err := b.long(ctx, &out); err != nil {
			return out, err
		}
	}
	for _, rate := range b.cfg.Rates {
		p, err := b.pace(ctx, rate)
		if err != nil {
			return out, fmt.Errorf("at %d/s: %w", rate, err)
		}
		b.cfg.Progress(p.String())
		out.Paces = append(out.Paces, p)
	}
	return out, b.sound(ctx)
}

var errUnsound = errors.New("what was settled is wrong")

// sound holds what was settled against what the node says. A figure of a wrong book is worth nothing.
func (b *bench) sound(ctx context.Context) error {
	_, found, err := b.floor.Judge(ctx, b.pool)
	if err != nil {
		return fmt.Errorf("judge: %w", err)
	}
	if len(found) > 0 {
		return fmt.Errorf("%w: %s and %d more", errUnsound, found[0], len(found)-1)
	}
	b.cfg.Progress("rows, checkpoints and balances are what the node says")
	return nil
}

func environment(ctx context.Context, pool *pgxpool.Pool) (text string, err error) {
	err = pool.QueryRow(ctx, `SELECT format('PostgreSQL %s, fsync %s, synchronous_commit %s, shared_buffers %s, min_wal_size %s, max_wal_size %s',
		current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit'), current_setting('shared_buffers'),
		current_setting('min_wal_size'), current_setting('max_wal_size'))`).Scan(&text)
	if err != nil {
		return "", fmt.Errorf("read settings: %w", err)
	}
	return text, nil
}
