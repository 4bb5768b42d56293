package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"

	"strongroom/api"
	"strongroom/assets"
	"strongroom/chainadapters"
	"strongroom/chainadapters/all"
	"strongroom/custody/custodydb"
	"strongroom/identity"
	"strongroom/internal/mtls"
	"strongroom/internal/obs"
	"strongroom/internal/pg"
	"strongroom/ledger"
	signerclient "strongroom/signer/client"
)

// apiCommand serves REST.
type apiCommand struct {
	stateFlag
	shardFlags
	treasuryFlag

	Database    string `name:"database-url" help:"PostgreSQL connection string." env:"STRONGROOM_DATABASE_URL" required:"" placeholder:"URL"`
	Listen      string `help:"Address of the REST interface." env:"STRONGROOM_API_LISTEN" default:"127.0.0.1:18080"`
	AllowRemote bool   `help:"Permit an address that is not loopback; end TLS before it." env:"STRONGROOM_API_ALLOW_REMOTE"`
	SealKey     string `name:"identity-key-file" help:"File of the key that seals API secrets; made where missing. Default: secrets/identity.key in the state folder." env:"STRONGROOM_IDENTITY_KEY_FILE" placeholder:"FILE"`
	Chains      string `name:"chains-file" help:"JSON file of chains and nodes." env:"STRONGROOM_CHAINS_FILE" required:"" placeholder:"FILE"`
	Signer      string `name:"signer-address" help:"Address of the signer, for public keys." env:"STRONGROOM_SIGNER_ADDRESS" default:"127.0.0.1:7443"`
	Certs       string `name:"tls-dir" help:"Folder with ca.pem, api.pem and api-key.pem." env:"STRONGROOM_TLS_DIR" required:"" placeholder:"DIR"`
	Temporal    string `name:"temporal-address" help:"Address of Temporal." env:"STRONGROOM_TEMPORAL_ADDRESS" default:"127.0.0.1:7233"`
	Namespace   string `name:"temporal-namespace" help:"Temporal namespace." env:"STRONGROOM_TEMPORAL_NAMESPACE" default:"strongroom"`
	Redis       string `name:"redis-url" help:"Redis that several of these processes share, as redis:// or rediss://; in memory where none is given." env:"STRONGROOM_REDIS_URL" placeholder:"URL"`
	Environment string `help:"Name of this installation; part of each intent's hash." env:"STRONGROOM_ENVIRONMENT" default:"development"`
}

// Bounds of the process.
const (
	signerTimeout   = 5 * time.Second
	signerTries     = 20
	closeTimeout    = 10 * time.Second
	purgeEvery      = 30 * time.Second
	refreshEvery    = 2 * time.Second
	gateFresh       = time.Second
	temporalTimeout = 2 * time.Second
)

// Run serves until it is told to stop.
func (c *apiCommand) Run(e *env) (err error) {
	tracing, err := obs.NewTracing(e.ctx, "api")
	if err != nil {
		return err
	}
	pool, err := pg.Open(e.ctx, c.Database)
	if err != nil {
		return err
	}
	defer pool.Close()
	book, err := ledger.New(ledger.Config{Pool: pool, Clock: e.clock})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), closeTimeout)
		defer cancel()
		err = errors.Join(err, book.Close(ctx), tracing.Stop(ctx))
	}()
	metrics := obs.NewRegistry("api")
	house, err := c.house(e, pool, book, metrics)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, house.floor.close()) }()
	engine, err := client.NewLazyClient(client.Options{HostPort: c.Temporal, Namespace: c.Namespace, Logger: quiet{e.log}})
	if err != nil {
		return fmt.Errorf("prepare workflow engine: %w", err)
	}
	defer engine.Close()
	gate := newCachedGate(func(ctx context.Context) error { return engineHealth(ctx, engine) }, e.clock)
	cfg := house.config(book)
	if cfg.Allowed, err = house.allowed(e, c.Treasury, c.Environment, pool); err != nil {
		return err
	}
	cfg.Addr, cfg.AllowRemote, cfg.Log, cfg.Clock, cfg.Metrics = c.Listen, c.AllowRemote, e.log, e.clock, metrics
	cfg.Gate, cfg.Ready = gate, map[string]api.Gate{"database": api.GateFunc(pool.Ping), "workflows": gate}
	cfg.Tracer = tracing.Provider.Tracer("strongroom/api")
	server, err := api.New(cfg)
	if err != nil {
		return err
	}
	background, stop := context.WithCancel(e.ctx)
	defer stop()
	house.floor.run(background)
	go every(background, purgeEvery, func() { c.purge(background, e.log, house.ids) })
	return server.Run(e.ctx)
}

// apiHouse is the domains as the API serves them.
type apiHouse struct {
	ids       *identity.Store
	cursorKey []byte
	registry  *assets.Registry
	store     *custodydb.Store
	view      *assetView
	adapters  map[chainadapters.ChainID]chainadapters.Adapter
	floor     *floor // nil where the platform does not trade
}

