// Package scanbench measures how fast blocks are taken in where the house watches a
// great many addresses: the real watcher and the real database, on scripted chains
// whose blocks hold thousands of movements, few of which are ours. Reading real
// nodes' answers is measured beside it. It is for measurements only and writes to a
// database that holds nothing else.
package scanbench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/watch"
	"strongroom/internal/pg"
	"strongroom/ledger"
	"strongroom/money"
)

// Bounds and defaults of Config.
const (
	defaultAddresses = 1_000_000
	defaultMovements = 5_000
	defaultBlocks    = 60
	maxAddresses     = 10_000_000
	maxMovements     = 20_000
	maxBlocks        = 10_000
)

// OursPerBlock is how many movements of each block go to addresses of the house.
const OursPerBlock = 5

// Config says what to measure.
type Config struct {
	// Clock measures. Required.
	Clock func() time.Time
	// Addresses is how many the house watches on each chain; a million where zero.
	Addresses int
	// Movements is how many outputs or logs a block holds; 5,000 where zero.
	Movements int
	// Blocks is how many blocks of each chain are taken in; 60 where zero.
	Blocks int
	// Restart stops the database server and starts it again, so that the first block
	// finds nothing in its memory; nil where that cannot be done.
	Restart func(ctx context.Context) error
	// Progress gets a line per step; nil for silence.
	Progress func(line string)
}

func (c Config) withDefaults() (Config, error) {
	if c.Clock == nil {
		return c, errors.New("scan benchmark needs a clock")
	}
	for _, d := range []struct {
		value      *int
		usual, max int
	}{{&c.Addresses, defaultAddresses, maxAddresses}, {&c.Movements, defaultMovements, maxMovements}, {&c.Blocks, defaultBlocks, maxBlocks}} {
		if *d.value == 0 {
			*d.value = d.usual
		}
		if *d.value < 2*OursPerBlock || *d.value > d.max {
			return c, fmt.Errorf("scan benchmark: %d is out of bounds", *d.value)
		}
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	return c, nil
}

// Run migrates and fills the database at url, which must be empty, and measures.
func Run(ctx context.Context, url string, cfg Config) (Report, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return Report{}, err
	}
	if err := pg.Migrate(ctx, url, ledger.Migrations(), custodydb.Migrations()); err != nil {
		return Report{}, fmt.Errorf("prepare scan: %w", err)
	}
	report := Report{Addresses: cfg.Addresses, Restarted: cfg.Restart != nil}
	var chains []*node
	for _, family := range []chainadapters.Family{chainadapters.UTXO, chainadapters.Account} {
		chain, err := newNode(family, cfg)
		if err != nil {
			return report, err
		}
		chains = append(chains, chain)
	}
	if err := fill(ctx, url, cfg, chains); err != nil {
		return report, fmt.Errorf("fill database: %w", err)
	}
	for _, chain := range chains {
		if cfg.Restart != nil {
			if err := cfg.Restart(ctx); err != nil {
				return report, fmt.Errorf("restart database: %w", err)
			}
		}
		row, err := scan(ctx, url, cfg, chain)
		if err != nil {
			return report, fmt.Errorf("scan %s: %w", chain.name, err)
		}
		report.Scans = append(report.Scans, row)
		cfg.Progress(row.String())
	}
	report.Resident = resident()
	if report.Reads, err = read(ctx, cfg); err != nil {
		return report, fmt.Errorf("measure reading of nodes: %w", err)
	}
	return report, nil
}

// scan starts as a process does, takes in one block, and then all others.
func scan(ctx context.Context, url string, cfg Config, chain *node) (Scan, error) {
	begun := cfg.Clock()
	pool, err := pg.Open(ctx, url)
	if err != nil {
		return Scan{}, fmt.Errorf("connect: %w", err)
	}
	defer pool.Close()
	watcher, closeBook, err := start(ctx, pool, cfg, chain)
	if err != nil {
		return Scan{}, err
	}
	defer closeBook()
	chain.grow(1)
	if err := lookAll(ctx, watcher); err != nil {
		return Scan{}, err
	}
	row := Scan{Chain: chain.name, Movements: (cfg.Blocks - 1) * cfg.Movements, Start: cfg.Clock().Sub(begun)}
	chain.grow(cfg.Blocks)
	begun = cfg.Clock()
	before := used()
	if err := lookAll(ctx, watcher); err != nil {
		return Scan{}, err
	}
	row.Took, row.CPU = cfg.Clock().Sub(begun), used()-before
	return row, verify(ctx, pool, cfg, chain)
}

