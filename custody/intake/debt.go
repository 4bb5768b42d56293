package intake

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/ledger"
	"strongroom/money"
)

// maxDebtors bounds one round of RepayDebts.
const maxDebtors = 500

// RepayDebts takes what debtors have available, such as a hold that was released,
// to repay what they owe. It goes on after a failure and joins the errors.
func (i *Intake) RepayDebts(ctx context.Context) error {
	debts, err := i.cfg.Store.Debts(ctx, maxDebtors)
	if err != nil {
		return err
	}
	var failed []error
	for _, d := range debts {
		if err := i.repay(ctx, d); err != nil && !again(err) {
			failed = append(failed, fmt.Errorf("repay debt of %s in %s: %w", d.Customer, d.Asset, err))
		}
	}
	return errors.Join(failed...)
}

func (i *Intake) repay(ctx context.Context, d custodydb.Debt) error {
	funding := custody.FundingAccount(d.Customer, d.Asset)
	now, err := i.cfg.Ledger.Balances(ctx, funding)
	if err != nil {
		return fmt.Errorf("read balance: %w", err)
	}
	amount := money.Min(d.Amount, now[0].Available())
	if amount.IsZero() {
		return nil
	}
	// The debt's version makes the id: the same debt is repaid once.
	name := "debt/" + d.Customer + "/" + d.Asset + "/" + strconv.FormatUint(d.Version, 10)
	tx := ledger.Transaction{ID: name, Legs: []ledger.Transfer{{
		ID: ledger.TransferID(name + "/repay"), Kind: ledger.Single,
		Debit: funding, Credit: custody.DebtAccount(d.Customer, d.Asset), Amount: amount,
	}}}
	if _, err := i.cfg.Ledger.Post(ctx, tx, i.cfg.Store.DebtWrites(d, d.Amount.SubFloor(amount))); err != nil {
		return fmt.Errorf("book: %w", err)
	}
	return nil
}
