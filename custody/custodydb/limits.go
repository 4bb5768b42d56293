package custodydb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/custody"
	"strongroom/money"
)

// useLimit takes amount out of what the customer may withdraw in 24 hours, or
// returns custody.ErrLimit. The caller holds lockCustomer: otherwise two requests
// could each see the other's use missing.
func (s *Store) useLimit(ctx context.Context, tx pgx.Tx, w custody.Withdrawal, limit money.Units) error {
	var used money.Units
	err := tx.QueryRow(ctx, `SELECT coalesce(sum(amount), 0)::numeric(78,0) FROM custody.limit_use
		WHERE customer = $1 AND asset = $2 AND at > $3 AND NOT released`,
		w.Customer, w.Asset, custody.WindowStart(w.CreatedAt)).Scan(&used)
	if err != nil {
		return fmt.Errorf("read use of limit: %w", err)
	}
	if err := custody.CheckDaily(limit, used, w.Amount); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO custody.limit_use (customer, asset, subject, amount, at) VALUES ($1, $2, $3, $4, $5)`,
		w.Customer, w.Asset, w.ID, w.Amount, w.CreatedAt)
	if err != nil {
		return fmt.Errorf("insert use of limit: %w", err)
	}
	return nil
}

// releaseLimit gives back what a withdrawal used that ended unpaid.
func releaseLimit(ctx context.Context, tx pgx.Tx, id string) error {
	if _, err := tx.Exec(ctx, `UPDATE custody.limit_use SET released = true WHERE subject = $1`, id); err != nil {
		return fmt.Errorf("release use of limit: %w", err)
	}
	return nil
}
