package miner

import (
	"context"
	"fmt"

	"strongroom/internal/devstack"
)

// EVM mines anvil.
type EVM struct {
	Node devstack.AnvilConfig

	saved string // hash of the newest block in the state file
}

var _ Chain = (*EVM)(nil)

// Pool counts the executable transactions; those behind a nonce gap cannot be
// mined and do not count.
func (c *EVM) Pool(ctx context.Context) (int, error) {
	return evmPool(ctx, c.Node.RPC())
}

// Mine makes one block.
func (c *EVM) Mine(ctx context.Context) (int, error) {
	if err := c.Node.RPC().Call(ctx, nil, "evm_mine"); err != nil {
		return 0, fmt.Errorf("ask for a block: %w", err)
	}
	block, err := newest(ctx, c.Node.RPC())
	return len(block.Transactions), err
}

// Save writes the node's state to its file where the chain has a new head.
func (c *EVM) Save(ctx context.Context) error {
	block, err := newest(ctx, c.Node.RPC())
	if err != nil || block.Hash == c.saved {
		return err
	}
	if err := c.Node.SaveState(ctx); err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	c.saved = block.Hash
	return nil
}
