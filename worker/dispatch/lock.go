package dispatch

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Advisory is a PostgreSQL advisory lock: it is held by a session, and goes with
// it when the holder dies.
type Advisory struct {
	pool *pgxpool.Pool
	name string
}

var _ Lock = Advisory{}

// NewAdvisory returns the lock of this name, which all processes on one database
// share. It takes one connection of the pool while it is held.
func NewAdvisory(pool *pgxpool.Pool, name string) (Advisory, error) {
	if pool == nil || name == "" {
		return Advisory{}, errors.New("advisory lock: no pool or no name")
	}
	return Advisory{pool: pool, name: name}, nil
}

// Try takes the lock, or answers nil where somebody else has it.
func (a Advisory) Try(ctx context.Context) (Lease, error) {
	conn, err := a.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("take lock %s: %w", a.name, err)
	}
	var ours bool
	err = conn.QueryRow(ctx, "SELECT pg_try_advisory_lock(hashtext('strongroom.lock'), hashtext($1))", a.name).Scan(&ours)
	if err != nil || !ours {
		conn.Release()
		if err != nil {
			return nil, fmt.Errorf("take lock %s: %w", a.name, err)
		}
		return nil, nil //nolint:nilnil // somebody else has it: that is an answer
	}
	return advisoryLease{conn}, nil
}

type advisoryLease struct{ conn *pgxpool.Conn }

// Held fails once the session is gone, and with it the lock.
func (l advisoryLease) Held(ctx context.Context) error {
	if err := l.conn.Ping(ctx); err != nil {
		return fmt.Errorf("reach lock's session: %w", err)
	}
	return nil
}

// Release ends the session: whatever state it is in, the lock is free then.
func (l advisoryLease) Release() {
	_ = l.conn.Conn().Close(context.Background()) // a session that cannot be closed is dead already
	l.conn.Release()
}
