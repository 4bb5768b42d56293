package check

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/money"
)

// FeeLine is what the house has earned and paid in one asset, by the book.
type FeeLine struct {
	Asset        string      `json:"asset"`
	Earned       money.Units `json:"earned"`       // withdrawal fees, in base units
	Paid         money.Units `json:"paid"`         // to miners and validators; native assets only
	Transactions int64       `json:"transactions"` // of ours that Paid paid for
}

// Fees returns the fee lines of all assets that have any, by asset.
func Fees(ctx context.Context, pool *pgxpool.Pool) ([]FeeLine, error) {
	rows, err := pool.Query(ctx, `SELECT a.asset, coalesce(sum(a.posted) FILTER (WHERE a.id LIKE 'income/%'), 0)::numeric(78,0),
			coalesce(sum(a.posted) FILTER (WHERE a.id LIKE 'expense/%'), 0)::numeric(78,0),
			(SELECT count(*) FROM ledger.transfer l JOIN ledger.account x ON x.no = l.debit WHERE x.id = 'expense/network_fees/' || a.asset)
		FROM (`+balanceOf+`) a WHERE a.id LIKE 'income/withdrawal_fees/%' OR a.id LIKE 'expense/network_fees/%'
		GROUP BY a.asset ORDER BY a.asset`)
	if err != nil {
		return nil, fmt.Errorf("fees: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[FeeLine])
	if err != nil {
		return nil, fmt.Errorf("fees: %w", err)
	}
	return slices.DeleteFunc(list, func(l FeeLine) bool { return l.Earned.IsZero() && l.Paid.IsZero() }), nil
}

// feeStatements are the invariants of fees that need no registry.
func feeStatements() []named {
	return []named{
		{"the book has the network fee of each transaction of ended intents", `SELECT i.id, format('%s: booked %s, mined transactions cost %s', i.state, coalesce(b.sum, 0), coalesce(t.sum, 0))
			FROM (` + intents + `) i
			LEFT JOIN (SELECT split_part(x.id, '/', 2) AS intent, sum(l.amount) FROM ledger.transfer l JOIN ledger.account a ON a.no = l.debit
				JOIN ledger.transaction x ON x.seq = l.transaction WHERE a.id LIKE 'expense/network_fees/%' GROUP BY 1) b ON b.intent = i.id
			LEFT JOIN (SELECT intent, sum(fee) FROM custody.chain_tx WHERE block_height IS NOT NULL GROUP BY intent) t ON t.intent = i.id
			WHERE coalesce(b.sum, 0) <> CASE WHEN i.state IN ` + ended + ` THEN coalesce(t.sum, 0) ELSE 0 END`},
		{"network fees are those of intents", `SELECT x.id, format('%s of %s', l.amount, a.id) FROM ledger.transfer l
			JOIN ledger.account a ON a.no IN (l.debit, l.credit) AND a.id LIKE 'expense/network_fees/%' JOIN ledger.transaction x ON x.seq = l.transaction
			LEFT JOIN (` + intents + `) i ON i.id = split_part(x.id, '/', 2) WHERE i.id IS NULL OR l.credit = a.no`},
		{"fee income is the fees of posted withdrawals", `SELECT coalesce(a.id, w.id), format('account holds %s, fee legs %s, withdrawals %s', coalesce(a.posted, 0), coalesce(f.sum, 0), coalesce(w.sum, 0))
			FROM (SELECT * FROM (` + balanceOf + `) x WHERE x.id LIKE 'income/withdrawal_fees/%') a
			FULL JOIN (SELECT 'income/withdrawal_fees/' || asset AS id, sum(fee) FROM custody.withdrawal WHERE state = 'posted' GROUP BY 1) w ON w.id = a.id
			LEFT JOIN (SELECT l.credit, sum(l.amount) FROM ledger.transfer l JOIN ledger.transaction x ON x.seq = l.transaction
				WHERE l.kind = 3 AND x.id LIKE 'wdr/%/post' AND l.id = x.id || '/fee' GROUP BY 1) f
				ON f.credit = (SELECT no FROM ledger.account WHERE id = a.id)
			WHERE coalesce(a.posted, 0) <> coalesce(w.sum, 0) OR coalesce(a.posted, 0) <> coalesce(f.sum, 0)`},
	}
}

// fees holds the sum of each expense account against the sum of what the
// transactions of ended intents cost, chain by chain.
func (c *checker) fees(ctx context.Context) error {
	rows, err := c.tx.Query(ctx, `SELECT t.chain, i.asset, sum(t.fee)::numeric(78,0) FROM custody.chain_tx t JOIN (`+intents+`) i ON i.id = t.intent
		WHERE t.block_height IS NOT NULL AND i.state IN `+ended+` GROUP BY t.chain, i.asset`)
	if err != nil {
		return fmt.Errorf("network fees: %w", err)
	}
	type cost struct {
		Chain chainadapters.ChainID
		Asset string
		Sum   money.Units
	}
	costs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[cost])
	if err != nil {
		return fmt.Errorf("network fees: %w", err)
	}
	paid := map[string]money.Units{}
	for _, at := range costs {
		info, known := c.cfg.Assets.AssetByCode(at.Asset)
		if !known {
			return fmt.Errorf("network fees of %s on %s: %w", at.Asset, at.Chain, custody.ErrAsset)
		}
		if paid[info.Native], err = paid[info.Native].Add(at.Sum); err != nil {
			return fmt.Errorf("network fees of %s: %w", info.Native, err)
		}
	}
	return c.compareFees(ctx, paid)
}

func (c *checker) compareFees(ctx context.Context, paid map[string]money.Units) error {
	rows, err := c.tx.Query(ctx, `SELECT a.asset, a.posted::numeric(78,0) FROM (`+balanceOf+`) a WHERE a.id LIKE 'expense/network_fees/%' ORDER BY a.asset`)
	if err != nil {
		return fmt.Errorf("network fees: %w", err)
	}
	var native string
	var booked money.Units
	if _, err := pgx.ForEachRow(rows, []any{&native, &booked}, func() error {
		if booked != paid[native] {
			c.add("network fees are what our transactions cost", native, "booked %s, transactions cost %s", booked, paid[native])
		}
		delete(paid, native)
		return nil
	}); err != nil {
		return fmt.Errorf("network fees: %w", err)
	}
	for native, cost := range paid {
		if !cost.IsZero() {
			c.add("network fees are what our transactions cost", native, "nothing booked, transactions cost %s", cost)
		}
	}
	return nil
}
