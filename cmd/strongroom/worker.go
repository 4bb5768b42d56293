package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	actdeposit "strongroom/activities/deposit"
	actoutgoing "strongroom/activities/outgoing"
	"strongroom/assets"
	"strongroom/custody/custodydb"
	"strongroom/custody/desk"
	"strongroom/custody/intake"
	"strongroom/internal/obs"
	"strongroom/internal/pg"
	"strongroom/internal/temporalx"
	"strongroom/ledger"
	"strongroom/worker"
	"strongroom/worker/dispatch"
)

// workerCommand works the workflows, watches the chains, plans collections.
type workerCommand struct {
	stationFlags
	feeFlags
	shardFlags
	treasuryFlag

	Database    string            `name:"database-url" help:"PostgreSQL connection string." env:"STRONGROOM_DATABASE_URL" required:"" placeholder:"URL"`
	Temporal    string            `name:"temporal-address" help:"Address of Temporal." env:"STRONGROOM_TEMPORAL_ADDRESS" default:"127.0.0.1:7233"`
	Namespace   string            `name:"temporal-namespace" help:"Temporal namespace." env:"STRONGROOM_TEMPORAL_NAMESPACE" default:"strongroom"`
	PayloadKeys string            `name:"payload-key-file" help:"File of the keys that seal workflow payloads, newest first." env:"STRONGROOM_PAYLOAD_KEY_FILE" required:"" placeholder:"FILE"`
	Chains      string            `name:"chains-file" help:"JSON file of chains and nodes." env:"STRONGROOM_CHAINS_FILE" required:"" placeholder:"FILE"`
	Signer      string            `name:"signer-address" help:"Address of the signer." env:"STRONGROOM_SIGNER_ADDRESS" default:"127.0.0.1:7443"`
	Certs       string            `name:"tls-dir" help:"Folder with ca.pem, worker.pem and worker-key.pem." env:"STRONGROOM_TLS_DIR" required:"" placeholder:"DIR"`
	Environment string            `help:"Name of this installation; part of each intent's hash." env:"STRONGROOM_ENVIRONMENT" default:"development"`
	Observe     string            `help:"Address of /metrics, /healthz and /readyz." env:"STRONGROOM_WORKER_OBSERVE" default:"127.0.0.1:19092"`
	StartHeight map[string]uint64 `help:"First block to take in, per chain that was never watched; genesis where left out." env:"STRONGROOM_START_HEIGHT" placeholder:"CHAIN=HEIGHT"`
	MaxReorg    uint64            `help:"Deepest reorganisation that is followed without a person, in blocks; 0 for one less than what is final." env:"STRONGROOM_MAX_REORG" default:"0"`
	MaxHeadAge  time.Duration     `help:"A node whose newest block is older counts as lagging; 0 for any age." env:"STRONGROOM_MAX_HEAD_AGE" default:"0s"`
	Poll        time.Duration     `help:"Time between two looks at a chain that did not move." env:"STRONGROOM_CHAIN_POLL" default:"500ms"`
	Collect     time.Duration     `name:"collect-every" help:"Time between two rounds of planning collections." env:"STRONGROOM_COLLECT_EVERY" default:"10s"`
	Sanctions   map[string]string `help:"Sanctions lists: VENDOR=PATH of a file or folder, such as ofac-sdn=/var/lib/strongroom/sanctions. Without one nothing is credited or paid out." env:"STRONGROOM_SANCTIONS" placeholder:"VENDOR=PATH"`
	ListAge     time.Duration     `name:"sanctions-max-age" help:"A sanctions list whose files are older is not used; 0 for any age." env:"STRONGROOM_SANCTIONS_MAX_AGE" default:"72h"`
	Outstanding int               `help:"How many transactions of one key may be on their way." env:"STRONGROOM_OUTSTANDING" default:"16"`
	StuckAfter  time.Duration     `help:"A transaction that waits in the pool for longer counts as stuck." env:"STRONGROOM_STUCK_AFTER" default:"30m"`
}

// Run works until it is told to stop, and lets what is under way finish.
func (c *workerCommand) Run(e *env) (err error) {
	tracing, err := obs.NewTracing(e.ctx, "worker")
	if err != nil {
		return err
	}
	pool, err := openPool(e.ctx, c.Database, workerConnections)
	if err != nil {
		return err
	}
	defer pool.Close()
	// The book has connections of its own: whoever waits for it may hold others.
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
		err = errors.Join(err, book.Close(ctx), tracing.Stop(ctx))
	}()
	keys, err := signerOf(c.Certs, "worker", c.Signer)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, keys.Close()) }()
	house, err := c.house(e, pool, book, keys)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, house.exchange.close()) }()
	registry := obs.NewRegistry("worker")
	house.metrics = registry
	tasks, err := c.tasks(e, house, registry, tracing)
	if err != nil {
		return err
	}
	loops, err := c.loops(e, house)
	if err != nil {
		return err
	}
	health, err := obs.NewServer(e.ctx, obs.ServerConfig{
		Addr: c.Observe, Registry: registry, Log: e.log, Ready: map[string]obs.Check{
			"database": pool.Ping, "workflows": tasks.Ready, "signer": keys.Check, "chains": house.chainsKnown,
		},
	})
	if err != nil {
		return err
	}
	return runAll(e.ctx, append(loops, tasks.Run, health.Run)...)
}

