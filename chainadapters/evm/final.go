package evm

import (
	"context"
	"errors"
	"fmt"

	"strongroom/chainadapters"
)

var _ chainadapters.Finalizer = (*Adapter)(nil)

// Finalized returns the block that the node's consensus client calls final. It is
// ErrNoFinality where the node answers null or refuses the word: it does not
// follow a chain with finality, or has lost track of it.
func (a *Adapter) Finalized(ctx context.Context) (chainadapters.Ref, error) {
	final, err := onOurs(ctx, a, func() (chainadapters.Ref, error) {
		raw, err := ask[rpcHeader](ctx, a.rpc, "eth_getBlockByNumber", "finalized", false)
		var said *NodeError
		switch {
		case errors.As(err, &said):
			return chainadapters.Ref{}, fmt.Errorf("%w: %w", chainadapters.ErrNoFinality, err)
		case err != nil:
			return chainadapters.Ref{}, err
		case raw == nil:
			return chainadapters.Ref{}, fmt.Errorf("%w: null", chainadapters.ErrNoFinality)
		}
		header, err := raw.header()
		return header.Ref, err
	})
	if err != nil {
		return chainadapters.Ref{}, fmt.Errorf("read final block: %w", err)
	}
	return final, nil
}
