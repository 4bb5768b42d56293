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
			(SELECT count(DISTINCT b.intent) FROM (`+feeBookings+`) b WHERE b.asset = a.asset)
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

// feeBookings are the transfers that touch an expense for network fees: what each
// adds to it, as "net", with the intent that its transaction's id names, and the
// number of the correction where that is one.
const feeBookings = `SELECT x.id, x.legs, split_part(x.id, '/', 2) AS intent, a.id AS account, a.asset, o.id AS beside, l.id AS leg, l.kind,
		CASE WHEN l.debit = a.no THEN l.amount ELSE -l.amount END AS net, substring(x.id FROM '/fee/([1-9][0-9]{0,8})$')::integer AS round
	FROM ledger.account a JOIN ledger.transfer l ON a.no IN (l.debit, l.credit) JOIN ledger.transaction x ON x.seq = l.transaction
	JOIN ledger.account o ON o.no = CASE WHEN l.debit = a.no THEN l.credit ELSE l.debit END
	WHERE a.id LIKE 'expense/network_fees/%'`

// feeStatements are the invariants of fees that need no registry.
func feeStatements() []named {
	return []named{
		{"the book has the network fee of each transaction of ended intents", `SELECT i.id, format('%s: booked %s, mined transactions cost %s', i.state, coalesce(b.sum, 0), coalesce(t.sum, 0))
			FROM (` + intents + `) i
			LEFT JOIN (SELECT b.intent, sum(b.net) FROM (` + feeBookings + `) b GROUP BY 1) b ON b.intent = i.id
			LEFT JOIN (SELECT intent, sum(fee) FROM custody.chain_tx WHERE block_height IS NOT NULL GROUP BY intent) t ON t.intent = i.id
			WHERE coalesce(b.sum, 0) <> CASE WHEN i.state IN ` + ended + ` THEN coalesce(t.sum, 0) ELSE 0 END`},
		// Once where the intent ended, and in corrections: those alone may give back.
		{"network fees are those of intents", `SELECT b.id, format('%s of %s beside %s in %s', b.net, b.account, b.beside, b.leg) FROM (` + feeBookings + `) b
			LEFT JOIN (` + intents + `) i ON i.id = b.intent
			WHERE NOT coalesce(b.kind = 1 AND b.leg = b.id || '/network' AND i.state IN ` + ended + `
				AND b.beside = 'custody/' || i.chain || '/' || b.asset || CASE WHEN i.kind = 'collect'
					AND EXISTS (SELECT FROM custody.house_intent h WHERE h.id = i.id AND h.from_address <> '') THEN '/deposits'
					WHEN i.kind IN ('refill', 'coldspend') AND EXISTS (SELECT FROM custody.house_intent h WHERE h.id = i.id AND h.from_address = '') THEN '/vault/' || (SELECT h.vault FROM custody.house_intent h WHERE h.id = i.id) ELSE '/hot' END
				AND CASE WHEN b.id IN (i.book || '/post', i.book || '/void') THEN b.net > 0 ELSE b.id = i.book || '/fee/' || b.round AND b.legs = 1 END, false)`},
		{"fees are corrected where a booked payment left the chain", `SELECT coalesce(n.intent, b.intent), format('noted %s after %s corrections, booked %s after %s up to %s', n.booked, n.round, b.sum, b.n, b.last)
			FROM custody.network_fee n FULL JOIN (SELECT b.intent, sum(b.net), count(b.round) AS n, max(b.round) AS last FROM (` + feeBookings + `) b GROUP BY 1) b ON b.intent = n.intent
			WHERE coalesce(n.round, 0) <> coalesce(b.n, 0) OR coalesce(n.round, 0) <> coalesce(b.last, 0) OR (n.intent IS NOT NULL AND n.booked <> coalesce(b.sum, 0))`},
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
