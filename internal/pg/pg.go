// Package pg opens PostgreSQL the way every part of the platform needs it:
// money.Units travel as numeric in binary, and each domain's migrations live in
// a schema of their own. It knows no table.
package pg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

const (
	// connectTimeout bounds one attempt to reach the server.
	connectTimeout = 5 * time.Second
	// defaultConns leaves room beside those that a process keeps for itself for as
	// long as it lives: advisory locks of watchers and dispatchers, LISTEN. The
	// library's own default is one per core.
	defaultConns = 24
)

// Open returns a pool on url (postgres://…) after one successful ping. The
// pool's size can be set in the url by pool_max_conns.
func Open(ctx context.Context, url string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("parse database url: %w", err)
	}
	cfg.ConnConfig.ConnectTimeout = connectTimeout
	if !strings.Contains(url, "pool_max_conns=") {
		cfg.MaxConns = defaultConns
	}
	cfg.AfterConnect = func(_ context.Context, c *pgx.Conn) error { RegisterUnits(c.TypeMap()); return nil }
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("reach database: %w", err)
	}
	return pool, nil
}

// Source is one domain's migrations: goose SQL files at the root of FS, whose
// tables all live in Schema.
type Source struct {
	Schema string
	FS     fs.FS
}

// Migrate brings every source to its newest version, in order. Several processes
// may call it at once: a session lock lets one work.
func Migrate(ctx context.Context, url string, sources ...Source) error {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("parse database url: %w", err)
	}
	db := stdlib.OpenDB(*cfg)
	defer func() { _ = db.Close() }()
	for _, s := range sources {
		if _, err := db.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{s.Schema}.Sanitize()); err != nil && !IsUnique(err) {
			return fmt.Errorf("create schema %s: %w", s.Schema, err)
		}
		store, err := database.NewStore(database.DialectPostgres, s.Schema+".schema_version")
		if err != nil {
			return fmt.Errorf("open version table of %s: %w", s.Schema, err)
		}
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return fmt.Errorf("make migration lock: %w", err)
		}
		provider, err := goose.NewProvider("", db, s.FS, goose.WithStore(store), goose.WithSessionLocker(locker))
		if err != nil {
			return fmt.Errorf("read migrations of %s: %w", s.Schema, err)
		}
		if _, err := provider.Up(ctx); err != nil {
			return fmt.Errorf("migrate %s: %w", s.Schema, err)
		}
	}
	return nil
}

// IsUnique reports a violated unique constraint.
func IsUnique(err error) bool { return hasCode(err, "23505") }

// IsCheck reports a violated CHECK constraint.
func IsCheck(err error) bool { return hasCode(err, "23514") }

// Constraint returns the name of the constraint that err says was violated, or "".
func Constraint(err error) string {
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pe.ConstraintName
	}
	return ""
}

func hasCode(err error, code string) bool {
	pe, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pe.Code == code
}
