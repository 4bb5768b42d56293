package main

import (
	"context"
	"fmt"

	"strongroom/api/client"
	"strongroom/assets"
	"strongroom/identity/reqsign"
	"strongroom/internal/obs"
	"strongroom/internal/pg"
	"strongroom/money"
	"strongroom/trading/sim"
)

// simCommand makes the markets of a development stack live.
type simCommand struct {
	stateFlag
	shardFlags

	Database string `name:"database-url" help:"PostgreSQL connection string, for the operator's key and the assets." env:"STRONGROOM_DATABASE_URL" required:"" placeholder:"URL"`
	URL      string `name:"api-url" help:"Where the REST interface is." env:"STRONGROOM_API_URL" required:"" placeholder:"URL"`
	Observe  string `help:"Address of /metrics, /healthz and /readyz." env:"STRONGROOM_SIM_OBSERVE" default:"127.0.0.1:19095"`
	Seed     uint64 `help:"What the players want to do follows from it." default:"1"`
}

// Run plays until it is told to stop.
func (c *simCommand) Run(e *env) error {
	vars, err := readEnvFile(c.Dir)
	if err != nil {
		return fmt.Errorf("%w: no development stack has run in %s", errUsage, c.Dir)
	}
	cfg := sim.Config{StateDir: c.Dir, Seed: c.Seed, Clock: e.clock, Log: e.log}
	if cfg.Terms, err = c.terms(); err != nil {
		return err
	}
	if cfg.World, err = openOutside(vars); err != nil {
		return err
	}
	if _, _, err := bootstrap(e, c.Database, sealFile("", c.Dir), c.Dir); err != nil {
		return err
	}
	admin, err := readCredential(adminFile(c.Dir))
	if err != nil {
		return err
	}
	if cfg.Operator, err = client.New(client.Config{URL: c.URL, Credential: admin, Clock: e.clock}); err != nil {
		return err
	}
	cfg.Customer = func(k sim.Credential) (*client.Client, error) {
		return client.New(client.Config{URL: c.URL, Clock: e.clock, Credential: reqsign.Credential{
			Key: k.Key, Scheme: reqsign.Ed25519, Secret: k.Seed, Customer: k.Customer,
		}})
	}
	if cfg.Assets, err = c.assets(e); err != nil {
		return err
	}
	registry := obs.NewRegistry("sim")
	cfg.Metrics = registry
	players, err := sim.New(cfg)
	if err != nil {
		return err
	}
	health, err := obs.NewServer(e.ctx, obs.ServerConfig{Addr: c.Observe, Registry: registry, Log: e.log})
	if err != nil {
		return err
	}
	return runAll(e.ctx, players.Run, health.Run)
}

// assets reads how the registry's assets count.
func (c *simCommand) assets(e *env) (map[string]money.Asset, error) {
	pool, err := pg.Open(e.ctx, c.Database)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	registry, err := assets.New(assets.Config{Pool: pool, Clock: e.clock})
	if err != nil {
		return nil, err
	}
	return knownAssets(e.ctx, registry)
}

// knownAssets are those of the registry, by code.
func knownAssets(ctx context.Context, registry *assets.Registry) (map[string]money.Asset, error) {
	list, err := registry.All(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]money.Asset{}
	for _, a := range list {
		out[a.Code] = a.Money()
	}
	return out, nil
}