// How many database connections a worker holds. Of the first, one per chain and
// two of the dispatcher are held for as long as it works.
const (
	workerConnections = 24
	bookConnections   = 8
)

// openPool opens a pool of most connections, unless the connection string says
// how many by pool_max_conns.
func openPool(ctx context.Context, database string, most int) (*pgxpool.Pool, error) {
	at, err := url.Parse(database)
	if err != nil {
		return nil, fmt.Errorf("%w: --database-url is not a URL", errUsage) // the string may hold a password
	}
	query := at.Query()
	if !query.Has("pool_max_conns") {
		query.Set("pool_max_conns", strconv.Itoa(most))
		at.RawQuery = query.Encode()
	}
	return pg.Open(ctx, at.String())
}

// runAll runs every loop until ctx ends or one of them fails, stops the others,
// and waits for all.
func runAll(ctx context.Context, loops ...func(context.Context) error) error {
	within, stop := context.WithCancel(ctx)
	defer stop()
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		errs []error
	)
	for _, loop := range loops {
		all.Go(func() {
			defer stop()
			if err := loop(within); err != nil && !errors.Is(err, context.Canceled) {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// house opens custody with keys, chains and assets.
func (c *workerCommand) house(e *env, pool *pgxpool.Pool, book *ledger.Ledger, keys *signerLink) (*house, error) {
	registry, err := assets.New(assets.Config{Pool: pool, Clock: e.clock})
	if err != nil {
		return nil, err
	}
	view, err := newAssetView(e.ctx, registry, e.log)
	if err != nil {
		return nil, err
	}
	chains, err := readChains(c.Chains)
	if err != nil {
		return nil, err
	}
	h := &house{chains: chains, assets: view, book: book, pool: pool, signer: keys}
	if h.adapters, err = openAdapters(chains); err != nil {
		return nil, err
	}
	cfg := custodydb.Config{
		Pool: pool, Ledger: book, Assets: view, Adapters: h.adapters, Environment: c.Environment, Clock: e.clock,
	}
	if h.treasury, cfg.Vaults, err = openTreasury(e, c.Treasury, c.Environment, pool, chains); err != nil {
		return nil, err
	}
	if cfg.XPubs, err = keys.publicKeys(e.ctx, chains); err != nil {
		return nil, err
	}
	if h.store, err = custodydb.New(cfg); err != nil {
		return nil, err
	}
	lists, err := c.screening(e, chains, view)
	if err != nil {
		return nil, err
	}
	if h.desk, err = c.custodyDesk(e, h, keys, lists); err != nil {
		return nil, err
	}
	h.intake, err = intake.New(intake.Config{
		Store: h.store, Ledger: book, Assets: view, Adapters: h.adapters, Screening: lists, Log: e.log,
	})
	if err != nil {
		return nil, err
	}
	if err := h.open(e.ctx); err != nil {
		return nil, err
	}
	h.exchange, err = c.exchange(e, h)
	return h, err
}

// custodyDesk makes who carries payments, with the treasury before it where there is one.
func (c *workerCommand) custodyDesk(e *env, h *house, keys *signerLink, lists desk.Screener) (*desk.Desk, error) {
	gas, rates, err := c.policies(h.adapters, h.assets)
	if err != nil {
		return nil, err
	}
	signers, err := h.treasury.signer(keys, h.store)
	if err != nil {
		return nil, err
	}
	if h.treasury != nil {
		if err := h.treasury.attach(h); err != nil {
			return nil, err
		}
	}
	owners, err := h.treasury.owners()
	if err != nil {
		return nil, err
	}
	return desk.New(desk.Config{
		Policy: h.treasury.policy(), Vaults: owners,
		Store: h.store, Adapters: h.adapters, Assets: h.assets, Signer: signers, Screening: lists, Log: e.log, Clock: e.clock, StuckAfter: c.StuckAfter, Outstanding: c.Outstanding,
		Gas: gas, Rates: rates,
	})
}

// tasks makes the Temporal worker.
func (c *workerCommand) tasks(e *env, h *house, metrics *prometheus.Registry, tracing *obs.Tracing) (*worker.Worker, error) {
	ring, err := temporalx.LoadKeyring(c.PayloadKeys)
	if err != nil {
		return nil, err
	}
	outgoing, err := actoutgoing.New(h.desk)
	if err != nil {
		return nil, err
	}
	deposits, err := actdeposit.New(h.intake)
	if err != nil {
		return nil, err
	}
	steps := worker.Activities{Outgoing: outgoing}
	if err := h.exchange.activities(&steps, h.intake, deposits); err != nil {
		return nil, err
	}
	h.exchange.measure(metrics)
	lock, err := dispatch.NewAdvisory(h.pool, "outbox")
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name this worker: %w", err)
	}
	return worker.New(worker.Config{
		Address: c.Temporal, Namespace: c.Namespace, Identity: "worker@" + host + "/" + strconv.Itoa(os.Getpid()), Keys: ring,
		Activities: steps, Outbox: h.store, Lock: lock, Label: h.label,
		Metrics: metrics, Tracer: tracing.Provider.Tracer("strongroom/worker"), Propagator: tracing.Propagator, Log: e.log,
	})
}
