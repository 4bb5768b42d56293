package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"strongroom/feed/candledb"
	"strongroom/internal/obs"
	"strongroom/ledger"
	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/matching/settle/follow"
	"strongroom/trading/blotter"
	"strongroom/trading/funding"
)

// tradingCommand follows a shard of matching and writes down what it did.
type tradingCommand struct {
	shardFlags

	Database   string        `name:"database-url" help:"PostgreSQL connection string." env:"STRONGROOM_DATABASE_URL" required:"" placeholder:"URL"`
	Certs      string        `name:"tls-dir" help:"Folder with ca.pem, trading.pem and trading-key.pem." env:"STRONGROOM_TLS_DIR" required:"" placeholder:"DIR"`
	Observe    string        `help:"Address of /metrics, /healthz and /readyz." env:"STRONGROOM_TRADING_OBSERVE" default:"127.0.0.1:19094"`
	Checkpoint time.Duration `name:"checkpoint-every" help:"Time between two comparisons of ledger and engine." env:"STRONGROOM_CHECKPOINT_EVERY" default:"5s"`
}

// tradingConnections are those of the process beside the book's.
const tradingConnections = 8

// Run follows until it is told to stop.
func (c *tradingCommand) Run(e *env) (err error) {
	if !c.trades() || c.Checkpoint <= 0 {
		return fmt.Errorf("%w: --matching-addresses and --checkpoint-every are needed", errUsage)
	}
	pool, err := openPool(e.ctx, c.Database, tradingConnections)
	if err != nil {
		return err
	}
	defer pool.Close()
	bookPool, err := openPool(e.ctx, c.Database, bookConnections)
	if err != nil {
		return err
	}
	defer bookPool.Close()
	book, err := ledger.New(ledger.Config{Pool: bookPool, Clock: e.clock})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), closeTimeout)
		defer cancel()
		err = errors.Join(err, book.Close(ctx))
	}()
	shard, err := c.shardOf(c.Certs, "trading")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shard.Close()) }()
	link := funding.NewLink(shard)
	defer func() { err = errors.Join(err, link.Close()) }()
	registry := obs.NewRegistry("trading")
	loops, err := c.loops(e, pool, book, shard, registry)
	if err != nil {
		return err
	}
	ready := map[string]obs.Check{"database": pool.Ping, "matching": func(ctx context.Context) error {
		_, err := shard.Leader(ctx)
		return err
	}}
	runs := []func(context.Context) error{func(ctx context.Context) error {
		every(ctx, c.Checkpoint, func() { c.checkpoint(ctx, e, link) })
		return nil
	}}
	for _, loop := range loops {
		ready[loop.name] = loop.Healthy
		runs = append(runs, loop.Run)
	}
	health, err := obs.NewServer(e.ctx, obs.ServerConfig{Addr: c.Observe, Registry: registry, Log: e.log, Ready: ready})
	if err != nil {
		return err
	}
	return runAll(e.ctx, append(runs, health.Run)...)
}

// loops are what follows the shard, each from a cursor of its own.
func (c *tradingCommand) loops(e *env, pool *pgxpool.Pool, book *ledger.Ledger, shard *client.Client, metrics prometheus.Registerer) ([]*keptLoop, error) {
	settler, err := settle.New(settle.Config{
		Pool: pool, Ledger: book, Source: follow.Source{Shards: map[settle.ShardID]*client.Client{c.Shard: shard}},
		Shard: c.Shard, Clock: e.clock, Metrics: metrics,
	})
	if err != nil {
		return nil, err
	}
	candles, err := candledb.NewWriter(candledb.WriterConfig{
		Pool: pool, Shard: int32(c.Shard), Events: shard, Clock: e.clock, Logger: e.log, Registerer: metrics,
	})
	if err != nil {
		return nil, err
	}
	history, err := blotter.NewWriter(blotter.WriterConfig{
		Pool: pool, Shard: int32(c.Shard), Events: shard, Waiting: shard, Clock: e.clock, Logger: e.log, Registerer: metrics,
	})
	if err != nil {
		return nil, err
	}
	return []*keptLoop{
		newKeptLoop(keptConfig{name: "history", run: history.Run, log: e.log, clock: e.clock}),
		newKeptLoop(keptConfig{name: "candles", run: candles.Run, log: e.log, clock: e.clock}),
		newKeptLoop(keptConfig{
			name: "settlement", run: settler.Run, log: e.log, clock: e.clock,
			halted: func(err error) bool { return errors.Is(err, settle.ErrHalted) },
		}),
	}, nil
}

// checkpoint asks the engine for the digest that settlement compares the ledger with.
func (c *tradingCommand) checkpoint(ctx context.Context, e *env, link *funding.Link) {
	within, cancel := context.WithTimeout(ctx, c.Checkpoint)
	defer cancel()
	results, err := link.Do(within, engine.Command{Op: engine.OpCheckpoint})
	if err == nil && len(results) == 1 && results[0].Code != engine.CodeNone {
		err = fmt.Errorf("matching refuses with code %d", results[0].Code)
	}
	if err != nil && ctx.Err() == nil {
		e.log.WarnContext(ctx, "no checkpoint this time", "cause", err)
	}
}
