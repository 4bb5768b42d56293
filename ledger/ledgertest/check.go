package ledgertest

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/ledger"
)

// maxPerRule bounds how many violations of one rule are listed.
const maxPerRule = 50

// Violation is one thing that is not as it must be.
type Violation struct {
	// Rule names the invariant, such as "balances-rebuilt".
	Rule string
	// Subject is the account, asset, transfer or batch concerned.
	Subject string
	// Detail says what was found and what should be.
	Detail string
}

// String is one line for a person.
func (v Violation) String() string { return v.Rule + ": " + v.Subject + ": " + v.Detail }

// Check holds the stored book against its invariants, reading one moment of it
// in one read-only transaction. The server does the adding up, so memory here is
// bounded; at most 50 violations of each rule are listed. An error means that
// the check could not be made, not that the book is wrong.
func Check(ctx context.Context, pool *pgxpool.Pool) ([]Violation, error) {
	var found []Violation
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, pool, options, func(tx pgx.Tx) error {
		for _, r := range rules() {
			violations, err := r.check(ctx, tx)
			if err != nil {
				return fmt.Errorf("check %s: %w", r.name, err)
			}
			found = append(found, violations...)
		}
		violation, err := checkChain(ctx, tx)
		if err != nil {
			return fmt.Errorf("check hash chain: %w", err)
		}
		found = append(found, violation...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("check ledger: %w", err)
	}
	return found, nil
}

// rule is an invariant as a query for what breaks it: subject and detail.
type rule struct{ name, query string }

func (r rule) check(ctx context.Context, tx pgx.Tx) ([]Violation, error) {
	rows, err := tx.Query(ctx, fmt.Sprintf("SELECT subject::text, detail::text FROM (%s) AS broken (subject, detail) LIMIT %d", r.query, maxPerRule))
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Violation, error) {
		v := Violation{Rule: r.name}
		return v, row.Scan(&v.Subject, &v.Detail)
	})
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return found, nil
}

func checkChain(ctx context.Context, tx pgx.Tx) ([]Violation, error) {
	_, err := ledger.Verify(ctx, tx, 0)
	if errors.Is(err, ledger.ErrChainBroken) {
		return []Violation{{Rule: "hash-chain", Subject: "ledger.batch", Detail: err.Error()}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("recompute: %w", err)
	}
	return nil, nil
}
