//go:build chaos

package chaos

import (
	"context"
	"fmt"

	"strongroom/internal/devstack"
)

// CoinNode is a node of the Bitcoin family and how it is asked to mine.
type CoinNode struct {
	devstack.RPC

	Address func() string // paid by a branch, another each time; nil for a node that knows where to
}

// reorg takes the newest blocks of a chain away, as soon as the platform has taken
// them in with a credited deposit; where none comes for some seconds, without.
func (t Target) reorg(ctx context.Context, f Fault) (how string, err error) {
	height, do := t.coinHeight, t.reorgCoins
	if f.Target == Ethereum {
		height, do = t.ethereumHeight, t.reorgEthereum
	}
	var top uint64
	for until := t.clock().Add(aimFor); ; {
		if top, err = height(ctx, f.Target); err != nil {
			return "", err
		}
		if top <= uint64(f.Depth) {
			return "", fmt.Errorf("chain has %d blocks: %w", top, errNotNow)
		}
		taken, credited, err := t.taken(ctx, f.Target, top-uint64(f.Depth)+1)
		if err == nil && taken && credited {
			how = " under credited deposits"
			break
		}
		if t.clock().After(until) {
			break
		}
		if !sleep(ctx, aimEvery) {
			return "", fmt.Errorf("await deposits: %w", ctx.Err())
		}
	}
	// A block in the midst of it would make it deeper, and anvil lose others.
	return how, t.Still(f.Target, func() error {
		if top, err = height(ctx, f.Target); err != nil {
			return err
		}
		return do(ctx, f.Target, top, f.Depth)
	})
}

func (t Target) coinHeight(ctx context.Context, chain string) (uint64, error) {
	var height uint64
	return height, notNow("ask for height", t.Coins[chain].Call(ctx, &height, "getblockcount"))
}

// reorgCoins puts a longer branch in the place of the newest blocks. The node keeps
// taking the old ones for invalid: were they valid, the next reorganisation could go
// back to their branch, and by more blocks than policy allows.
func (t Target) reorgCoins(ctx context.Context, chain string, top uint64, depth int) error {
	node := t.Coins[chain]
	var hash string
	if err := node.Call(ctx, &hash, "getblockhash", top-uint64(depth)+1); err != nil {
		return notNow("ask for block", err)
	}
	if err := node.Call(ctx, nil, "invalidateblock", hash); err != nil {
		return wrap("invalidate", err)
	}
	return wrap("mine branch", node.mine(ctx, depth+1))
}

func (n CoinNode) mine(ctx context.Context, blocks int) error {
	if n.Address == nil {
		return wrap("generate", n.Call(ctx, nil, "generate", blocks))
	}
	return wrap("generate", n.Call(ctx, nil, "generatetoaddress", blocks, n.Address()))
}

func (t Target) ethereumHeight(ctx context.Context, _ string) (uint64, error) {
	var head string
	if err := t.Ethereum.Call(ctx, &head, "eth_blockNumber"); err != nil {
		return 0, notNow("ask for height", err)
	}
	var height uint64
	_, err := fmt.Sscanf(head, "0x%x", &height)
	return height, wrap("read height", err)
}

// reorgEthereum does so on anvil, which can go back only as far as it has states:
// none from before it was started again.
func (t Target) reorgEthereum(ctx context.Context, _ string, top uint64, depth int) error {
	const anybody = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
	base := fmt.Sprintf("0x%x", top-uint64(depth)-1)
	if err := t.Ethereum.Call(ctx, nil, "eth_getBalance", anybody, base); err != nil {
		return notNow(fmt.Sprintf("ask for the state %d blocks back", depth+1), err)
	}
	if err := t.Ethereum.Call(ctx, nil, "anvil_reorg", depth, []any{}); err != nil {
		return wrap("reorganise", err)
	}
	return wrap("mine branch", t.Ethereum.Call(ctx, nil, "evm_mine"))
}
