package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"strongroom/assets"
	"strongroom/chainadapters"
	"strongroom/custody/custodydb"
	"strongroom/internal/pg"
	"strongroom/ledger"
)

// chainsCommand is the operator's view of the chains.
type chainsCommand struct {
	Readmit readmitNodeCommand `cmd:"" help:"Let a node that was ejected count again."`

	List  listChainsCommand `cmd:"" help:"Show how far each chain is followed, and why one is halted."`
	Clear clearChainCommand `cmd:"" help:"Let a chain go on that waits for a person."`

	ClearKey clearKeyCommand     `cmd:"" help:"Let a sending key go on that a stranger's transaction halted."`
	Cancel   cancelIntentCommand `cmd:"" help:"Take back a payment that is signed or waits for a block."`
}

// chainFlags say which platform is meant.
type chainFlags struct {
	stateFlag

	Database string `name:"database-url" help:"PostgreSQL connection string." env:"STRONGROOM_DATABASE_URL" required:"" placeholder:"URL"`
	Chains   string `name:"chains-file" help:"JSON file of chains and nodes." env:"STRONGROOM_CHAINS_FILE" required:"" placeholder:"FILE"`
}

// with opens custody's store for one piece of work.
func (f chainFlags) with(e *env, work func(*custodydb.Store) error) (err error) {
	return f.withNodes(e, func(store *custodydb.Store, _ map[chainadapters.ChainID]chainadapters.Adapter) error {
		return work(store)
	})
}

// withNodes is with for work that asks nodes too.
func (f chainFlags) withNodes(e *env, work func(*custodydb.Store, map[chainadapters.ChainID]chainadapters.Adapter) error) (err error) {
	pool, err := pg.Open(e.ctx, f.Database)
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
		err = errors.Join(err, book.Close(ctx))
	}()
	registry, err := assets.New(assets.Config{Pool: pool, Clock: e.clock})
	if err != nil {
		return err
	}
	view, err := newAssetView(e.ctx, registry, e.log)
	if err != nil {
		return err
	}
	chains, err := readChains(f.Chains)
	if err != nil {
		return err
	}
	adapters, err := openAdapters(chains)
	if err != nil {
		return err
	}
	store, err := custodydb.New(custodydb.Config{
		Pool: pool, Ledger: book, Assets: view, Adapters: adapters, Environment: "operator", Clock: e.clock,
	})
	if err != nil {
		return err
	}
	return work(store, adapters)
}

type listChainsCommand struct {
	chainFlags

	Output string `short:"o" help:"Form of the answer: text or json." enum:"text,json" default:"text"`
}

// Run prints one line per chain, and one per node where a chain has several.
func (c *listChainsCommand) Run(e *env) error {
	return c.with(e, func(store *custodydb.Store) error {
		list, err := store.Chains(e.ctx)
		if err != nil {
			return err
		}
		report, err := reportOf(e, store, list)
		if err != nil {
			return err
		}
		if c.Output == "json" {
			return printReport(e, report)
		}
		w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "CHAIN\tSTATUS\tTAKEN IN\tNODE'S HEAD\tREASON")
		for _, s := range list {
			status := s.Status
			if s.Operator {
				status += " (needs a person)"
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\n", s.Chain, status, s.Cursor.Height, s.HeadHeight, s.Reason)
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		if err := printNodes(e, report); err != nil {
			return err
		}
		if err := printHaltedKeys(e, store); err != nil {
			return err
		}
		return printHeld(e, store)
	})
}

// maxHeldShown bounds the piles that are listed.
const maxHeldShown = 50

// printHeld lists what lies at deposit addresses and is not collected, and why.
func printHeld(e *env, store *custodydb.Store) error {
	held, err := store.HeldPiles(e.ctx, maxHeldShown)
	if err != nil {
		return err
	}
	for _, p := range held {
		until := "until the limit has room"
		if !p.Until.IsZero() {
			until = "until " + p.Until.UTC().Format(time.RFC3339)
		}
		e.printf("not collected: %s at %s on %s, %s: %s\n", p.Asset, p.Address, p.Chain, until, p.Reason)
	}
	return nil
}

type clearChainCommand struct {
	chainFlags

	Chain string `arg:"" help:"Name of the chain, such as bitcoin-regtest."`
	Depth uint64 `arg:"" optional:"" help:"How deep a reorganisation is accepted, once; 0 for the usual policy."`
}

// Run clears the halt; the watcher judges the node again before the chain is used.
func (c *clearChainCommand) Run(e *env) error {
	return c.with(e, func(store *custodydb.Store) error {
		if err := store.ClearHalt(e.ctx, chainadapters.ChainID(c.Chain), c.Depth); err != nil {
			return err
		}
		e.printf("%s is cleared; the watcher judges its node again\n", c.Chain)
		return nil
	})
}
