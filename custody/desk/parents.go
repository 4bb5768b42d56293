package desk

import (
	"context"
	"fmt"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/money"
)

// burden is what a payment has to pull along: miners take it with all that it hangs
// on, or not at all.
type burden struct {
	fee  money.Units
	size uint64 // virtual bytes
}

// hangs says whether a payment counts as stuck because what it spends is: that
// cannot be replaced any more, so that the payment bids for both.
func (d *Desk) hangs(ctx context.Context, r *custodydb.IntentRow) (string, error) {
	parents, err := d.cfg.Store.Parents(ctx, r.ID)
	if err != nil {
		return "", fmt.Errorf("look at what it spends: %w", err)
	}
	for _, p := range parents {
		if p.State == custody.WithdrawalStuck {
			return "the payment whose change it spends is stuck", nil
		}
	}
	return "", nil
}

// parents weighs the payments in no block that a payment hangs on.
func (d *Desk) parents(ctx context.Context, adapter chainadapters.Adapter, r *custodydb.IntentRow) (burden, error) {
	var b burden
	parents, err := d.cfg.Store.Parents(ctx, r.ID)
	if err != nil {
		return b, fmt.Errorf("look at what it spends: %w", err)
	}
	for _, p := range parents {
		built, err := adapter.Build(p.Plan)
		if err != nil {
			return b, fmt.Errorf("build %s again: %w", p.TxID, err)
		}
		if b.fee, err = b.fee.Add(p.MaxFee); err != nil {
			return b, fmt.Errorf("add fees up: %w", err)
		}
		b.size += built.Size
	}
	return b, nil
}
