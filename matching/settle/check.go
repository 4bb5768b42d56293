package settle

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/matching/engine"
	"strongroom/money"
)

// expectation reads, in one statement and so of one moment, what the ledger has in each
// purse, and how much of it is between ledger and engine.
const expectation = `
SELECT p.account, p.asset, b.credits_posted, b.debits_posted, coalesce(o.amount, 0)::numeric(78, 0)
  FROM trading.purse p JOIN ledger.account a ON a.id = p.ledger JOIN ledger.balance b ON b.account = a.no
  LEFT JOIN (SELECT account, asset, sum(amount) AS amount FROM trading.transfer WHERE shard = $1
                AND (inward AND NOT returned AND (engine_seq IS NULL OR code <> 0) OR NOT inward AND NOT booked AND engine_seq IS NOT NULL AND code = 0)
              GROUP BY account, asset) o ON o.account = p.account AND o.asset = p.asset
 WHERE p.shard = $1`

// digest computes the digest of the engine's balances from the ledger, as of the cursor
// that tx has locked. ok is false where the ledger has less than it must.
func digest(ctx context.Context, tx pgx.Tx, shard ShardID) (sum uint64, ok bool, err error) {
	rows, err := tx.Query(ctx, expectation, shard)
	if err != nil {
		return 0, false, fmt.Errorf("read trading balances: %w", err)
	}
	var p purse
	var credits, debits, between money.Units
	ok = true
	_, err = pgx.ForEachRow(rows, []any{&p.account, &p.asset, &credits, &debits, &between}, func() error {
		held, err := credits.Sub(debits)
		if err == nil {
			held, err = held.Sub(between)
		}
		amount, over := AmountOf(held)
		if err != nil || over != nil {
			ok = false
			return nil //nolint:nilerr // an answer, not a failure
		}
		sum += engine.BalanceHash(p.account, p.asset, amount)
		return nil
	})
	if err != nil {
		return 0, false, fmt.Errorf("read trading balances: %w", err)
	}
	return sum, ok, nil
}

// checkpoint compares the ledger's digest with the engine's, and notes that they agree.
func (s *Settler) checkpoint(ctx context.Context, tx pgx.Tx, e *engine.Event) error {
	sum, ok, err := digest(ctx, tx, s.cfg.Shard)
	if err != nil {
		return err
	}
	if !ok || sum != e.Balances {
		return &haltError{
			reason:     fmt.Sprintf("at checkpoint %d the ledger's balances have the digest %016x, the engine's %016x", e.Seq, sum, e.Balances),
			checkpoint: e.Seq, digest: e.Balances,
		}
	}
	_, err = tx.Exec(ctx, `INSERT INTO trading.checkpoint (shard, seq, digest, agrees) VALUES ($1, $2, $3, true)`,
		s.cfg.Shard, int64(e.Seq), int64(sum)) //nolint:gosec // bits as they are
	if err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	return nil
}
