// Package check holds custody's tables, the ledger and the chains against each
// other and says what does not agree: which invariant, which rows, which numbers.
// It recomputes from the stored rows by statements of its own, shares no code with
// what wrote them, and changes nothing.
package check

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/chainadapters"
	"strongroom/custody"
)

// Violation is one thing that does not agree.
type Violation struct {
	Invariant string `json:"invariant"` // "nonces without gaps"
	Rows      string `json:"rows"`      // ids of what it concerns
	Numbers   string `json:"numbers"`   // what is, and what should be
}

// String returns the violation as one line.
func (v Violation) String() string { return v.Invariant + ": " + v.Rows + ": " + v.Numbers }

// LedgerCheck looks for violations inside the book, in the same snapshot.
type LedgerCheck func(ctx context.Context, tx pgx.Tx) ([]Violation, error)

// Config says what to check.
type Config struct {
	Pool     *pgxpool.Pool
	Adapters map[chainadapters.ChainID]chainadapters.Adapter
	Assets   custody.Assets
	Ledger   LedgerCheck // nil: the book alone is not checked
	// Grace is how long work in progress may lag behind what happened: a deposit
	// that left the chain and is not taken back, a message that is not sent.
	Grace time.Duration
	Clock func() time.Time // nil for the system's clock
	// Signed reads the signer's journal: SHA-256 of the unsigned transaction, in
	// hex, per allowed request. It is asked once the rows' moment is fixed: a
	// record is written before its row. Nil: the journal is not at hand.
	Signed func() (map[SignedKey]string, error)
}

// maxFindings bounds the violations reported per invariant.
const maxFindings = 100

// checker is one run, on one snapshot of the database.
type checker struct {
	cfg   Config
	tx    pgx.Tx
	now   time.Time
	found []Violation
}

// Run returns everything that does not agree, in a fixed order; none means that
// all invariants hold. The database is read at one moment, the chains at the
// blocks that were taken in at that moment. An error means that the check could
// not be completed, not that something is wrong.
func Run(ctx context.Context, cfg Config) ([]Violation, error) {
	if cfg.Pool == nil || cfg.Assets == nil {
		return nil, errors.New("check: config is incomplete")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now //nolint:forbidigo // the default of what is injected
	}
	c := &checker{cfg: cfg, now: cfg.Clock()}
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, cfg.Pool, snapshot, func(tx pgx.Tx) error {
		c.tx = tx
		for _, part := range []func(context.Context) error{c.ledger, c.rows, c.fees, c.limits, c.payments, c.signed, c.chains} {
			if err := part(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return c.found, fmt.Errorf("check custody: %w", err)
	}
	return c.found, nil
}

func (c *checker) ledger(ctx context.Context) error {
	if c.cfg.Ledger == nil {
		return nil
	}
	found, err := c.cfg.Ledger(ctx, c.tx)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	c.found = append(c.found, found...)
	return nil
}

func (c *checker) add(invariant, rows, format string, args ...any) {
	c.found = append(c.found, Violation{invariant, rows, fmt.Sprintf(format, args...)})
}

// rows runs every statement of statements().
func (c *checker) rows(ctx context.Context) error {
	settledBefore := c.now.Add(-c.cfg.Grace)
	for _, st := range statements() {
		if err := c.statement(ctx, st.invariant, st.sql, settledBefore); err != nil {
			return err
		}
	}
	return nil
}

// statement runs SQL whose every row is a violation: (rows, numbers). Its one
// parameter is the time before which work must be done.
func (c *checker) statement(ctx context.Context, invariant, sql string, settledBefore time.Time) error {
	// The parameter is always used, so that each statement can have the same.
	rows, err := c.tx.Query(ctx, `SELECT v.rows, v.numbers FROM (`+sql+`) AS v(rows, numbers)
		WHERE $1::timestamptz IS NOT NULL ORDER BY 1 LIMIT `+strconv.Itoa(maxFindings), settledBefore)
	if err != nil {
		return fmt.Errorf("%s: %w", invariant, err)
	}
	var which, numbers string
	if _, err := pgx.ForEachRow(rows, []any{&which, &numbers}, func() error {
		c.add(invariant, which, "%s", numbers)
		return nil
	}); err != nil {
		return fmt.Errorf("%s: %w", invariant, err)
	}
	return nil
}

// limits recomputes the rolling day of each withdrawal whose use still counts.
func (c *checker) limits(ctx context.Context) error {
	var codes, limits []string
	rows, err := c.tx.Query(ctx, `SELECT DISTINCT asset FROM custody.limit_use ORDER BY asset`)
	if err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	used, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	for _, code := range used {
		if info, known := c.cfg.Assets.AssetByCode(code); known && !info.DailyLimit.IsZero() {
			codes, limits = append(codes, code), append(limits, info.DailyLimit.String())
		}
	}
	found, err := c.tx.Query(ctx, `SELECT u.subject, format('%s used in 24 hours, limit %s', u.used, l.most) FROM (
			SELECT subject, asset, sum(amount) OVER (PARTITION BY customer, asset ORDER BY at
				RANGE BETWEEN '23:59:59.999999' PRECEDING AND CURRENT ROW) AS used
			FROM custody.limit_use WHERE NOT released) u
		JOIN unnest($1::text[], $2::text[]) AS l(asset, most) ON l.asset = u.asset
		WHERE u.used > l.most::numeric ORDER BY 1 LIMIT $3`, codes, limits, maxFindings)
	if err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	var which, numbers string
	if _, err := pgx.ForEachRow(found, []any{&which, &numbers}, func() error {
		c.add("limits respected when recomputed", which, "%s", numbers)
		return nil
	}); err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	return nil
}
