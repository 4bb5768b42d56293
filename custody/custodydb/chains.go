package custodydb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/chainadapters"
	"strongroom/custody"
)

// The states of a chain.
const (
	ChainStarting = "starting" // not looked at yet
	ChainOK       = "ok"
	ChainHalted   = "halted" // credits and sends stop; Reason says why
)

// ErrForeignPin reports a node whose identity is not the one that this
// installation was started on.
var ErrForeignPin = errors.New("chain is pinned to another network")

// ChainStatus is how far a chain's blocks are taken in, and whether it may be used.
type ChainStatus struct {
	Chain      chainadapters.ChainID  `json:"chain"`
	Cursor     chainadapters.Ref      `json:"cursor"` // newest block taken in; Hash is empty before the first
	Status     string                 `json:"status"`
	Reason     string                 `json:"reason,omitempty"`
	HeadHeight uint64                 `json:"headHeight"` // what the node said last
	Operator   bool                   `json:"operator"`   // halted until ClearHalt
	Allowed    uint64                 `json:"-"`          // depth of reorganisation that an operator allowed, once
	Pinned     chainadapters.Identity `json:"-"`
	Moves      uint64                 `json:"-"` // how often the cursor moved, forth or back
	UpdatedAt  time.Time              `json:"updatedAt"`
}

// Started reports whether any block was taken in.
func (c ChainStatus) Started() bool { return c.Cursor.Hash != "" }

// Chains returns the status of every chain that was ever looked at, by name.
func (s *Store) Chains(ctx context.Context) ([]ChainStatus, error) {
	return readChains(ctx, s.pool, `ORDER BY chain`)
}

// Chain returns the status of one chain, or custody.ErrNotFound.
func (s *Store) Chain(ctx context.Context, chain chainadapters.ChainID) (ChainStatus, error) {
	return readChain(ctx, s.pool, chain, "")
}

func readChain(ctx context.Context, q queryer, chain chainadapters.ChainID, lock string) (ChainStatus, error) {
	list, err := readChains(ctx, q, `WHERE chain = $1 `+lock, chain)
	if err != nil {
		return ChainStatus{}, err
	}
	if len(list) == 0 {
		return ChainStatus{}, fmt.Errorf("chain %s: %w", chain, custody.ErrNotFound)
	}
	return list[0], nil
}

func readChains(ctx context.Context, q queryer, where string, args ...any) ([]ChainStatus, error) {
	rows, err := q.Query(ctx, `SELECT chain, greatest(height, 0), hash, status, reason, greatest(head_height, 0),
		needs_operator, reorg_allowed, network, genesis, moves, updated_at FROM custody.chain `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read chains: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (ChainStatus, error) {
		var c ChainStatus
		err := row.Scan(&c.Chain, &c.Cursor.Height, &c.Cursor.Hash, &c.Status, &c.Reason, &c.HeadHeight,
			&c.Operator, &c.Allowed, &c.Pinned.Network, &c.Pinned.Genesis, &c.Moves, &c.UpdatedAt)
		return c, err //nolint:wrapcheck // wrapped below
	})
	if err != nil {
		return nil, fmt.Errorf("read chains: %w", err)
	}
	return list, nil
}

// PinChain makes the chain's row and pins its identity the first time. Later it
// returns ErrForeignPin for any other identity.
func (s *Store) PinChain(ctx context.Context, chain chainadapters.ChainID, is chainadapters.Identity) (ChainStatus, error) {
	_, err := s.pool.Exec(ctx, `INSERT INTO custody.chain AS c (chain, network, genesis) VALUES ($1, $2, $3)
		ON CONFLICT (chain) DO UPDATE SET network = excluded.network, genesis = excluded.genesis WHERE c.genesis = ''`,
		chain, is.Network, is.Genesis)
	if err != nil {
		return ChainStatus{}, fmt.Errorf("pin chain %s: %w", chain, err)
	}
	c, err := s.Chain(ctx, chain)
	if err != nil {
		return ChainStatus{}, err
	}
	if c.Pinned != is {
		return c, fmt.Errorf("%s is network %s genesis %s, the node says %s %s: %w",
			chain, c.Pinned.Network, c.Pinned.Genesis, is.Network, is.Genesis, ErrForeignPin)
	}
	return c, nil
}

