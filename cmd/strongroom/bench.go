package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"strongroom/assets"
	collector "strongroom/custody/collect"
	flowsbench "strongroom/internal/bench/flows"
	ledgerbench "strongroom/internal/bench/ledger"
	scanbench "strongroom/internal/bench/scan"
	"strongroom/internal/devstack"
	"strongroom/internal/devstack/stack"
	"strongroom/money"
)

// benchCommand measures on servers of its own, in a folder that goes with it.
type benchCommand struct {
	Only        string        `help:"What to measure: scan, ledger, flows or all." enum:"scan,ledger,flows,all" default:"all"`
	Accounts    int           `help:"Ledger: accounts that the spread load draws from." default:"1000000"`
	Duration    time.Duration `help:"Ledger: length of one measurement." default:"4s"`
	Addresses   int           `help:"Scan: addresses that are watched on each chain." default:"1000000"`
	Count       int           `help:"Flows: deposits, and then withdrawals." default:"200"`
	Callers     int           `help:"Flows: how many are asked for at once." default:"32"`
	Outstanding int           `help:"Flows: transactions of the hot key that may be on their way." default:"256"`
	Dir         string        `help:"Folder for the servers' data; a temporary one where left out." placeholder:"DIR"`
}

// benchAsset is what moves in the flows.
const (
	benchAsset   = "ETH"
	benchHouse   = "50"    // what the hot wallet begins with
	benchDeposit = "0.01"  // above the least deposit
	benchPayout  = "0.002" // with its fee, less than a deposit
)

// Run measures and prints.
func (c *benchCommand) Run(e *env) (err error) {
	dir := c.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "strongroom-bench-"); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	// The database server is another user where this process is root.
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // what is inside guards itself
		return fmt.Errorf("open folder: %w", err)
	}
	// Scanning comes first: it says how much memory this process had at most.
	for _, part := range []struct {
		name string
		run  func(e *env, dir string) error
	}{{"scan", c.scan}, {"ledger", c.ledger}, {"flows", c.flows}} {
		if c.Only != "all" && c.Only != part.name {
			continue
		}
		if err := part.run(e, filepath.Join(dir, part.name)); err != nil {
			return err
		}
	}
	return nil
}

// benchSettings are those of docker-compose.yml: a server for a ledger of a
// million accounts, which the stock settings would make write its pages twice, and
// wait for the disk to make room for each 16 MB of its log.
func benchSettings() map[string]string {
	return map[string]string{"shared_buffers": "1GB", "max_wal_size": "8GB", "min_wal_size": "4GB", "checkpoint_timeout": "15min"}
}

// ledger measures the book on a PostgreSQL that syncs to disk.
func (c *benchCommand) ledger(e *env, dir string) (err error) {
	cfg, err := benchServer(dir)
	if err != nil {
		return err
	}
	server, err := startBenchServer(e, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	report, err := ledgerbench.Run(e.ctx, server.URL(benchDatabase), ledgerbench.Config{
		Clock: e.clock, Accounts: c.Accounts, Duration: c.Duration, Progress: func(line string) { e.printf("%s\n", line) },
	})
	if err != nil {
		return err
	}
	e.printf("\n%s\n", report)
	return nil
}

// scan measures how fast blocks are taken in where many addresses are watched.
func (c *benchCommand) scan(e *env, dir string) (err error) {
	cfg, err := benchServer(dir)
	if err != nil {
		return err
	}
	server, err := startBenchServer(e, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	report, err := scanbench.Run(e.ctx, server.URL(benchDatabase), scanbench.Config{
		Clock: e.clock, Addresses: c.Addresses, Progress: func(line string) { e.printf("%s\n", line) },
		Restart: func(ctx context.Context) error {
			if err := server.Stop(); err != nil {
				return err
			}
			again, err := devstack.StartPostgres(ctx, cfg)
			if err == nil {
				server = again
			}
			return err
		},
	})
	if err != nil {
		return err
	}
	e.printf("\n%s\n", report)
	return nil
}

// benchDatabase is the only database of a server that is measured.
const benchDatabase = "bench"

// benchServer describes a server of its own in a folder.
func benchServer(dir string) (devstack.PostgresConfig, error) {
	root, err := toolRoot()
	if err != nil {
		return devstack.PostgresConfig{}, err
	}
	bin, err := devstack.PostgresBinDir(root)
	if err != nil {
		return devstack.PostgresConfig{}, err
	}
	port, err := devstack.FreePort()
	return devstack.PostgresConfig{
		Dir: dir, BinDir: bin, Port: port, Durable: true, MaxConnections: 300, Settings: benchSettings(),
	}, err
}

// startBenchServer starts a server with an empty database.
func startBenchServer(e *env, cfg devstack.PostgresConfig) (*devstack.Postgres, error) {
	server, err := devstack.StartPostgres(e.ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := server.CreateDatabase(e.ctx, benchDatabase, ""); err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	return server, nil
}

// flows measures the whole platform on a stack of its own.
func (c *benchCommand) flows(e *env, dir string) (err error) {
	s, err := c.stack(e, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopStack(e, s)) }()
	books, err := openTourBooks(e, s.Env())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, books.close(e.ctx)) }()
	cfg := flowsbench.Config{
		Pool: books.pool, House: books.store, Asset: benchAsset, Count: c.Count, Callers: c.Callers,
		Processes: func() map[string]int { return processes(s) }, Clock: e.clock,
		Progress: func(line string) { e.printf("%s\n", line) },
	}
	world, err := openOutside(s.Env())
	if err != nil {
		return err
	}
	cfg.Outside = world
	if cfg.Collect, err = books.planner(e); err != nil {
		return err
	}
	asset, err := books.assetOf(e.ctx, benchAsset)
	if err != nil {
		return err
	}
	for text, into := range map[string]*money.Units{benchDeposit: &cfg.Amount, benchPayout: &cfg.Payout} {
		if *into, err = asset.Money().Parse(text); err != nil {
			return err
		}
	}
	if err := books.fund(e.ctx, world, asset); err != nil {
		return err
	}
	report, err := flowsbench.Run(e.ctx, cfg)
	if err != nil {
		return err
	}
	e.printf("\n%s\n", report)
	return nil
}

