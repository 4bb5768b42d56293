package intake

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/ledger"
)

// Matured returns what a deposit has brought its customer's funding account in its
// present round: nothing where it is not withdrawable, where its block left the chain,
// where it is the house's own, or where a debt took all of it. It returns
// custody.ErrNotFound.
func (i *Intake) Matured(ctx context.Context, depositID string) (custody.Matured, error) {
	row, err := i.cfg.Store.DepositRow(ctx, depositID)
	if err != nil {
		return custody.Matured{}, err
	}
	m := custody.Matured{Deposit: row.ID, Customer: row.Customer, Asset: row.Asset, Round: row.Round}
	if row.State != custody.DepositWithdrawable || !row.Canonical || row.Customer == "" {
		return m, nil
	}
	booked, err := i.cfg.Ledger.Transaction(ctx, newBooking(row, "mature", row.Round).tx.ID)
	if errors.Is(err, ledger.ErrTransactionUnknown) {
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("read maturity of %s: %w", depositID, err)
	}
	funding := custody.FundingAccount(row.Customer, row.Asset)
	for _, leg := range booked.Legs {
		if leg.Credit == funding {
			m.Amount = leg.Amount
		}
	}
	return m, nil
}

// StillMatured is for the transaction that moves such an amount on: it fails with
// custody.ErrConflict where the deposit is not what it was, and keeps it as it is until
// then.
func (i *Intake) StillMatured(m custody.Matured) ledger.Attachment {
	return func(ctx context.Context, tx pgx.Tx) error { return custodydb.HoldMatured(ctx, tx, m.Deposit, m.Round) }
}
