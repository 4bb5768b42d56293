package desk

import (
	"context"
	"errors"
	"fmt"

	"strongroom/chainadapters"
	"strongroom/custody/custodydb"
)

// ResendOrphans sends the same bytes again of what was booked as final and has left
// the chain since: its walk has ended, so that nobody else would. That takes a
// reorganisation deeper than policy, which a person let pass. It goes on after a
// failure and joins the errors.
func (d *Desk) ResendOrphans(ctx context.Context) error {
	orphans, err := d.cfg.Store.Orphans(ctx)
	if err != nil {
		return fmt.Errorf("find orphans: %w", err)
	}
	var failed []error
	for _, o := range orphans {
		if err := d.resendOrphan(ctx, o); err != nil {
			failed = append(failed, fmt.Errorf("send %s of %s again: %w", o.TxID, o.Intent, err))
		}
	}
	return errors.Join(failed...)
}

func (d *Desk) resendOrphan(ctx context.Context, o custodydb.Orphan) error {
	adapter, _, err := d.chain(ctx, o.Chain)
	if err != nil {
		return err
	}
	seen, err := adapter.Statuses(ctx, []string{o.TxID})
	if err != nil {
		return fmt.Errorf("ask node: %w", err)
	}
	if len(seen) != 1 || seen[0].State != chainadapters.Absent {
		return nil // it waits for a block, or for the watcher to take its block in
	}
	d.cfg.Log.WarnContext(ctx, "a booked payment left the chain: sending it again", "intent", o.Intent, "txid", o.TxID)
	if err := adapter.Broadcast(ctx, o.Raw); err != nil {
		return fmt.Errorf("broadcast: %w", err)
	}
	return nil
}
