package main

import (
	"errors"
	"fmt"
	"time"

	"strongroom/internal/pg"
	"strongroom/ledger/ledgertest"
)

// checkCommand runs the invariant checker on a live platform.
type checkCommand struct {
	stateFlag

	Database string `name:"database-url" help:"PostgreSQL connection string." env:"STRONGROOM_DATABASE_URL" required:"" placeholder:"URL"`
	Chains   string `name:"chains-file" help:"JSON file of chains and nodes." env:"STRONGROOM_CHAINS_FILE" required:"" placeholder:"FILE"`
}

// errBroken ends a check that found something.
var errBroken = errors.New("invariants are broken")

// Run checks and prints what is broken.
func (c *checkCommand) Run(e *env) error {
	return checkInvariants(e, map[string]string{
		"STRONGROOM_DATABASE_URL": c.Database, "STRONGROOM_CHAINS_FILE": c.Chains,
	})
}

func checkInvariants(e *env, vars map[string]string) error {
	pool, err := pg.Open(e.ctx, vars["STRONGROOM_DATABASE_URL"])
	if err != nil {
		return err
	}
	defer pool.Close()
	began := e.clock()
	broken, err := ledgertest.Check(e.ctx, pool)
	if err != nil {
		return fmt.Errorf("check ledger: %w", err)
	}
	for _, v := range broken {
		e.printf("BROKEN  %v\n", v)
	}
	if len(broken) > 0 {
		return fmt.Errorf("%w: %d found", errBroken, len(broken))
	}
	e.printf("check: all invariants hold (%s)\n", e.clock().Sub(began).Round(time.Millisecond))
	return nil
}
