package settle

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/matching/chain"
)

// Cursor is how far a shard is settled.
type Cursor struct {
	Epoch  uint64     // of what was settled last
	Next   uint64     // the first sequence that is not settled
	Hash   chain.Hash // the chain's, before Next
	Halted string     // why nothing goes on; empty where it does
}

// queryer is what both a pool and a transaction can do.
type queryer interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

const cursorColumns = `SELECT epoch, next_seq, hash, halted_reason FROM trading.shard WHERE id = $1`

func readCursor(ctx context.Context, q queryer, shard ShardID, lock string) (Cursor, error) {
	var c Cursor
	var epoch, next int64
	var hash []byte
	err := q.QueryRow(ctx, cursorColumns+lock, shard).Scan(&epoch, &next, &hash, &c.Halted)
	if errors.Is(err, pgx.ErrNoRows) {
		return c, fmt.Errorf("cursor of shard %d: %w", shard, ErrUnknown)
	}
	if err != nil {
		return c, fmt.Errorf("read cursor of shard %d: %w", shard, err)
	}
	c.Epoch, c.Next = uint64(epoch), uint64(next) //nolint:gosec // never negative
	copy(c.Hash[:], hash)
	return c, nil
}

// LoadCursor returns how far a shard is settled; one that never was begins at 1.
func LoadCursor(ctx context.Context, pool *pgxpool.Pool, shard ShardID) (Cursor, error) {
	if _, err := pool.Exec(ctx, `INSERT INTO trading.shard (id) VALUES ($1) ON CONFLICT DO NOTHING`, shard); err != nil {
		return Cursor{}, fmt.Errorf("make cursor of shard %d: %w", shard, err)
	}
	return readCursor(ctx, pool, shard, "")
}

// lockCursor keeps everybody else from settling until tx ends, and returns
// ErrContended where somebody has since want was read.
func lockCursor(ctx context.Context, tx pgx.Tx, shard ShardID, want Cursor) error {
	have, err := readCursor(ctx, tx, shard, " FOR UPDATE")
	if err != nil {
		return err
	}
	if have != want {
		return fmt.Errorf("cursor of shard %d moved: %w", shard, ErrContended)
	}
	return nil
}

func moveCursor(ctx context.Context, tx pgx.Tx, shard ShardID, to Cursor) error {
	_, err := tx.Exec(ctx, `UPDATE trading.shard SET epoch = $2, next_seq = $3, hash = $4 WHERE id = $1`,
		shard, int64(to.Epoch), int64(to.Next), to.Hash[:]) //nolint:gosec // below 2^63 for ever
	if err != nil {
		return fmt.Errorf("move cursor: %w", err)
	}
	return nil
}

// haltError is a reason to halt, found by judging.
type haltError struct {
	reason     string
	checkpoint uint64 // sequence of the one that does not agree; zero for none
	digest     uint64 // the engine's
}

func (e *haltError) Error() string { return e.reason }

// Unwrap makes it ErrHalted.
func (*haltError) Unwrap() error { return ErrHalted }

func halting(format string, args ...any) error {
	return &haltError{reason: fmt.Sprintf(format, args...)}
}

// keepHalt writes down why a shard is halted; the first reason stays.
func keepHalt(ctx context.Context, pool *pgxpool.Pool, shard ShardID, halt *haltError) error {
	_, err := pool.Exec(ctx, `WITH disagreed AS (
		INSERT INTO trading.checkpoint (shard, seq, digest, agrees) SELECT $1::integer, $3::bigint, $4::bigint, false WHERE $3::bigint > 0 ON CONFLICT DO NOTHING)
		UPDATE trading.shard SET halted_reason = $2 WHERE id = $1::integer AND halted_reason = ''`,
		shard, halt.reason, int64(halt.checkpoint), int64(halt.digest)) //nolint:gosec // bits as they are
	if err != nil {
		return fmt.Errorf("halt shard %d: %w", shard, err)
	}
	return nil
}
