package miner

import (
	"context"
	"fmt"
	"strconv"
	"strings"

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
	var status struct{ Pending string }
	if err := c.Node.RPC().Call(ctx, &status, "txpool_status"); err != nil {
		return 0, fmt.Errorf("ask for the pool: %w", err)
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(status.Pending, "0x"), 16, 32)
	if err != nil {
		return 0, fmt.Errorf("read pool size: %w", err)
	}
	return int(n), nil
}

// Mine makes one block.
func (c *EVM) Mine(ctx context.Context) (int, error) {
	if err := c.Node.RPC().Call(ctx, nil, "evm_mine"); err != nil {
		return 0, fmt.Errorf("ask for a block: %w", err)
	}
	block, err := c.newest(ctx)
	return len(block.Transactions), err
}

// Save writes the node's state to its file where the chain has a new head.
func (c *EVM) Save(ctx context.Context) error {
	block, err := c.newest(ctx)
	if err != nil || block.Hash == c.saved {
		return err
	}
	if err := c.Node.SaveState(ctx); err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	c.saved = block.Hash
	return nil
}

type evmBlock struct {
	Hash         string
	Transactions []string
}

func (c *EVM) newest(ctx context.Context) (evmBlock, error) {
	var block evmBlock
	if err := c.Node.RPC().Call(ctx, &block, "eth_getBlockByNumber", "latest", false); err != nil {
		return block, fmt.Errorf("ask for the newest block: %w", err)
	}
	return block, nil
}
