package main

import (
	"fmt"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
)

// printHaltedKeys lists the sending keys that wait for a person.
func printHaltedKeys(e *env, store *custodydb.Store) error {
	keys, chains, err := store.HaltedKeys(e.ctx)
	if err != nil {
		return err
	}
	for i, key := range keys {
		e.printf("halted key: %s on %s: a transaction that is not ours used its nonce\n", key.From, chains[i])
	}
	return nil
}

type clearKeyCommand struct {
	chainFlags

	Chain   string `arg:"" help:"Name of the chain, such as ethereum-dev."`
	Address string `arg:"" help:"Address of the key, as \"chains list\" shows it."`
	Reason  string `help:"Why the key may be used again; kept for ever." required:""`
}

// Run asks the node how often the key was used and puts strangers' nonces on
// record, so that ours go on behind them.
func (c *clearKeyCommand) Run(e *env) error {
	return c.withNodes(e, func(store *custodydb.Store, nodes map[chainadapters.ChainID]chainadapters.Adapter) error {
		chain := chainadapters.ChainID(c.Chain)
		node, ok := nodes[chain]
		if !ok {
			return fmt.Errorf("chain %s: %w", chain, custody.ErrNotFound)
		}
		address, err := node.ParseAddress(c.Address)
		if err != nil {
			return err
		}
		count, err := node.NextNonce(e.ctx, address)
		if err != nil {
			return err
		}
		if err := store.ClearKey(e.ctx, chain, address, count, c.Reason); err != nil {
			return err
		}
		e.printf("%s on %s may be used again; the chain has %d transactions of it\n", address, chain, count)
		return nil
	})
}

type cancelIntentCommand struct {
	chainFlags

	ID     string `arg:"" help:"Withdrawal, collection or gas top-up: wdr_…, col_…, gas_…"`
	Reason string `help:"Why; the customer reads it, and it is kept for ever." required:""`
}

// Run records the order. A payment that a block already has stands.
func (c *cancelIntentCommand) Run(e *env) error {
	return c.with(e, func(store *custodydb.Store) error {
		if err := store.OrderCancel(e.ctx, c.ID, c.Reason); err != nil {
			return err
		}
		e.printf("%s is to be taken back; what is mined first decides, and the hold is released when that is final\n", c.ID)
		return nil
	})
}
