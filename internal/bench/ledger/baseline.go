package ledgerbench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/money"
)

// baselineConnections is the size of the pool: more than the server has cores
// to serve, fewer than would thrash it.
const baselineConnections = 64

// baseline is the way a careful programmer would write it without grouping: lock
// both accounts in one order, check, insert, update both, commit.
type baseline struct{ pool *pgxpool.Pool }

// baselineSchema is vacuumed as gently as the ledger's tables: what one way leaves
// behind must not fall into the measurement of the other.
const baselineSchema = `
CREATE SCHEMA bench_baseline;
CREATE TABLE bench_baseline.account (
    no      bigint PRIMARY KEY,
    asset   text NOT NULL,
    debits  numeric(78, 0) NOT NULL,
    credits numeric(78, 0) NOT NULL CHECK (credits >= debits),
    version bigint NOT NULL
) WITH (fillfactor = 80, autovacuum_vacuum_cost_delay = 20);
CREATE TABLE bench_baseline.transfer (
    id     text COLLATE "C" PRIMARY KEY,
    debit  bigint NOT NULL,
    credit bigint NOT NULL,
    amount numeric(78, 0) NOT NULL CHECK (amount > 0),
    booked timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_cost_delay = 20)`

func newBaseline(ctx context.Context, cfg Config, pool *pgxpool.Pool) (*baseline, error) {
	if _, err := pool.Exec(ctx, baselineSchema); err != nil {
		return nil, fmt.Errorf("create tables: %w", err)
	}
	begun := cfg.Clock()
	if _, err := pool.Exec(ctx, `
INSERT INTO bench_baseline.account SELECT n, $2, 0, CASE n WHEN 0 THEN $3::numeric ELSE $4::numeric END, 0 FROM generate_series(0, $1::int - 1) n`,
		cfg.Accounts, benchAsset, initial(0), initial(1)); err != nil {
		return nil, fmt.Errorf("fill accounts: %w", err)
	}
	cfg.Progress(fmt.Sprintf("filled the baseline's accounts in %s", cfg.Clock().Sub(begun).Round(time.Millisecond)))
	return &baseline{pool: pool}, nil
}

var errNotCovered = errors.New("balance does not cover the transfer")

func (b *baseline) book(ctx context.Context, name string, from, to int) error {
	amount := money.FromUint64(1)
	err := pgx.BeginFunc(ctx, b.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT no, debits, credits FROM bench_baseline.account WHERE no = ANY ($1) ORDER BY no FOR UPDATE`, []int64{int64(from), int64(to)})
		if err != nil {
			return fmt.Errorf("lock accounts: %w", err)
		}
		if err := covered(rows, int64(from), amount); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO bench_baseline.transfer (id, debit, credit, amount) VALUES ($1, $2, $3, $4)`, name, from, to, amount); err != nil {
			return fmt.Errorf("insert transfer: %w", err)
		}
		if _, err := tx.Exec(ctx, `UPDATE bench_baseline.account SET debits = debits + $2, version = version + 1 WHERE no = $1`, from, amount); err != nil {
			return fmt.Errorf("debit: %w", err)
		}
		if _, err := tx.Exec(ctx, `UPDATE bench_baseline.account SET credits = credits + $2, version = version + 1 WHERE no = $1`, to, amount); err != nil {
			return fmt.Errorf("credit: %w", err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("book: %w", err)
	}
	return nil
}

// covered reads both accounts and checks the one that pays.
func covered(rows pgx.Rows, from int64, amount money.Units) error {
	var no int64
	var debits, credits money.Units
	_, err := pgx.ForEachRow(rows, []any{&no, &debits, &credits}, func() error {
		if no == from && credits.SubFloor(debits).Less(amount) {
			return errNotCovered
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("check accounts: %w", err)
	}
	return nil
}
