package desk

import (
	"context"
	"errors"
	"fmt"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/ledger"
)

// CorrectFees books what ended intents cost more or less than the book has: their
// transaction lost its block after that was booked, and the block that it came back
// in has another price, or holds another attempt. That takes a reorganisation deeper
// than policy, as with ResendOrphans. Nothing is booked before it is final again by
// our word and the node's. It goes on after a failure and joins the errors.
func (d *Desk) CorrectFees(ctx context.Context) error {
	due, err := d.cfg.Store.FeesDue(ctx)
	if err != nil {
		return fmt.Errorf("find fees: %w", err)
	}
	var failed []error
	for _, f := range due {
		err := d.correctFee(ctx, f)
		switch {
		case errors.Is(err, custody.ErrConflict), errors.Is(err, ledger.ErrConflict):
			// It moved meanwhile, or another booked it: the next pass looks again.
		case err != nil:
			failed = append(failed, fmt.Errorf("fee of %s: %w", f.Intent, err))
		}
	}
	return errors.Join(failed...)
}

func (d *Desk) correctFee(ctx context.Context, f custodydb.FeeDue) error {
	adapter, status, err := d.chain(ctx, f.Chain)
	if err != nil {
		return err
	}
	asset, ok := d.cfg.Assets.AssetByCode(f.Asset)
	if !ok {
		return fmt.Errorf("asset %s: %w", f.Asset, custody.ErrAsset)
	}
	if custody.Confirmations(f.Block.Height, status.Cursor.Height) < asset.FinalDepth {
		return nil
	}
	seen, err := adapter.Statuses(ctx, []string{f.TxID})
	if err != nil {
		return fmt.Errorf("ask node: %w", err)
	}
	if len(seen) != 1 || seen[0].State != chainadapters.Mined || seen[0].Block != f.Block {
		return nil // node and watcher do not agree: it may move again
	}
	if err := d.cfg.Store.CorrectFee(ctx, f, asset.FinalDepth); err != nil {
		return fmt.Errorf("book: %w", err)
	}
	d.cfg.Log.WarnContext(ctx, "the fee of a booked payment was corrected", "intent", f.Intent, "txid", f.TxID,
		"booked", f.Booked.String(), "cost", f.Fee.String(), "round", f.Round+1)
	return nil
}
