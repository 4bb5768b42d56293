// Package check holds what trading wrote down against itself, against the ledger and
// against what the engine said at its checkpoints, and says what does not agree. It
// recomputes balances from trades and transfers by statements of its own, shares no code
// with what settles them but the engine's hash of a balance, and changes nothing.
package check

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/money"
)

// Violation is one thing that does not agree.
type Violation struct {
	Invariant string `json:"invariant"` // "trading balances"
	Rows      string `json:"rows"`      // what it concerns
	Numbers   string `json:"numbers"`   // what is, and what should be
}

// String returns the violation as one line.
func (v Violation) String() string { return v.Invariant + ": " + v.Rows + ": " + v.Numbers }

// Config says what to check.
type Config struct {
	Pool  *pgxpool.Pool
	Shard settle.ShardID
	// Grace is how long settlement and transfers may lag behind what happened.
	Grace time.Duration
	Clock func() time.Time
	// Head tells the newest event of the shard; nil where matching is not at hand.
	Head func(ctx context.Context) (seq uint64, err error)
	// Wait waits between two looks at settlement; real time where nil.
	Wait func(ctx context.Context, d time.Duration) error
}

const (
	maxFindings = 100 // per invariant
	lookEvery   = 100 * time.Millisecond
)

// checker is one run, on one snapshot of the database.
type checker struct {
	cfg   Config
	tx    pgx.Tx
	found []Violation
}

// Run returns everything that does not agree; none means that all invariants hold. An
// error means that the check could not be completed, not that something is wrong. Where
// settlement is behind, it waits for what happened before, Grace at most.
func Run(ctx context.Context, cfg Config) ([]Violation, error) {
	if cfg.Pool == nil || cfg.Clock == nil {
		return nil, errors.New("check trading: config is incomplete")
	}
	if cfg.Wait == nil {
		cfg.Wait = wait
	}
	c := &checker{cfg: cfg}
	if err := c.settled(ctx); err != nil {
		return nil, fmt.Errorf("check settlement: %w", err)
	}
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, cfg.Pool, snapshot, func(tx pgx.Tx) error {
		c.tx = tx
		for _, st := range statements() {
			if err := c.statement(ctx, st); err != nil {
				return err
			}
		}
		return errors.Join(c.clearing(ctx), c.digest(ctx))
	})
	if err != nil {
		return c.found, fmt.Errorf("check trading: %w", err)
	}
	return c.found, nil
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait: %w", ctx.Err())
	case <-timer.C:
		return nil
	}
}

func (c *checker) add(invariant, rows, format string, args ...any) {
	c.found = append(c.found, Violation{invariant, rows, fmt.Sprintf(format, args...)})
}

// settled waits until what the shard has done by now is settled.
func (c *checker) settled(ctx context.Context) error {
	head := uint64(0)
	if c.cfg.Head != nil {
		var err error
		if head, err = c.cfg.Head(ctx); err != nil {
			return fmt.Errorf("ask matching: %w", err)
		}
	}
	for waited := time.Duration(0); ; waited += lookEvery {
		cursor, err := settle.LoadCursor(ctx, c.cfg.Pool, c.cfg.Shard)
		if err != nil {
			return err
		}
		rows := "shard " + strconv.Itoa(int(c.cfg.Shard))
		switch {
		case cursor.Halted != "":
			c.add("settlement goes on", rows, "halted: %s", cursor.Halted)
			return nil
		case cursor.Next > head:
			return nil
		case waited >= c.cfg.Grace:
			c.add("settlement keeps up", rows, "event %d of before %s ago is not settled, the cursor is at %d", head, c.cfg.Grace, cursor.Next)
			return nil
		}
		if err := c.cfg.Wait(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// statement runs SQL whose every row is a violation: (rows, numbers). Its parameters are
// the shard and the time before which work must be done.
func (c *checker) statement(ctx context.Context, st statement) error {
	rows, err := c.tx.Query(ctx, `SELECT v.rows, v.numbers FROM (`+st.sql+`) AS v(rows, numbers)
		WHERE $1::integer IS NOT NULL AND $2::timestamptz IS NOT NULL ORDER BY 1 LIMIT `+strconv.Itoa(maxFindings),
		c.cfg.Shard, c.cfg.Clock().Add(-c.cfg.Grace))
	if err != nil {
		return fmt.Errorf("%s: %w", st.invariant, err)
	}
	var which, numbers string
	if _, err := pgx.ForEachRow(rows, []any{&which, &numbers}, func() error {
		c.add(st.invariant, which, "%s", numbers)
		return nil
	}); err != nil {
		return fmt.Errorf("%s: %w", st.invariant, err)
	}
	return nil
}

// clearing looks at the accounts that batches run against: zero between any two.
func (c *checker) clearing(ctx context.Context) error {
	rows, err := c.tx.Query(ctx, `SELECT code FROM trading.asset ORDER BY no`)
	if err != nil {
		return fmt.Errorf("clearing accounts: %w", err)
	}
	codes, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("clearing accounts: %w", err)
	}
	for _, code := range codes {
		var credits, debits money.Units
		id := settle.ClearingAccount(c.cfg.Shard, code)
		err := c.tx.QueryRow(ctx, `SELECT b.credits_posted, b.debits_posted FROM ledger.account a JOIN ledger.balance b ON b.account = a.no
			WHERE a.id = $1`, string(id)).Scan(&credits, &debits)
		if errors.Is(err, pgx.ErrNoRows) {
			continue // nothing was ever traded in it
		}
		if err != nil {
			return fmt.Errorf("clearing account %s: %w", id, err)
		}
		if credits != debits {
			c.add("clearing accounts are zero", string(id), "%s in, %s out", credits, debits)
		}
	}
	return nil
}

// digest computes the engine's digest of balances at the newest checkpoint from the
// trades and transfers up to it.
func (c *checker) digest(ctx context.Context) error {
	var seq, digest int64
	err := c.tx.QueryRow(ctx, `SELECT seq, digest FROM trading.checkpoint WHERE shard = $1 ORDER BY seq DESC LIMIT 1`, c.cfg.Shard).Scan(&seq, &digest)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("newest checkpoint: %w", err)
	}
	rows, err := c.tx.Query(ctx, `WITH `+moves+` SELECT account, asset, sum(amount) FROM moves WHERE seq <= $2 GROUP BY account, asset HAVING sum(amount) > 0`, c.cfg.Shard, seq)
	if err != nil {
		return fmt.Errorf("balances at checkpoint %d: %w", seq, err)
	}
	var account engine.AccountID
	var asset engine.AssetID
	var amount money.Units
	sum := uint64(0)
	_, err = pgx.ForEachRow(rows, []any{&account, &asset, &amount}, func() error {
		a, err := settle.AmountOf(amount)
		if err != nil {
			return fmt.Errorf("account %d, asset %d: %w", account, asset, err)
		}
		sum += engine.BalanceHash(account, asset, a)
		return nil
	})
	if err != nil {
		return fmt.Errorf("balances at checkpoint %d: %w", seq, err)
	}
	if sum != uint64(digest) { //nolint:gosec // bits as they are
		c.add("trades and transfers make the engine's balances", "checkpoint "+strconv.FormatInt(seq, 10),
			"digest of the rows %016x, the engine's %016x", sum, uint64(digest)) //nolint:gosec // bits as they are
	}
	return nil
}
