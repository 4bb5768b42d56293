package watch

import (
	"context"
	"errors"
	"fmt"

	"strongroom/chainadapters"
	"strongroom/custody/custodydb"
)

// final asks which block is final, where the chain has such, and holds it against
// what was final before and against what was taken in. What is final stays: a
// chain that loses it, or goes back behind it, is not to be used.
func (w *Watcher) final(ctx context.Context, at custodydb.ChainStatus, head chainadapters.Header) error {
	adapter, can := w.cfg.Adapter.(chainadapters.Finalizer)
	if !can {
		return nil
	}
	before, err := w.cfg.Store.Finality(ctx, w.cfg.Chain)
	if err != nil {
		return err
	}
	now, err := adapter.Finalized(ctx)
	if errors.Is(err, chainadapters.ErrNoFinality) {
		if before.Hash == "" {
			return nil // nothing was ever promised: depth alone decides
		}
		return nodeFault(fmt.Sprintf("the final block is missing, it was %d %s", before.Height, before.Hash), err)
	}
	switch {
	case err != nil:
		return nodeFault("ask for the final block", err)
	case now.Height > head.Height:
		return fmt.Errorf("%w: it calls %d final, and its head is %d", errNode, now.Height, head.Height)
	case now.Height < before.Height:
		return fmt.Errorf("%w: the final block went back from %d to %d", errNode, before.Height, now.Height)
	case now == before:
		return nil
	}
	if err := w.keeps(ctx, before, now); err != nil {
		return err
	}
	if err := w.matches(ctx, at, now); err != nil {
		return err
	}
	return w.cfg.Store.SetFinality(ctx, w.cfg.Chain, now)
}

// keeps makes sure that the block that was final before is still on the chain.
func (w *Watcher) keeps(ctx context.Context, before, now chainadapters.Ref) error {
	still := now
	if before.Hash == "" {
		return nil
	}
	if before.Height != now.Height {
		header, err := w.cfg.Adapter.HeaderAt(ctx, before.Height)
		if err != nil {
			return nodeFault("ask for a header", err)
		}
		still = header.Ref
	}
	if still != before {
		return fmt.Errorf("%w: block %d was final as %s and is %s now", errOperator, before.Height, before.Hash, still.Hash)
	}
	return nil
}

// matches makes sure that what was taken in at the final height is the final
// block.
func (w *Watcher) matches(ctx context.Context, at custodydb.ChainStatus, now chainadapters.Ref) error {
	if !at.Started() || now.Height > at.Cursor.Height {
		return nil
	}
	ours, err := w.cfg.Store.CanonicalHashes(ctx, w.cfg.Chain, now.Height, now.Height)
	if err != nil {
		return err
	}
	if hash, have := ours[now.Height]; have && hash != now.Hash {
		return fmt.Errorf("%w: block %d was taken in as %s, and %s is final", errOperator, now.Height, hash, now.Hash)
	}
	return nil
}

// aboveFinal refuses to go back behind the block that was final.
func (w *Watcher) aboveFinal(ctx context.Context, shared chainadapters.Ref) error {
	final, err := w.cfg.Store.Finality(ctx, w.cfg.Chain)
	if err != nil {
		return err
	}
	if final.Hash != "" && shared.Height < final.Height {
		return fmt.Errorf("%w: the chain was replaced from %d on, and %d %s was final", errOperator, shared.Height+1, final.Height, final.Hash)
	}
	return nil
}
