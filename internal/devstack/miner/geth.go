package miner

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"strongroom/internal/devstack"
)

// Geth mines geth and plays the peer that gives it back the blocks that it lost in
// a kill.
type Geth struct {
	Node devstack.GethConfig
	Log  *BlockLog
}

var _ Chain = (*Geth)(nil)

// importAtOnce is how many blocks are handed over in one file.
const importAtOnce = 1_000

// Pool counts the executable transactions.
func (c *Geth) Pool(ctx context.Context) (int, error) { return evmPool(ctx, c.Node.RPC()) }

// Mine makes one block, on a node that has all blocks of the log.
func (c *Geth) Mine(ctx context.Context) (int, error) {
	if newest := c.Log.Newest(); newest != "" {
		there, err := c.has(ctx, newest)
		if err != nil {
			return 0, err
		}
		if !there {
			return 0, ErrBehind
		}
	}
	if err := c.Node.Mine(ctx, 1); err != nil {
		return 0, fmt.Errorf("ask for a block: %w", err)
	}
	block, err := newest(ctx, c.Node.RPC())
	return len(block.Transactions), err
}

// Save appends the blocks of the node's chain that the log lacks, oldest first.
func (c *Geth) Save(ctx context.Context) error {
	block, err := newest(ctx, c.Node.RPC())
	if err != nil {
		return err
	}
	var missing []evmBlock
	for range maxWalk {
		if height, err := block.height(); err != nil || height == 0 || c.Log.Has(block.Hash) {
			break
		}
		missing = append(missing, block)
		if block, err = blockBy(ctx, c.Node.RPC(), "eth_getBlockByHash", block.ParentHash); err != nil {
			return err
		}
	}
	for _, m := range slices.Backward(missing) {
		height, err := m.height()
		if err != nil {
			return err
		}
		raw, err := c.Node.RawBlock(ctx, height)
		if err != nil {
			return fmt.Errorf("save block: %w", err)
		}
		if err := c.Log.Append(m.Hash, hex.EncodeToString(raw)); err != nil {
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return c.Log.Sync()
}

// Restore gives the node the chain that ends in the newest logged block, where it
// lacks it.
func (c *Geth) Restore(ctx context.Context) error {
	hash := c.Log.Newest()
	if hash == "" {
		return nil
	}
	if there, err := c.has(ctx, hash); err != nil || there {
		return err
	}
	chain, err := c.logged(hash)
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(chain, importAtOnce) {
		if err := c.Node.Import(ctx, batch); err != nil {
			return fmt.Errorf("give blocks back: %w", err)
		}
	}
	return nil
}

// logged returns the raw blocks from the first to the one with this hash. What was
// replaced since it was logged is left out.
func (c *Geth) logged(hash string) ([][]byte, error) {
	var chain [][]byte
	for c.Log.Has(hash) {
		text, err := c.Log.Raw(hash)
		if err != nil {
			return nil, err
		}
		raw, err := hex.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("read block %s: %w", hash, err)
		}
		var block types.Block
		if err := rlp.DecodeBytes(raw, &block); err != nil {
			return nil, fmt.Errorf("read block %s: %w", hash, err)
		}
		chain, hash = append(chain, raw), block.ParentHash().Hex()
	}
	slices.Reverse(chain)
	return chain, nil
}

// has reports whether a block is on the node's chain: known is not enough.
func (c *Geth) has(ctx context.Context, hash string) (bool, error) {
	block, err := blockBy(ctx, c.Node.RPC(), "eth_getBlockByHash", hash)
	if err != nil || block.Hash == "" {
		return false, err
	}
	same, err := blockBy(ctx, c.Node.RPC(), "eth_getBlockByNumber", block.Number)
	return same.Hash == hash, err
}

type evmBlock struct {
	Hash, ParentHash, Number string
	Transactions             []string
}

func (b evmBlock) height() (uint64, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(b.Number, "0x"), 16, 64)
	if err != nil {
		return 0, fmt.Errorf("read height of %s: %w", b.Hash, err)
	}
	return n, nil
}

func newest(ctx context.Context, node devstack.RPC) (evmBlock, error) {
	return blockBy(ctx, node, "eth_getBlockByNumber", "latest")
}

func blockBy(ctx context.Context, node devstack.RPC, method, which string) (evmBlock, error) {
	var block evmBlock
	if err := node.Call(ctx, &block, method, which, false); err != nil {
		return block, fmt.Errorf("ask for block %s: %w", which, err)
	}
	return block, nil
}

// evmPool counts what a block could take now; transactions behind a nonce gap do
// not count.
func evmPool(ctx context.Context, node devstack.RPC) (int, error) {
	var status struct{ Pending string }
	if err := node.Call(ctx, &status, "txpool_status"); err != nil {
		return 0, fmt.Errorf("ask for the pool: %w", err)
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(status.Pending, "0x"), 16, 32)
	if err != nil {
		return 0, fmt.Errorf("read pool size: %w", err)
	}
	return int(n), nil
}
