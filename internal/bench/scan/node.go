package scanbench

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/money"
)

// The scripted chains.
const (
	coins    chainadapters.ChainID = "bench-coins"
	accounts chainadapters.ChainID = "bench-accounts"
	token                          = "0x00000000000000000000000000000000000000aa"
	// strangers begin where no address of the house can be.
	strangers = 1 << 40
	// perTx is how many outputs, and inputs, a transaction of the coin chain has.
	perTx = 2
)

// node answers with blocks that are a function of their height: nothing is kept in
// memory. What it does not answer, a chain in memory does.
type node struct {
	*fakechain.Adapter

	family    chainadapters.Family
	name      chainadapters.ChainID
	assets    list
	movements int
	addresses int
	height    atomic.Uint64
	began     time.Time
}

func newNode(family chainadapters.Family, cfg Config) (*node, error) {
	rest, err := fakechain.New(fakechain.Config{Family: family})
	if err != nil {
		return nil, fmt.Errorf("make chain: %w", err)
	}
	n := &node{Adapter: rest.Adapter(rest.Identity()), family: family, name: coins, movements: cfg.Movements, addresses: cfg.Addresses, began: cfg.Clock()}
	n.assets = list{asset("BTC", "", coins)}
	if family == chainadapters.Account {
		n.name, n.assets = accounts, list{asset("USDC", token, accounts)}
	}
	return n, nil
}

// grow makes the chain this high.
func (n *node) grow(height int) { n.height.Store(uint64(height)) } //nolint:gosec // bounded by Config

// address returns the address of a number; those below Config.Addresses are ours.
func (n *node) address(number int) string {
	if n.family == chainadapters.Account {
		return fmt.Sprintf("0x%040x", scatter(number))
	}
	return fmt.Sprintf("bcrt1q%038x", scatter(number))
}

// scatter spreads numbers as hashes would be spread: neighbours are not neighbours
// in an index. Different numbers stay different.
func scatter(number int) uint64 { return uint64(number) * 0x9e3779b97f4a7c15 } //nolint:gosec // wraps on purpose; odd, hence one to one

func hashOf(height uint64) string { return fmt.Sprintf("%064x", height+1) }

// Family implements the port.
func (n *node) Family() chainadapters.Family { return n.family }

// Identity implements the port.
func (n *node) Identity(context.Context) (chainadapters.Identity, error) {
	return chainadapters.Identity{Network: string(n.name), Genesis: hashOf(0)}, nil
}

// Head implements the port.
func (n *node) Head(ctx context.Context) (chainadapters.Header, error) {
	return n.HeaderAt(ctx, n.height.Load())
}

// HeaderAt implements the port.
func (n *node) HeaderAt(_ context.Context, height uint64) (chainadapters.Header, error) {
	header := chainadapters.Header{Ref: chainadapters.Ref{Height: height, Hash: hashOf(height)}, Time: n.began}
	if height > 0 {
		header.Parent = hashOf(height - 1)
	}
	return header, nil
}

// Statuses implements the port: nothing in these blocks was sent by the house.
func (n *node) Statuses(_ context.Context, txids []string) ([]chainadapters.TxStatus, error) {
	return make([]chainadapters.TxStatus, len(txids)), nil
}

// Block implements the port.
func (n *node) Block(ctx context.Context, ref chainadapters.Ref, _ []string) (chainadapters.Block, error) {
	header, err := n.HeaderAt(ctx, ref.Height)
	if err != nil {
		return chainadapters.Block{}, err
	}
	block := chainadapters.Block{Header: header, Movements: make([]chainadapters.Movement, 0, n.movements)}
	for i := range n.movements {
		number := int(ref.Height)*n.movements + i //nolint:gosec // bounded by Config
		to := n.address(strangers + number)
		if n.ours(i) {
			to = n.address(number % n.addresses)
		}
		n.add(&block, number, i, to)
	}
	return block, nil
}

// ours tells which movements of a block go to the house.
func (n *node) ours(i int) bool {
	every := n.movements / OursPerBlock
	return i%every == 0 && i/every < OursPerBlock
}

// brought is what each movement brings.
const brought = 10_000

// Holdings implements the port: what the blocks brought to the addresses so far.
func (n *node) Holdings(_ context.Context, q chainadapters.Holdings) (money.Units, error) {
	asked := make(map[string]bool, len(q.Addresses))
	for _, a := range q.Addresses {
		asked[a] = true
	}
	count := uint64(0)
	for height := 1; height <= int(q.At.Height); height++ { //nolint:gosec // bounded by Config
		for i := range n.movements {
			if n.ours(i) && asked[n.address((height*n.movements+i)%n.addresses)] {
				count++
			}
		}
	}
	return money.FromUint64(count * brought), nil
}

// add appends one movement and what spends belong to it.
func (n *node) add(block *chainadapters.Block, number, i int, to string) {
	m := chainadapters.Movement{To: to, Amount: money.FromUint64(brought)}
	if n.family == chainadapters.Account {
		m.TxID, m.From, m.Contract = fmt.Sprintf("0x%064x", scatter(number)), n.address(2*strangers+number), token
		block.TxIDs = append(block.TxIDs, m.TxID)
		block.Spends = append(block.Spends, chainadapters.Spend{TxID: m.TxID, From: m.From})
		block.Movements = append(block.Movements, m)
		return
	}
	m.TxID, m.Index = fmt.Sprintf("%064x", scatter(number/perTx)), uint32(i%perTx) //nolint:gosec // below perTx
	if i%perTx == 0 {
		block.TxIDs = append(block.TxIDs, m.TxID)
	}
	block.Spends = append(block.Spends, chainadapters.Spend{
		TxID: m.TxID, Outpoint: chainadapters.Outpoint{TxID: fmt.Sprintf("%064x", scatter(strangers+number))},
	})
	block.Movements = append(block.Movements, m)
}