// start puts together what a worker needs to watch a chain.
func start(ctx context.Context, pool *pgxpool.Pool, cfg Config, chain *node) (*watch.Watcher, func(), error) {
	book, err := ledger.New(ledger.Config{Pool: pool, Clock: cfg.Clock}) //nolint:contextcheck // a batch outlives every caller
	if err != nil {
		return nil, nil, fmt.Errorf("open book: %w", err)
	}
	done := func() { _ = book.Close(context.WithoutCancel(ctx)) } // nothing was booked
	store, err := custodydb.New(custodydb.Config{
		Pool: pool, Ledger: book, Assets: chain.assets, Environment: "bench", Clock: cfg.Clock,
		Adapters: map[chainadapters.ChainID]chainadapters.Adapter{chain.name: chain},
	})
	if err != nil {
		done()
		return nil, nil, fmt.Errorf("open store: %w", err)
	}
	watcher, err := watch.New(watch.Config{
		Chain: chain.name, Adapter: chain, Store: store, Assets: chain.assets, StartHeight: 1, MaxReorg: 1,
		Poll: time.Second, Clock: cfg.Clock, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		done()
		return nil, nil, fmt.Errorf("make watcher: %w", err)
	}
	return watcher, done, nil
}

func lookAll(ctx context.Context, watcher *watch.Watcher) error {
	for {
		more, err := watcher.Look(ctx)
		if err != nil {
			return fmt.Errorf("take in blocks: %w", err)
		}
		if !more {
			return nil
		}
	}
}

// errMissed reports that the scan did not find what it had to.
var errMissed = errors.New("scan missed deposits")

// verify makes sure that the scan reached the head and found each movement to the
// house: a fast scan that misses one is worth nothing.
func verify(ctx context.Context, pool *pgxpool.Pool, cfg Config, chain *node) error {
	var height, found int
	var reason string
	err := pool.QueryRow(ctx, `SELECT c.height, c.reason, (SELECT count(*) FROM custody.deposit d WHERE d.chain = c.chain AND d.canonical)
		FROM custody.chain c WHERE c.chain = $1`, chain.name).Scan(&height, &reason, &found)
	if err != nil {
		return fmt.Errorf("count deposits: %w", err)
	}
	if height != cfg.Blocks || found != cfg.Blocks*OursPerBlock {
		return fmt.Errorf("%w: block %d of %d, %d deposits of %d; %s", errMissed, height, cfg.Blocks, found, cfg.Blocks*OursPerBlock, reason)
	}
	return nil
}

// list is a fixed asset registry.
type list []custody.AssetInfo

// AssetByCode implements custody.Assets.
func (l list) AssetByCode(code string) (custody.AssetInfo, bool) {
	for _, info := range l {
		if info.Code == code {
			return info, true
		}
	}
	return custody.AssetInfo{}, false
}

// AssetsOf implements custody.Assets.
func (l list) AssetsOf(chain chainadapters.ChainID) []custody.AssetInfo {
	if l[0].Chain != chain {
		return nil
	}
	return l
}

func asset(code, contract string, chain chainadapters.ChainID) custody.AssetInfo {
	return custody.AssetInfo{
		Asset: money.Asset{Code: code, Scale: 8}, Chain: chain, Contract: contract, Native: code,
		MinDeposit: money.FromUint64(1), MinWithdrawal: money.FromUint64(1),
		Tiers:      []custody.Tier{{CreditDepth: 2, WithdrawDepth: 3}},
		FinalDepth: 6, State: custody.AssetListed,
	}
}
