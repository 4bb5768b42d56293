package custodydb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
)

// maxOrphans bounds one read of orphans.
const maxOrphans = 500

// Orphan is a transaction that was booked as final and has left the chain: a
// reorganisation deeper than policy took its block.
type Orphan struct {
	Intent string
	Chain  chainadapters.ChainID
	TxID   string
	Raw    []byte
}

// Orphans returns, for each posted intent none of whose transactions is in a block
// any more, the newest of them, and for each cancelled one the cancellation: until it
// is mined again, the payment could be in its place.
func (s *Store) Orphans(ctx context.Context) ([]Orphan, error) {
	rows, err := s.pool.Query(ctx, `SELECT DISTINCT ON (t.intent) t.intent, t.chain, t.txid, t.raw FROM custody.chain_tx t
		JOIN (SELECT id, state FROM custody.withdrawal UNION ALL SELECT id, state FROM custody.house_intent) i ON i.id = t.intent AND (i.state = 'posted' OR i.state = 'cancelled' AND t.cancels)
		WHERE t.block_height IS NULL
			AND NOT EXISTS (SELECT FROM custody.chain_tx m WHERE m.intent = t.intent AND m.block_height IS NOT NULL)
		ORDER BY t.intent, t.attempt DESC LIMIT $1`, maxOrphans)
	if err != nil {
		return nil, fmt.Errorf("read orphans: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Orphan])
	if err != nil {
		return nil, fmt.Errorf("read orphans: %w", err)
	}
	return list, nil
}
