package main

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"strongroom/api"
	"strongroom/custody/custodydb"
	"strongroom/ledger"
	"strongroom/matching/client"
	"strongroom/matching/settle"
	"strongroom/trading"
	"strongroom/trading/desk"
	"strongroom/trading/funding"
)

// floor is trading as the API serves it.
type floor struct {
	shard   *client.Client
	catalog *trading.Catalog
	desk    *desk.Desk
	store   *funding.Store
	pulling *funding.Pulling
	loops   []*keptLoop
}

// floorConfig is what trading needs of the rest of the process.
type floorConfig struct {
	pool    *pgxpool.Pool
	book    *ledger.Ledger
	assets  *assetView
	custody *custodydb.Store
	metrics prometheus.Registerer
}

// floor opens what trades; nil where the platform does not.
func (c *apiCommand) floor(e *env, cfg floorConfig) (*floor, error) {
	if !c.trades() {
		return nil, nil //nolint:nilnil // an installation without matching
	}
	terms, err := c.terms()
	if err != nil {
		return nil, err
	}
	f, numbers := &floor{}, settle.NewRegistry(cfg.pool)
	if f.catalog, err = readCatalog(e.ctx, e, cfg.pool, terms, numbers); err != nil {
		return nil, err
	}
	if f.shard, err = c.shardOf(c.Certs, "api"); err != nil {
		return nil, err
	}
	if err := c.furnish(e, f, numbers, cfg); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// furnish makes the parts of a floor.
func (c *apiCommand) furnish(e *env, f *floor, numbers *settle.Registry, cfg floorConfig) (err error) {
	f.desk, err = desk.New(desk.Config{
		Client: f.shard, Catalog: f.catalog, Accounts: numbers, Logger: e.log, Clock: e.clock, Registerer: cfg.metrics,
	})
	if err != nil {
		return err
	}
	f.loops = append(f.loops, newKeptLoop(keptConfig{name: "desk", run: f.desk.Run, log: e.log, clock: e.clock}))
	transfers, err := c.transfers(e)
	if err != nil {
		return err
	}
	transfers.Pool, transfers.Ledger = cfg.pool, cfg.book
	if f.store, err = funding.New(transfers); err != nil {
		return err
	}
	f.pulling, err = funding.NewPulling(funding.PullingConfig{
		Store: f.store, Withdrawals: cfg.custody, Balances: f.desk, Assets: cfg.assets,
	})
	return err
}

// withdrawals are custody's, which pull from trading what they lack where there is any.
func (f *floor) withdrawals(plain api.Withdrawals) api.Withdrawals {
	if f == nil {
		return plain
	}
	return f.pulling
}

// run keeps what follows the shard going, until ctx ends.
func (f *floor) run(ctx context.Context) {
	if f == nil {
		return
	}
	for _, l := range f.loops {
		go func() { _ = l.Run(ctx) }() // returns nil once ctx has ended
	}
}

func (f *floor) close() error {
	if f == nil {
		return nil
	}
	return f.shard.Close()
}