// planner returns what plans one round of collections, as the worker does; it says
// only what goes wrong.
func (b *tourBooks) planner(e *env) (func(context.Context) error, error) {
	view, err := newAssetView(e.ctx, b.registry, e.log)
	if err != nil {
		return nil, err
	}
	warnings := slog.New(slog.NewTextHandler(e.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	c, err := collector.New(collector.Config{
		Store: b.store, Assets: view, Adapters: b.adapters, Log: warnings, Clock: e.clock,
	})
	if err != nil {
		return nil, err
	}
	return c.Round, nil
}

// stack is the platform as `up` runs it, but that the worker leaves it to the
// measurement to plan collections, and may have more on its way.
func (c *benchCommand) stack(e *env, dir string) (*stack.Stack, error) {
	layout, err := stack.OpenLayout(dir)
	if err != nil {
		return nil, err
	}
	root, err := toolRoot()
	if err != nil {
		return nil, err
	}
	say := &speaker{env: e}
	return stack.Up(e.ctx, stack.Config{
		Layout: layout, Root: root, Migrate: migrate, Clock: e.clock, Step: say.step, Note: say.note,
		Children: func(at stack.Ports) []stack.Child {
			list := children(at)
			for i := range list {
				if list[i].Name == "worker" {
					list[i].Env["STRONGROOM_COLLECT_EVERY"] = "1h"
					list[i].Env["STRONGROOM_OUTSTANDING"] = strconv.Itoa(c.Outstanding)
				}
			}
			return list
		},
		LoadAssets: func(ctx context.Context, url, file string) error { return loadAssets(ctx, e.clock, url, file) },
	})
}

// processes returns what runs, and ourselves: we ask and watch.
func processes(s *stack.Stack) map[string]int {
	out := map[string]int{"bench itself": os.Getpid()}
	for _, service := range s.Status().Services {
		out[service.Name] = service.PID
	}
	return out
}

// assetOf returns one of the registry's assets.
func (b *tourBooks) assetOf(ctx context.Context, code string) (assets.Asset, error) {
	list, err := b.registry.All(ctx)
	if err != nil {
		return assets.Asset{}, err
	}
	for _, a := range list {
		if a.Code == code {
			return a, nil
		}
	}
	return assets.Asset{}, fmt.Errorf("asset %s is not in the registry", code)
}

// payer is the outside world as far as it pays.
type payer interface {
	Pay(ctx context.Context, asset, to string, units money.Units) (string, error)
}

// fund gives the hot wallet what the flows need, and waits until the book has it.
func (b *tourBooks) fund(ctx context.Context, world payer, a assets.Asset) error {
	amount, err := a.Money().Parse(benchHouse)
	if err != nil {
		return err
	}
	hot, err := b.store.HotAddress(ctx, a.Chain)
	if err != nil {
		return err
	}
	if _, err := world.Pay(ctx, a.Code, hot.Address, amount); err != nil {
		return err
	}
	for {
		held, err := b.custodyBalance(ctx, a)
		if err != nil || !held.Less(amount) {
			return err
		}
		if !pause(ctx, look) {
			return fmt.Errorf("await funds of %s: %w", a.Code, ctx.Err())
		}
	}
}

// look is how often the book is looked at.
const look = 200 * time.Millisecond
