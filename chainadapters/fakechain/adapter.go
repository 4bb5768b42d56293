package fakechain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"strongroom/chainadapters"
	"strongroom/money"
)

var _ chainadapters.Adapter = (*Adapter)(nil)

// suggested is what a quote offers.
const (
	suggestedTip     = 1_000_000_000 // wei per gas
	suggestedRate    = 5_000         // satoshi per 1,000 virtual bytes
	gasMarginPercent = 20
)

// lagBlocks is how far a lagging node is behind.
const lagBlocks = 2

// Fault is one way in which an adapter's node misbehaves.
type Fault uint8

// The faults of a node.
const (
	None         Fault = iota
	Down               // every call fails
	Timeout            // every call fails with context.DeadlineExceeded
	NullBlock          // Block is ErrIncomplete
	PartialBlock       // Block is ErrIncomplete for blocks that hold a transaction
	Lagging            // the node ends two blocks before the chain
	Foreign            // every call is ErrForeign
	LostReply          // Broadcast takes the transaction and fails
	Refuse             // Broadcast is ErrRefused and takes nothing
	Duplicate          // Broadcast arrives twice; the answer is that to the second
)

// errDown is what a call to a node that is down returns.
var errDown = errors.New("node is down")

// Adapter sees a chain through one node. Several adapters can see one chain,
// each with a fault of its own. It is safe for concurrent use.
type Adapter struct {
	chain  *Chain
	expect chainadapters.Identity

	mu    sync.Mutex
	fault Fault
}

// Adapter returns a faultless adapter that is pinned to an identity;
// ErrForeign follows where that is not Chain.Identity.
func (c *Chain) Adapter(expect chainadapters.Identity) *Adapter {
	return &Adapter{chain: c, expect: expect}
}

// Break switches a fault on, in place of the one before; None heals.
func (a *Adapter) Break(f Fault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fault = f
}

// reach is what every question to the node goes through.
func (a *Adapter) reach(ctx context.Context) (Fault, error) {
	if err := ctx.Err(); err != nil {
		return None, fmt.Errorf("reach node: %w", err)
	}
	a.mu.Lock()
	fault := a.fault
	a.mu.Unlock()
	switch {
	case fault == Down:
		return fault, errDown
	case fault == Timeout:
		return fault, fmt.Errorf("reach node: %w", context.DeadlineExceeded)
	case fault == Foreign || a.expect != a.chain.Identity():
		return fault, fmt.Errorf("%w: expected %+v, found %+v", chainadapters.ErrForeign, a.expect, a.chain.Identity())
	}
	return fault, nil
}

// view runs read on the blocks that the node has.
func view[T any](ctx context.Context, a *Adapter, read func(Fault, []*block) (T, error)) (T, error) {
	var none T
	fault, err := a.reach(ctx)
	if err != nil {
		return none, err
	}
	a.chain.mu.Lock()
	defer a.chain.mu.Unlock()
	blocks := a.chain.blocks
	if fault == Lagging {
		blocks = blocks[:max(1, len(blocks)-lagBlocks)]
	}
	return read(fault, blocks)
}

// Family implements chainadapters.Adapter.
func (a *Adapter) Family() chainadapters.Family { return a.chain.family }

// Dust implements chainadapters.Adapter.
func (a *Adapter) Dust() money.Units {
	if a.Family() == chainadapters.Account {
		return money.FromUint64(1)
	}
	return money.FromUint64(dustCoin)
}

// ParseAddress implements chainadapters.Adapter. An address is its own
// canonical form.
func (a *Adapter) ParseAddress(s string) (string, error) { return parseAddress(a.chain.network, s) }

// DeriveAddress implements chainadapters.Adapter for the keys of PublicKey.
// Errors wrap ErrKey.
func (a *Adapter) DeriveAddress(xpub string, branch, index uint32) (string, error) {
	return deriveAddress(a.chain.network, xpub, branch, index)
}

// Identity implements chainadapters.Adapter.
func (a *Adapter) Identity(ctx context.Context) (chainadapters.Identity, error) {
	_, err := a.reach(ctx)
	if err != nil && !errors.Is(err, chainadapters.ErrForeign) {
		return chainadapters.Identity{}, err
	}
	return a.chain.Identity(), err
}

// Head implements chainadapters.Adapter.
func (a *Adapter) Head(ctx context.Context) (chainadapters.Header, error) {
	return view(ctx, a, func(_ Fault, blocks []*block) (chainadapters.Header, error) {
		return blocks[len(blocks)-1].header, nil
	})
}

// HeaderAt implements chainadapters.Adapter.
func (a *Adapter) HeaderAt(ctx context.Context, height uint64) (chainadapters.Header, error) {
	return view(ctx, a, func(_ Fault, blocks []*block) (chainadapters.Header, error) {
		if height >= uint64(len(blocks)) {
			return chainadapters.Header{}, fmt.Errorf("%w: head is at %d", chainadapters.ErrNotFound, len(blocks)-1)
		}
		return blocks[height].header, nil
	})
}

// Block implements chainadapters.Adapter. A block that was replaced is
// ErrIncomplete, as one that the node never had.
func (a *Adapter) Block(ctx context.Context, ref chainadapters.Ref, contracts []string) (chainadapters.Block, error) {
	return view(ctx, a, func(fault Fault, blocks []*block) (chainadapters.Block, error) {
		if ref.Height >= uint64(len(blocks)) || blocks[ref.Height].header.Ref != ref || fault == NullBlock {
			return chainadapters.Block{}, fmt.Errorf("%w: null for block %d %s", chainadapters.ErrIncomplete, ref.Height, ref.Hash)
		}
		b := blocks[ref.Height]
		if fault == PartialBlock && len(b.receipts) > 0 {
			return chainadapters.Block{}, fmt.Errorf("%w: a transaction is missing", chainadapters.ErrIncomplete)
		}
		out := chainadapters.Block{Header: b.header}
		for i := range b.receipts {
			r := &b.receipts[i]
			out.TxIDs = append(out.TxIDs, r.tx.id)
			out.Spends = append(out.Spends, r.spends...)
			for _, m := range r.movements {
				if m.Contract == "" || slices.Contains(contracts, m.Contract) {
					out.Movements = append(out.Movements, m)
				}
			}
		}
		return out, nil
	})
}

// Statuses implements chainadapters.Adapter.
func (a *Adapter) Statuses(ctx context.Context, txids []string) ([]chainadapters.TxStatus, error) {
	return view(ctx, a, func(_ Fault, blocks []*block) ([]chainadapters.TxStatus, error) {
		statuses := make([]chainadapters.TxStatus, len(txids))
		for i, id := range txids {
			statuses[i] = a.chain.status(id, len(blocks))
		}
		return statuses, nil
	})
}

// status looks a transaction up among the first known blocks and in the pool.
func (c *Chain) status(txid string, known int) chainadapters.TxStatus {
	status := chainadapters.TxStatus{TxID: txid, State: chainadapters.Absent}
	if slices.ContainsFunc(c.pool, func(p *transaction) bool { return p.id == txid }) {
		status.State = chainadapters.Pooled
	}
	b := c.mined(txid)
	if b == nil || b.header.Height >= uint64(known) { //nolint:gosec // a length
		return status
	}
	for i := range b.receipts {
		if r := &b.receipts[i]; r.tx.id == txid {
			status.State, status.Block, status.Success, status.Fee = chainadapters.Mined, b.header.Ref, r.success, r.fee
		}
	}
	return status
}