// SetChainOK records that the chain may be used, and ends what an operator
// allowed. A chain that waits for an operator stays halted.
func (s *Store) SetChainOK(ctx context.Context, chain chainadapters.ChainID, head uint64) error {
	_, err := s.pool.Exec(ctx, `UPDATE custody.chain SET status = 'ok', reason = '', reorg_allowed = 0, head_height = $2, updated_at = $3
		WHERE chain = $1 AND NOT needs_operator`, chain, head, s.now())
	if err != nil {
		return fmt.Errorf("mark chain %s usable: %w", chain, err)
	}
	return nil
}

// HaltChain stops credits and sends on a chain. It makes the row where the chain
// was never reached. Where operator is set, only ClearHalt lifts it.
func (s *Store) HaltChain(ctx context.Context, chain chainadapters.ChainID, reason string, operator bool) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO custody.chain AS c (chain, status, reason, needs_operator, updated_at)
		VALUES ($1, 'halted', $2, $3, $4)
		ON CONFLICT (chain) DO UPDATE SET status = 'halted', reason = excluded.reason, needs_operator = excluded.needs_operator,
			updated_at = excluded.updated_at WHERE NOT c.needs_operator`, chain, clip(reason), operator, s.now())
	if err != nil {
		return fmt.Errorf("halt chain %s: %w", chain, err)
	}
	return nil
}

// ClearHalt is an operator's word that the chain may go on. reorgDepth is how deep
// a reorganisation it accepts, once; zero for the usual policy. The watcher judges
// the node again before the chain is used.
func (s *Store) ClearHalt(ctx context.Context, chain chainadapters.ChainID, reorgDepth uint64) error {
	tag, err := s.pool.Exec(ctx, `UPDATE custody.chain SET needs_operator = false, reorg_allowed = $2,
		reason = 'cleared by an operator, waiting for the watcher', updated_at = $3 WHERE chain = $1`, chain, reorgDepth, s.now())
	if err != nil {
		return fmt.Errorf("clear halt of %s: %w", chain, err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("chain %s: %w", chain, custody.ErrNotFound)
	}
	return nil
}

// Watch is the right to be the only watcher of a chain across processes. It ends
// with its session, so whoever holds it must take no step that the cursor's
// compare-and-set does not guard as well.
type Watch struct{ conn *pgxpool.Conn }

// TryWatch takes the watch of a chain; ok is false where another process has it.
func (s *Store) TryWatch(ctx context.Context, chain chainadapters.ChainID) (w *Watch, ok bool, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("take watch of %s: %w", chain, err)
	}
	err = conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtext('custody.watch'), hashtext($1))`, chain).Scan(&ok)
	if err != nil || !ok {
		conn.Release()
		if err != nil {
			return nil, false, fmt.Errorf("take watch of %s: %w", chain, err)
		}
		return nil, false, nil
	}
	return &Watch{conn}, true, nil
}

// Held returns an error where the session, and with it the watch, is lost.
func (w *Watch) Held(ctx context.Context) error {
	if _, err := w.conn.Exec(ctx, "SELECT 1"); err != nil {
		return fmt.Errorf("keep watch: %w", err)
	}
	return nil
}

// Release gives the watch up, also where ctx has ended.
func (w *Watch) Release(ctx context.Context) {
	// Closing the session gives the lock up whatever state it is in; the pool drops
	// closed sessions.
	_ = w.conn.Conn().Close(context.WithoutCancel(ctx))
	w.conn.Release()
}
