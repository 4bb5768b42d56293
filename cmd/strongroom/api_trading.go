package main

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"strongroom/api"
	"strongroom/custody/custodydb"
	"strongroom/feed/candledb"
	"strongroom/feed/live"
	"strongroom/identity"
	"strongroom/internal/kv"
	"strongroom/ledger"
	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/money"
	"strongroom/trading"
	"strongroom/trading/blotter"
	"strongroom/trading/desk"
	"strongroom/trading/funding"
	"strongroom/web"
)

// floor is trading as the API serves it.
type floor struct {
	shard   *client.Client
	catalog *trading.Catalog
	desk    *desk.Desk
	store   *funding.Store
	pulling *funding.Pulling
	kept    kv.Store // sessions of browsers, snapshots of books
	data    *live.Live
	log     *blotter.Log
	endings *funding.Endings
	pages   *web.Pages
	loops   []*keptLoop
}

// floorConfig is what trading needs of the rest of the process.
type floorConfig struct {
	pool    *pgxpool.Pool
	book    *ledger.Ledger
	assets  *assetView
	custody *custodydb.Store
	ids     *identity.Store
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
	f.log = blotter.NewLog(cfg.pool, int32(c.Shard), f.catalog)
	f.desk, err = desk.New(desk.Config{
		Client: f.shard, Catalog: f.catalog, Accounts: numbers, History: f.log, Terms: f.log, Logger: e.log, Clock: e.clock, Registerer: cfg.metrics,
	})
	if err != nil {
		return err
	}
	if err := c.show(e, f, cfg); err != nil {
		return err
	}
	for name, run := range map[string]func(context.Context) error{"desk": f.desk.Run, "market data": f.data.Run} {
		f.loops = append(f.loops, newKeptLoop(keptConfig{name: name, run: run, log: e.log, clock: e.clock}))
	}
	transfers, err := c.transfers(e)
	if err != nil {
		return err
	}
	transfers.Pool, transfers.Ledger = cfg.pool, cfg.book
	if f.store, err = funding.New(transfers); err != nil {
		return err
	}
	if f.endings, err = funding.NewEndings(f.store, e.log); err != nil {
		return err
	}
	f.loops = append(f.loops, newKeptLoop(keptConfig{name: "transfers", run: f.endings.Run, log: e.log, clock: e.clock}))
	f.pulling, err = funding.NewPulling(funding.PullingConfig{
		Store: f.store, Withdrawals: cfg.custody, Balances: f.desk, Assets: cfg.assets,
	})
	if err != nil {
		return err
	}
	f.pages, err = web.New(web.Config{
		Orders: f.desk, Log: f.log, Data: f.data, Transfers: f.store, Catalog: f.catalog, Customers: cfg.ids, Sessions: f.kept,
		Funding: fundingView{api.LedgerBooks{Ledger: cfg.book}}, Logger: e.log, Clock: e.clock,
	})
	return err
}

// fundingView is what of a customer's money is not in trading.
type fundingView struct{ books api.LedgerBooks }

// Available implements web.Funding.
func (v fundingView) Available(ctx context.Context, customer string) (map[string]money.Units, error) {
	list, err := v.books.Balances(ctx, customer)
	if err != nil {
		return nil, err
	}
	out := map[string]money.Units{}
	for _, b := range list {
		out[b.Asset] = b.Available
	}
	return out, nil
}

// open adds trading to what the API serves.
func (f *floor) open(cfg *api.Config) {
	if f == nil {
		return
	}
	cfg.Withdrawals = f.pulling
	cfg.Trading = &api.Trading{Orders: f.desk, Log: f.log, Data: f.data, Transfers: f.store, Endings: f.endings, Catalog: f.catalog}
	cfg.Pages, cfg.Session, cfg.SessionStands = f.pages, f.pages.Customer, f.pages.SessionStands
}

// show makes what is told of markets.
func (c *apiCommand) show(e *env, f *floor, cfg floorConfig) (err error) {
	if f.kept, err = kv.Open(c.Redis, "strongroom:", e.clock); err != nil {
		return err
	}
	names := map[string]engine.MarketID{}
	for _, m := range f.catalog.All() {
		names[m.Name] = m.ID
	}
	f.data, err = live.New(live.Config{
		Client: f.shard, Markets: names, Candles: candledb.NewStore(cfg.pool, int32(c.Shard)), Store: f.kept,
		Clock: e.clock, Logger: e.log, Registerer: cfg.metrics,
	})
	return err
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
	err := f.shard.Close()
	if f.kept != nil {
		err = errors.Join(err, f.kept.Close())
	}
	return err
}
