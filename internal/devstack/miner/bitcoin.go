package miner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"strongroom/internal/devstack"
)

// Bitcoin mines a node of the Bitcoin family and plays the peer that gives it back
// the blocks that it lost: nodes flush seldom, and a kill costs them all since.
type Bitcoin struct {
	RPC     devstack.RPC
	Log     *BlockLog
	Genesis string // hash of block 0
	// Address is paid by the blocks of a node that wants to be told (Core's
	// family); empty for one that knows (btcd).
	Address string

	// disowned are logged blocks that the node refuses because somebody had it take a
	// block below them for invalid (invalidateblock): they are no loss.
	disowned sync.Map // hash → true
}

var _ Chain = (*Bitcoin)(nil)

// maxWalk bounds how many blocks Save goes back to find one that it knows.
const maxWalk = 1_000_000

// Pool counts the transactions in the node's pool.
func (c *Bitcoin) Pool(ctx context.Context) (int, error) {
	var info struct{ Size int }
	if err := c.RPC.Call(ctx, &info, "getmempoolinfo"); err != nil {
		return 0, fmt.Errorf("ask for the pool: %w", err)
	}
	return info.Size, nil
}

// ErrBehind reports a node that lacks logged blocks: mining on it would fork the
// chain. Restore is on its way.
var ErrBehind = errors.New("node has not got its blocks back yet")

// Mine makes one block, on a node that has all blocks of the log.
func (c *Bitcoin) Mine(ctx context.Context) (int, error) {
	if newest := c.Log.Newest(); newest != "" {
		there, err := c.has(ctx, newest)
		if err != nil {
			return 0, err
		}
		if _, disowned := c.disowned.Load(newest); !there && !disowned {
			return 0, ErrBehind
		}
	}
	var hashes []string
	if err := c.generate(ctx, &hashes, 1); err != nil {
		return 0, err
	}
	if len(hashes) != 1 {
		return 0, fmt.Errorf("asked for one block, the node made %d", len(hashes))
	}
	var block struct{ Tx []string }
	if err := c.RPC.Call(ctx, &block, "getblock", hashes[0], 1); err != nil {
		return 0, fmt.Errorf("ask for block %s: %w", hashes[0], err)
	}
	return len(block.Tx) - 1, nil // without the coinbase
}

// Grow mines until the chain has a height.
func (c *Bitcoin) Grow(ctx context.Context, height int) error {
	var top int
	if err := c.RPC.Call(ctx, &top, "getblockcount"); err != nil {
		return fmt.Errorf("ask for height: %w", err)
	}
	if top >= height {
		return nil
	}
	return c.generate(ctx, nil, height-top)
}

func (c *Bitcoin) generate(ctx context.Context, hashes any, n int) error {
	method, params := "generate", []any{n}
	if c.Address != "" {
		method, params = "generatetoaddress", append(params, c.Address)
	}
	if err := c.RPC.Call(ctx, hashes, method, params...); err != nil {
		return fmt.Errorf("ask for blocks: %w", err)
	}
	return nil
}

// Save appends the blocks of the node's chain that the log lacks, oldest first,
// whoever mined them.
func (c *Bitcoin) Save(ctx context.Context) error {
	var hash string
	if err := c.RPC.Call(ctx, &hash, "getbestblockhash"); err != nil {
		return fmt.Errorf("ask for the head: %w", err)
	}
	var missing []string
	for range maxWalk {
		if hash == c.Genesis || c.Log.Has(hash) {
			break
		}
		missing = append(missing, hash)
		var header struct{ PreviousBlockHash string }
		if err := c.RPC.Call(ctx, &header, "getblockheader", hash, true); err != nil {
			return fmt.Errorf("ask for header %s: %w", hash, err)
		}
		hash = header.PreviousBlockHash
	}
	for _, m := range slices.Backward(missing) {
		var raw string
		if err := c.RPC.Call(ctx, &raw, "getblock", m, 0); err != nil {
			return fmt.Errorf("ask for block %s: %w", m, err)
		}
		if err := c.Log.Append(m, raw); err != nil {
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return c.Log.Sync()
}

// Restore gives the node every logged block that it lacks, in the order in
// which they were mined.
func (c *Bitcoin) Restore(ctx context.Context) error {
	blocks := c.Log.Blocks()
	// What the node kept is a prefix of what was mined: skip it in big steps.
	from, err := c.known(ctx, blocks)
	if err != nil {
		return err
	}
	for _, hash := range blocks[from:] {
		if err := c.giveBack(ctx, hash); err != nil {
			return err
		}
	}
	return nil
}

// giveBack gives the node one logged block.
func (c *Bitcoin) giveBack(ctx context.Context, hash string) error {
	raw, err := c.Log.Raw(hash)
	if err != nil {
		return err
	}
	var refused *string
	if err := c.RPC.Call(ctx, &refused, "submitblock", raw); err != nil && !isDuplicate(err) {
		return fmt.Errorf("give block %s back: %w", hash, err)
	}
	switch {
	case refused == nil || *refused == "" || *refused == "duplicate":
		return nil
	case slices.Contains(disowns(), *refused):
		c.disowned.Store(hash, true)
		return nil
	}
	there, err := c.has(ctx, hash)
	if err != nil || !there {
		return errors.Join(fmt.Errorf("node refuses its own block %s: %s", hash, *refused), err)
	}
	return nil
}

// known returns how many of the first blocks the node has, by bisection.
func (c *Bitcoin) known(ctx context.Context, blocks []string) (int, error) {
	low, high := 0, len(blocks)
	for low < high {
		middle := (low + high) / 2
		there, err := c.has(ctx, blocks[middle])
		if err != nil {
			return 0, err
		}
		if there {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

func (c *Bitcoin) has(ctx context.Context, hash string) (bool, error) {
	// Not decoded: btcd decodes headers of its best branch only, and has the others too.
	err := c.RPC.Call(ctx, nil, "getblockheader", hash, false)
	if _, ok := errors.AsType[*devstack.RPCError](err); ok {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("ask for header %s: %w", hash, err)
	}
	return true, nil
}

// disowns are the words of a node (BIP 22 as Core has them) for a block that it takes
// for invalid by order, and for one above such a block.
func disowns() []string { return []string{"duplicate-invalid", "bad-prevblk"} }

func isDuplicate(err error) bool {
	var refusal *devstack.RPCError
	return errors.As(err, &refusal) && (refusal.Code == rpcDuplicate || refusal.Message == "duplicate")
}

// rpcDuplicate is the code of Bitcoin's RPC for something that the node has.
const rpcDuplicate = -27
