package custodydb

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/money"
)

// maxParents bounds how many transactions a payment may hang on.
const maxParents = 25

// Parent is a transaction of ours in no block that a payment spends change of, or
// that such a parent hangs on itself.
type Parent struct {
	TxID   string
	Plan   chainadapters.Plan
	MaxFee money.Units // on chains of coins, what it pays
	State  custody.WithdrawalState
}

// Parents returns what a payment hangs on.
func (s *Store) Parents(ctx context.Context, intent string) ([]Parent, error) {
	rows, err := s.pool.Query(ctx, `WITH RECURSIVE below AS (
			SELECT t.chain, t.txid, t.intent, 1 AS depth FROM custody.coin_lock l JOIN custody.chain_tx t ON t.chain = l.chain AND t.txid = l.txid
				WHERE l.intent = $1 AND t.intent <> $1 AND t.block_height IS NULL
			UNION
			SELECT t.chain, t.txid, t.intent, b.depth + 1 FROM below b JOIN custody.coin_lock l ON l.intent = b.intent
				JOIN custody.chain_tx t ON t.chain = l.chain AND t.txid = l.txid
				WHERE t.intent <> b.intent AND t.block_height IS NULL AND b.depth < $2)
		SELECT t.txid, t.plan, t.max_fee, i.state FROM custody.chain_tx t
		JOIN (SELECT id, state FROM custody.withdrawal UNION ALL SELECT id, state FROM custody.house_intent) i ON i.id = t.intent
		WHERE (t.chain, t.txid) IN (SELECT chain, txid FROM below) ORDER BY t.txid LIMIT $2`, intent, maxParents)
	if err != nil {
		return nil, fmt.Errorf("read parents of %s: %w", intent, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Parent, error) {
		var p Parent
		var plan []byte
		if err := row.Scan(&p.TxID, &plan, &p.MaxFee, &p.State); err != nil {
			return p, fmt.Errorf("scan: %w", err)
		}
		if err := json.Unmarshal(plan, &p.Plan); err != nil {
			return p, fmt.Errorf("decode plan: %w", err)
		}
		return p, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read parents of %s: %w", intent, err)
	}
	return list, nil
}
