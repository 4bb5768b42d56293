package custodydb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/custody"
)

// claimKey records that a request with this key makes subject. It reports false
// where the key was used before, by whatever request.
func (s *Store) claimKey(ctx context.Context, tx pgx.Tx, req custody.WithdrawalRequest, subject string) (bool, error) {
	tag, err := tx.Exec(ctx, `INSERT INTO custody.idem (customer, key, request_hash, subject, created_at)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		req.Customer, req.IdempotencyKey, req.RequestHash[:], subject, s.now())
	if err != nil {
		return false, fmt.Errorf("insert idempotency key: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// earlier returns what an earlier request with this key made. It returns
// custody.ErrNotFound where there was none, and custody.ErrIdempotency where that
// request was another one.
func (s *Store) earlier(ctx context.Context, req custody.WithdrawalRequest) (custody.Withdrawal, error) {
	var hash []byte
	var subject string
	err := s.pool.QueryRow(ctx, `SELECT request_hash, subject FROM custody.idem WHERE customer = $1 AND key = $2`,
		req.Customer, req.IdempotencyKey).Scan(&hash, &subject)
	if err != nil {
		return custody.Withdrawal{}, fmt.Errorf("read idempotency key: %w", noRows(err))
	}
	if string(hash) != string(req.RequestHash[:]) {
		return custody.Withdrawal{}, custody.ErrIdempotency
	}
	w, err := s.Withdrawal(ctx, req.Customer, subject)
	if err != nil {
		return custody.Withdrawal{}, err
	}
	return asAnswered(w), nil
}

// asAnswered is a withdrawal as its first answer showed it, so that each answer
// to the same request is the same, however far the payment has come.
func asAnswered(w custody.Withdrawal) custody.Withdrawal {
	return custody.Withdrawal{
		ID: w.ID, Customer: w.Customer, Asset: w.Asset, Chain: w.Chain, To: w.To, Amount: w.Amount, Fee: w.Fee,
		State: custody.WithdrawalHeld, Version: 1, CreatedAt: w.CreatedAt, UpdatedAt: w.CreatedAt,
	}
}
