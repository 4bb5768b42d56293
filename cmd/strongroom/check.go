package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/assets"
	"strongroom/custody"
	"strongroom/custody/check"
	"strongroom/internal/pg"
	"strongroom/ledger/ledgertest"
	"strongroom/signer"
)

// checkCommand runs the invariant checker on a live platform. It reads only.
type checkCommand struct {
	stateFlag
	shardFlags

	Database string        `name:"database-url" help:"PostgreSQL connection string." env:"STRONGROOM_DATABASE_URL" required:"" placeholder:"URL"`
	Chains   string        `name:"chains-file" help:"JSON file of chains and nodes." env:"STRONGROOM_CHAINS_FILE" required:"" placeholder:"FILE"`
	Certs    string        `name:"tls-dir" help:"Folder with ca.pem, cli.pem and cli-key.pem, to ask matching." env:"STRONGROOM_TLS_DIR" placeholder:"DIR"`
	Signer   string        `name:"signer-dir" help:"The signer's folder, to compare its journal; leave out where that is on another machine." env:"STRONGROOM_SIGNER_DIR" placeholder:"DIR"`
	Treasury string        `name:"treasury-file" help:"JSON file of the treasury, to compare vaults that are contracts with their descriptions." env:"STRONGROOM_TREASURY_FILE" placeholder:"FILE"`
	Grace    time.Duration `help:"How long work in progress may lag behind what happened." default:"1m"`
}

// errBroken ends a check that found something.
var errBroken = errors.New("invariants are broken")

// demoGrace is short: the demo has waited for everything already.
const demoGrace = 10 * time.Second

// checkInvariants checks the platform that runs with this environment.
func checkInvariants(e *env, vars map[string]string) error {
	c := checkCommand{
		Database: vars["STRONGROOM_DATABASE_URL"], Chains: vars["STRONGROOM_CHAINS_FILE"],
		Signer: vars["STRONGROOM_SIGNER_DIR"], Certs: vars["STRONGROOM_TLS_DIR"], Treasury: vars["STRONGROOM_TREASURY_FILE"], Grace: demoGrace, shardFlags: shardIn(vars),
	}
	return c.Run(e)
}

// Run checks and prints what is broken.
func (c *checkCommand) Run(e *env) error {
	pool, err := pg.Open(e.ctx, c.Database)
	if err != nil {
		return err
	}
	defer pool.Close()
	registry, err := assets.New(assets.Config{Pool: pool, Clock: e.clock})
	if err != nil {
		return err
	}
	cfg := check.Config{Pool: pool, Grace: c.Grace, Clock: e.clock, Signed: c.journal()}
	if cfg.Assets, err = newAssetView(e.ctx, registry, e.log); err != nil {
		return err
	}
	chains, err := readChains(c.Chains)
	if err != nil {
		return err
	}
	if cfg.Adapters, err = openAdapters(chains); err != nil {
		return err
	}
	began := e.clock()
	broken, err := c.findings(e, cfg)
	if err != nil {
		return err
	}
	drift, err := drifted(e.ctx, c.Treasury, chains)
	if err != nil {
		return err
	}
	broken = append(broken, drift...)
	for _, v := range broken {
		e.printf("BROKEN  %s\n", v)
	}
	if len(broken) > 0 {
		return fmt.Errorf("%w: %d findings", errBroken, len(broken))
	}
	if err := printFees(e, pool, cfg.Assets); err != nil {
		return err
	}
	e.printf("check: all invariants of ledger, custody, chains%s hold (%s)\n", c.also(), e.clock().Sub(began).Round(time.Millisecond))
	return nil
}

// findings are what each checker says, a line each.
func (c *checkCommand) findings(e *env, cfg check.Config) (lines []string, err error) {
	books, err := ledgertest.Check(e.ctx, cfg.Pool)
	if err != nil {
		return nil, err
	}
	rest, err := check.Run(e.ctx, cfg)
	if err != nil {
		return nil, err
	}
	traded, err := c.trading(e, cfg.Pool)
	if err != nil {
		return nil, err
	}
	for _, v := range books {
		lines = append(lines, "ledger: "+v.String())
	}
	for _, v := range rest {
		lines = append(lines, v.String())
	}
	for _, v := range traded {
		lines = append(lines, "trading: "+v.String())
	}
	return lines, nil
}

// printFees prints one line per asset with fees: what the house earned and paid.
func printFees(e *env, pool *pgxpool.Pool, known custody.Assets) error {
	lines, err := check.Fees(e.ctx, pool)
	if err != nil {
		return err
	}
	for _, line := range lines {
		info, listed := known.AssetByCode(line.Asset)
		if !listed {
			return fmt.Errorf("fees in %s: %w", line.Asset, custody.ErrAsset)
		}
		e.printf("fees: %s earned by withdrawals %s, paid to the network %s in %d transactions\n",
			line.Asset, info.Format(line.Earned), info.Format(line.Paid), line.Transactions)
	}
	return nil
}

func (c *checkCommand) also() string {
	trading := ""
	if c.trades() {
		trading = ", trading"
	}
	if c.Signer == "" {
		return trading + " (signer's journal not at hand)"
	}
	return trading + " and signer's journal"
}

// journal returns how the signer's journal is read, or nil.
func (c *checkCommand) journal() func() (map[check.SignedKey]string, error) {
	if c.Signer == "" {
		return nil
	}
	return func() (map[check.SignedKey]string, error) {
		allowed := map[check.SignedKey]string{}
		err := signer.Audit(filepath.Join(c.Signer, signer.StateFolder), func(p signer.Permission) {
			allowed[check.SignedKey{Intent: p.Intent, Attempt: p.Attempt}] = p.Payload
		})
		return allowed, err
	}
}
