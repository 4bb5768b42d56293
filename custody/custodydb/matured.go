package custodydb

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/custody"
)

// HoldMatured sees to it that a deposit stays withdrawable until tx ends, in the round
// that the caller knows and on a block that is on the chain. It returns
// custody.ErrConflict where it is not so any more.
func HoldMatured(ctx context.Context, tx pgx.Tx, depositID string, round int) error {
	var one int
	err := tx.QueryRow(ctx, `SELECT 1 FROM custody.deposit WHERE id = $1 AND round = $2 AND state = $3 AND canonical FOR SHARE`,
		depositID, round, custody.DepositWithdrawable).Scan(&one)
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("hold deposit %s: %w", depositID, custody.ErrConflict)
	}
	if err != nil {
		return fmt.Errorf("hold deposit %s: %w", depositID, err)
	}
	return nil
}
