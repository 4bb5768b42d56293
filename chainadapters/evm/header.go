package evm

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"strongroom/chainadapters"
)

// header converts, or reports what the node left out.
func (h *rpcHeader) header() (chainadapters.Header, error) {
	if !h.Hash.Set || !h.Parent.Set || !h.Number.Set || !h.Time.Set {
		return chainadapters.Header{}, fmt.Errorf("%w: header without hash, parent, number or time", chainadapters.ErrIncomplete)
	}
	if h.Time.V > math.MaxInt64 {
		return chainadapters.Header{}, fmt.Errorf("%w: header with time %d", chainadapters.ErrIncomplete, h.Time.V)
	}
	return chainadapters.Header{
		Ref:     chainadapters.Ref{Height: h.Number.V, Hash: hashText(h.Hash.V)},
		Parent:  hashText(h.Parent.V),
		Time:    time.Unix(int64(h.Time.V), 0).UTC(),
		BaseFee: units(&h.BaseFee.V), // zero where the chain has none
	}, nil
}

// Head returns the newest block of the node's chain. Where it is lower than one
// seen before, the node's identity is checked again: it may be another node.
func (a *Adapter) Head(ctx context.Context) (chainadapters.Header, error) {
	head, err := onOurs(ctx, a, func() (chainadapters.Header, error) { return a.headerByNumber(ctx, "latest") })
	if err != nil {
		return chainadapters.Header{}, fmt.Errorf("read head: %w", err)
	}
	if a.retreated(head.Height) {
		if _, err := a.Identity(ctx); err != nil {
			return chainadapters.Header{}, fmt.Errorf("read head: %w", err)
		}
	}
	return head, nil
}

// retreated notes the head and reports whether it is below the one before.
func (a *Adapter) retreated(height uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	back := height < a.top
	a.top = height
	return back
}

// HeaderAt returns the header at a height, ErrNotFound above the node's head,
// ErrIncomplete where the node has none below its head.
func (a *Adapter) HeaderAt(ctx context.Context, height uint64) (chainadapters.Header, error) {
	header, err := onOurs(ctx, a, func() (chainadapters.Header, error) {
		raw, err := ask[rpcHeader](ctx, a.rpc, "eth_getBlockByNumber", hexutil.EncodeUint64(height), false)
		if err != nil {
			return chainadapters.Header{}, err
		}
		if raw != nil {
			return raw.header()
		}
		head, err := a.headerByNumber(ctx, "latest")
		if err != nil {
			return chainadapters.Header{}, err
		}
		if height > head.Height {
			return chainadapters.Header{}, fmt.Errorf("%w: head is at %d", chainadapters.ErrNotFound, head.Height)
		}
		return chainadapters.Header{}, fmt.Errorf("%w: null below head %d", chainadapters.ErrIncomplete, head.Height)
	})
	if err == nil && header.Height != height {
		err = fmt.Errorf("%w: node answered height %d", chainadapters.ErrIncomplete, header.Height)
	}
	if err != nil {
		return chainadapters.Header{}, fmt.Errorf("read header at %d: %w", height, err)
	}
	return header, nil
}

// headerByNumber reads a header that must exist.
func (a *Adapter) headerByNumber(ctx context.Context, number string) (chainadapters.Header, error) {
	raw, err := ask[rpcHeader](ctx, a.rpc, "eth_getBlockByNumber", number, false)
	if err != nil {
		return chainadapters.Header{}, err
	}
	if raw == nil {
		return chainadapters.Header{}, fmt.Errorf("%w: null for block %s", chainadapters.ErrIncomplete, number)
	}
	return raw.header()
}
