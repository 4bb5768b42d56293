package custodydb

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/custody"
)

// SaveNodes records how the nodes of a chain are doing, and forgets those that are
// not among them any more.
func (s *Store) SaveNodes(ctx context.Context, chain chainadapters.ChainID, nodes []chainadapters.NodeStatus) error {
	names := make([]string, len(nodes))
	batch := &pgx.Batch{}
	for i, n := range nodes {
		names[i] = n.Name
		batch.Queue(`INSERT INTO custody.node AS old (chain, name, state, height, lag, reason, agreed, since)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (chain, name) DO UPDATE SET state = excluded.state, height = excluded.height, lag = excluded.lag,
				reason = excluded.reason, agreed = excluded.agreed, since = excluded.since`,
			chain, n.Name, string(n.State), n.Height, n.Lag, clip(n.Reason), n.Agreed, n.Since)
	}
	batch.Queue(`DELETE FROM custody.node WHERE chain = $1 AND NOT name = ANY($2)`, chain, names)
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("save nodes of %s: %w", chain, err)
	}
	return nil
}

// Nodes returns how the nodes of a chain were doing when its watcher looked last,
// by name. It is empty for a chain with one node.
func (s *Store) Nodes(ctx context.Context, chain chainadapters.ChainID) ([]chainadapters.NodeStatus, error) {
	rows, err := s.pool.Query(ctx, `SELECT name, state, height, lag, reason, agreed, since FROM custody.node WHERE chain = $1 ORDER BY name`, chain)
	if err != nil {
		return nil, fmt.Errorf("read nodes of %s: %w", chain, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (chainadapters.NodeStatus, error) {
		var n chainadapters.NodeStatus
		err := row.Scan(&n.Name, &n.State, &n.Height, &n.Lag, &n.Reason, &n.Agreed, &n.Since)
		return n, err //nolint:wrapcheck // wrapped below
	})
	if err != nil {
		return nil, fmt.Errorf("read nodes of %s: %w", chain, err)
	}
	return list, nil
}

// ReadmitNode is an operator's word that an ejected node counts again. The
// chain's watcher takes note when it looks next. custody.ErrNotFound where no
// such node is ejected.
func (s *Store) ReadmitNode(ctx context.Context, chain chainadapters.ChainID, name string) error {
	tag, err := s.pool.Exec(ctx, `UPDATE custody.node SET readmit = true WHERE chain = $1 AND name = $2 AND state = 'ejected'`, chain, name)
	if err != nil {
		return fmt.Errorf("readmit node %s of %s: %w", name, chain, err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("ejected node %s of %s: %w", name, chain, custody.ErrNotFound)
	}
	return nil
}

// TakeReadmissions returns the nodes that a person wants to count again, each
// once.
func (s *Store) TakeReadmissions(ctx context.Context, chain chainadapters.ChainID) ([]string, error) {
	rows, err := s.pool.Query(ctx, `UPDATE custody.node SET readmit = false WHERE chain = $1 AND readmit RETURNING name`, chain)
	if err != nil {
		return nil, fmt.Errorf("read readmissions on %s: %w", chain, err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("read readmissions on %s: %w", chain, err)
	}
	return names, nil
}

// Finality returns the newest block that a chain called final; its hash is empty
// where it named none yet.
func (s *Store) Finality(ctx context.Context, chain chainadapters.ChainID) (chainadapters.Ref, error) {
	var at chainadapters.Ref
	err := s.pool.QueryRow(ctx, `SELECT height, hash FROM custody.finality WHERE chain = $1`, chain).Scan(&at.Height, &at.Hash)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return at, fmt.Errorf("read finality of %s: %w", chain, err)
	}
	return at, nil
}

// SetFinality records the newest final block. A lower one changes nothing.
func (s *Store) SetFinality(ctx context.Context, chain chainadapters.ChainID, at chainadapters.Ref) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO custody.finality AS f (chain, height, hash) VALUES ($1, $2, $3)
		ON CONFLICT (chain) DO UPDATE SET height = excluded.height, hash = excluded.hash WHERE f.height < excluded.height`,
		chain, at.Height, at.Hash)
	if err != nil {
		return fmt.Errorf("save finality of %s: %w", chain, err)
	}
	return nil
}