// house opens the domains.
func (c *apiCommand) house(e *env, pool *pgxpool.Pool, book *ledger.Ledger, metrics prometheus.Registerer) (h *apiHouse, err error) {
	h = &apiHouse{}
	if h.ids, h.cursorKey, err = c.identity(identity.Config{Pool: pool, Clock: e.clock}); err != nil {
		return nil, err
	}
	if h.registry, err = assets.New(assets.Config{Pool: pool, Clock: e.clock}); err != nil {
		return nil, err
	}
	if err := c.custody(e, h, custodydb.Config{Pool: pool, Ledger: book, Environment: c.Environment, Clock: e.clock}); err != nil {
		return nil, err
	}
	h.floor, err = c.floor(e, floorConfig{pool: pool, book: book, assets: h.view, custody: h.store, ids: h.ids, metrics: metrics})
	return h, err
}

// config is what the server asks of the domains.
func (h *apiHouse) config(book *ledger.Ledger) api.Config {
	cfg := api.Config{
		Auth: h.ids, Customers: h.ids, Freezer: h.ids, Keys: h.ids, Assets: h.registry, Books: api.LedgerBooks{Ledger: book},
		Addresses: h.store, Deposits: h.store, Withdrawals: h.store, WithdrawalLog: h.store, Events: h.store,
		Chains: chainList{h.store}, Unavailable: databaseDown, CursorKey: h.cursorKey,
	}
	h.floor.open(&cfg)
	return cfg
}

func (c *apiCommand) purge(ctx context.Context, log *slog.Logger, ids *identity.Store) {
	if _, err := ids.PurgeNonces(ctx); err != nil && ctx.Err() == nil {
		log.WarnContext(ctx, "nonces stay for now", "cause", err)
	}
}

// identity opens customers and keys, and derives the key of cursors.
func (c *apiCommand) identity(cfg identity.Config) (*identity.Store, []byte, error) {
	sealer, err := identity.SealerFromFile(sealFile(c.SealKey, c.Dir))
	if err != nil {
		return nil, nil, err
	}
	cfg.Sealer = sealer
	ids, err := identity.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	cursorKey, err := sealer.Derive("cursors")
	return ids, cursorKey, err
}

func sealFile(given, dir string) string {
	if given != "" {
		return given
	}
	return filepath.Join(dir, "secrets", "identity.key")
}

// custody opens custody's memory with the chains of the file, whose public keys
// the signer gives.
func (c *apiCommand) custody(e *env, h *apiHouse, cfg custodydb.Config) (err error) {
	if h.view, err = newAssetView(e.ctx, h.registry, e.log); err != nil {
		return err
	}
	go every(e.ctx, refreshEvery, func() { h.view.refresh(e.ctx) })
	cfg.Assets = h.view
	chains, err := readChains(c.Chains)
	if err != nil {
		return err
	}
	if h.adapters, err = openAdapters(chains); err != nil {
		return err
	}
	cfg.Adapters = h.adapters
	if cfg.XPubs, err = c.publicKeys(e.ctx, chains); err != nil {
		return err
	}
	h.store, err = custodydb.New(cfg)
	return err
}

// allowed is customers' address books; nil where nobody of the house is asked.
func (h *apiHouse) allowed(e *env, file, environment string, pool *pgxpool.Pool) (*api.Allowed, error) {
	house, err := openTreasuryDesk(e, file, environment, pool)
	if house == nil || err != nil {
		return nil, err
	}
	house.assets = h.view
	return &api.Allowed{Book: house.desk, Canonical: func(chain, address string) (string, error) { return canonical(h.adapters, chain, address) }}, nil
}

// publicKeys asks the signer, which may still be starting.
func (c *apiCommand) publicKeys(ctx context.Context, chains []chainadapters.Config) (map[chainadapters.ChainID]custodydb.XPubs, error) {
	tlsConfig, err := mtls.ClientConfig(c.Certs, "api", "signer")
	if err != nil {
		return nil, err
	}
	keys, err := signerclient.New(signerclient.Config{Address: c.Signer, TLS: tlsConfig, Timeout: signerTimeout})
	if err != nil {
		return nil, err
	}
	defer func() { _ = keys.Close() }()
	out := map[chainadapters.ChainID]custodydb.XPubs{}
	for _, chain := range chains {
		var x custodydb.XPubs
		for try := 0; ; try++ {
			if x.Deposit, x.Hot, err = keys.PublicKeys(ctx, chain.Chain); err == nil {
				break
			}
			if try == signerTries || !pause(ctx, time.Second) {
				return nil, err
			}
		}
		out[chain.Chain] = x
	}
	return out, nil
}

// readChains reads the list of chains.
func readChains(file string) ([]chainadapters.Config, error) {
	raw, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read chains: %w", err)
	}
	var list []chainadapters.Config
	if err := json.Unmarshal(raw, &list); err != nil { //nolint:musttag // the file has the names of the fields
		return nil, fmt.Errorf("read chains from %s: %w", file, err)
	}
	return list, nil
}

func openAdapters(list []chainadapters.Config) (map[chainadapters.ChainID]chainadapters.Adapter, error) {
	out := make(map[chainadapters.ChainID]chainadapters.Adapter, len(list))
	for _, cfg := range list {
		adapter, err := all.Open(cfg)
		if err != nil {
			return nil, err
		}
		out[cfg.Chain] = adapter
	}
	return out, nil
}
