package intake

import (
	"context"
	"fmt"
	"slices"

	"strongroom/custody/custodydb"
	"strongroom/internal/id"
	"strongroom/ledger"
)

// postTwice is a planted bug: what was booked does not keep it from being booked again.
func (i *Intake) postTwice(ctx context.Context, b *booking, m custodydb.DepositMove) error {
	tx, fresh := b.tx, "/"+id.New("try")
	tx.ID += fresh
	tx.Legs = slices.Clone(tx.Legs)
	for n := range tx.Legs {
		tx.Legs[n].ID += ledger.TransferID(fresh)
	}
	if _, err := i.cfg.Ledger.Post(ctx, tx); err != nil {
		return fmt.Errorf("book %s: %w", tx.ID, err)
	}
	return i.cfg.Store.MoveDeposit(ctx, m)
}
