package custodydb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/custody"
)

// RefuseFrozen returns custody.ErrFrozen where a customer's money is to stay within
// reach, because of a debt for instance.
func RefuseFrozen(ctx context.Context, tx pgx.Tx, customer string) error {
	var frozen bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM custody.frozen WHERE customer = $1)`, customer).Scan(&frozen); err != nil {
		return fmt.Errorf("look whether %s is frozen: %w", customer, err)
	}
	if frozen {
		return custody.ErrFrozen
	}
	return nil
}
