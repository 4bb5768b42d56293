package watch

import (
	"context"
	"fmt"

	"strongroom/chainadapters"
	"strongroom/custody/custodydb"
)

// rewind goes back to the newest block that the node's chain and ours share. It
// does so only once it has seen an unbroken branch from there to a block at least
// as high as our cursor: a node that contradicts itself undoes nothing.
func (w *Watcher) rewind(ctx context.Context, at custodydb.ChainStatus, head chainadapters.Header) (custodydb.ChainStatus, error) {
	if !at.Started() {
		return at, nil
	}
	same, err := w.header(ctx, at.Cursor.Height, head)
	if err != nil || same.Hash == at.Cursor.Hash {
		return at, err
	}
	limit := max(w.cfg.MaxReorg, min(at.Allowed, maxReorg))
	shared, err := w.shared(ctx, at, same, limit)
	if err != nil {
		return at, err
	}
	if err := w.aboveFinal(ctx, shared); err != nil {
		return at, err
	}
	w.cfg.Log.WarnContext(ctx, "chain reorganised", "chain", w.cfg.Chain, "from", at.Cursor.Height, "to", shared.Height)
	if err := w.cfg.Store.Rewind(ctx, w.cfg.Chain, at.Cursor, shared); err != nil {
		return at, err
	}
	at.Cursor = shared
	return at, nil
}

// header returns the node's header at a height that its head says it has.
func (w *Watcher) header(ctx context.Context, height uint64, head chainadapters.Header) (chainadapters.Header, error) {
	if height == head.Height {
		return head, nil
	}
	h, err := w.cfg.Adapter.HeaderAt(ctx, height)
	if err != nil {
		return h, nodeFault("ask for a header", err)
	}
	if h.Height != height {
		return h, fmt.Errorf("%w: asked for header %d it gave %d", errNode, height, h.Height)
	}
	return h, nil
}

// shared walks down from the node's block at our cursor's height until it meets a
// block of ours, at most limit blocks.
func (w *Watcher) shared(ctx context.Context, at custodydb.ChainStatus, top chainadapters.Header, limit uint64) (chainadapters.Ref, error) {
	none := chainadapters.Ref{}
	lowest := at.Cursor.Height - min(at.Cursor.Height, limit)
	ours, err := w.cfg.Store.CanonicalHashes(ctx, w.cfg.Chain, lowest, at.Cursor.Height)
	if err != nil {
		return none, err
	}
	for above := top; above.Height > lowest; {
		below, err := w.cfg.Adapter.HeaderAt(ctx, above.Height-1)
		switch {
		case err != nil:
			return none, nodeFault("ask for a header", err)
		case below.Hash != above.Parent || below.Height+1 != above.Height:
			return none, fmt.Errorf("%w: header %d does not follow the one before it", errNode, above.Height)
		case below.Hash == ours[below.Height]:
			return below.Ref, nil
		}
		above = below
	}
	return none, fmt.Errorf("%w: more than %d blocks were replaced below %d %s", errOperator, limit, at.Cursor.Height, at.Cursor.Hash)
}
