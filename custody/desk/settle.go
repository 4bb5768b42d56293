package desk

import (
	"context"
	"errors"
	"fmt"

	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/ledger"
)

// Settle books a final payment and ends the intent, in one transaction that reads
// again that the payment stands in the chain. Where it does not any more, the
// intent goes back to reorged. Where the book's hot wallet has not been credited
// yet with the coins that paid, the intent stays final and the error wraps
// ledger.ErrInsufficient: ask again.
func (d *Desk) Settle(ctx context.Context, id string) (custody.Progress, error) {
	return d.walk(ctx, id, d.settle)
}

func (d *Desk) settle(ctx context.Context, r *custodydb.IntentRow) error {
	if r.State != custody.WithdrawalFinal {
		return nil
	}
	asset, err := d.asset(r)
	if err != nil {
		return err
	}
	paid, err := d.paid(ctx, r)
	if err != nil {
		return err
	}
	facts := custody.WithdrawalFacts{Signed: true, FinalDepth: asset.FinalDepth, Agreed: true, Pays: true}
	if paid == nil {
		return d.move(ctx, r, custody.EventReorg, facts, "its block left the chain")
	}
	facts.Pays = !paid.Cancels
	mined, err := minedOf(paid)
	if err != nil {
		return err
	}
	err = d.cfg.Store.Settle(ctx, r, mined, facts)
	switch {
	case errors.Is(err, custody.ErrIllegal):
		// Canonical again, but not deep enough: it confirms anew.
		return d.move(ctx, r, custody.EventReorg, facts, "its block left the chain and came back")
	case errors.Is(err, ledger.ErrInsufficient):
		return fmt.Errorf("the book's hot wallet is not credited yet: %w", err)
	case err != nil:
		return fmt.Errorf("book: %w", err)
	}
	return nil
}

// paid returns the attempt that our watcher sees in the chain; nil for none.
func (d *Desk) paid(ctx context.Context, r *custodydb.IntentRow) (*custodydb.Sent, error) {
	attempts, err := d.cfg.Store.Attempts(ctx, r.ID)
	if err != nil {
		return nil, fmt.Errorf("read transactions: %w", err)
	}
	for i := range attempts {
		if attempts[i].Mined {
			return &attempts[i], nil
		}
	}
	return nil, nil //nolint:nilnil // none is an answer
}

// undo ends an intent whose payment was mined and failed for good, or in whose
// place a cancellation was mined.
func (d *Desk) undo(ctx context.Context, r *custodydb.IntentRow, s sighting, event custody.WithdrawalEvent, reason string) error {
	mined, err := minedOf(s.mined)
	if err != nil {
		return err
	}
	if err := d.cfg.Store.Revert(ctx, r, mined, event, s.facts, reason); err != nil {
		return fmt.Errorf("book %s: %w", event, err)
	}
	return nil
}

// minedOf is what the book must know of a mined attempt.
func minedOf(a *custodydb.Sent) (custodydb.Mined, error) {
	spent, err := sumOf(a.Plan.Coins)
	return custodydb.Mined{TxID: a.TxID, Fee: a.Fee, Spent: spent}, err
}
