package custodydb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/chainadapters"
	"strongroom/custody"
)

// maxAlike bounds how many known addresses with the same last characters are
// compared.
const maxAlike = 100

// lookAlike returns custody.ErrDestination with custody.ErrLookAlike where a
// destination resembles one that the customer paid, or an address that paid the
// customer, without being one that the customer paid. Who merely sent something is
// known, not trusted: an address that was made to resemble stays suspect.
func (s *Store) lookAlike(ctx context.Context, w custody.Withdrawal) error {
	rows, err := s.pool.Query(ctx, `SELECT DISTINCT destination, true FROM custody.withdrawal
			WHERE customer = $1 AND chain = $2 AND lower(right(destination, 4)) = lower(right($3, 4))
				AND state NOT IN ('rejected', 'cancelled', 'expired', 'blocked')
		UNION ALL
		SELECT address, false FROM custody.payer WHERE customer = $1 AND chain = $2 AND lower(right(address, 4)) = lower(right($3, 4))
		LIMIT $4`, w.Customer, w.Chain, w.To, maxAlike)
	if err != nil {
		return fmt.Errorf("read known addresses: %w", err)
	}
	type known struct {
		Address string
		Paid    bool
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[known])
	if err != nil {
		return fmt.Errorf("read known addresses: %w", err)
	}
	alike := false
	for _, k := range list {
		if k.Paid && k.Address == w.To {
			return nil
		}
		alike = alike || custody.LookAlike(k.Address, w.To)
	}
	if alike {
		return fmt.Errorf("%w: %w", custody.ErrDestination, custody.ErrLookAlike)
	}
	return nil
}

// KnownAddresses lists the addresses on a chain that a customer paid, or was paid by, in
// order, at most limit.
func KnownAddresses(ctx context.Context, pool *pgxpool.Pool, customer string, chain chainadapters.ChainID, limit int) ([]string, error) {
	rows, err := pool.Query(ctx, `SELECT address FROM (
			SELECT destination AS address FROM custody.withdrawal WHERE customer = $1 AND chain = $2 AND state NOT IN ('rejected', 'cancelled', 'expired', 'blocked')
			UNION SELECT address FROM custody.payer WHERE customer = $1 AND chain = $2) known
		ORDER BY address LIMIT $3`, customer, chain, limit)
	if err != nil {
		return nil, fmt.Errorf("read addresses that %s knows: %w", customer, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("read addresses that %s knows: %w", customer, err)
	}
	return list, nil
}
