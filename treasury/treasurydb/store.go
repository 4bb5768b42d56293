package treasurydb

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"strongroom/internal/pg"
	"strongroom/treasury"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of treasury, all in the schema "treasury".
func Migrations() pg.Source {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above: only a broken build comes here
	}
	return pg.Source{Schema: "treasury", FS: files}
}

// RequestChannel is the NOTIFY channel on which the id of each request that changes is told.
const RequestChannel = "strongroom_treasury_request"

// DB is what a pool, a connection and a transaction can do.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Hold is how the head is held until a transaction ends.
type Hold string

// The ways.
const (
	Loose  Hold = ""           // it may change meanwhile
	Shared Hold = " FOR SHARE" // nobody publishes meanwhile
	Alone  Hold = " FOR UPDATE"
)

// Head says which versions are in force; zero is none.
type Head struct{ Policy, Roster uint64 }

// ReadHead returns the head and holds it.
func ReadHead(ctx context.Context, db DB, hold Hold) (Head, error) {
	var h Head
	if err := db.QueryRow(ctx, `SELECT policy, roster FROM treasury.head`+string(hold)).Scan(&h.Policy, &h.Roster); err != nil {
		return Head{}, fmt.Errorf("read what is in force: %w", err)
	}
	return h, nil
}

// SetHead changes what is in force. The transaction holds the head Alone.
func SetHead(ctx context.Context, db DB, h Head) error {
	if h.Policy > math.MaxInt64 || h.Roster > math.MaxInt64 {
		return fmt.Errorf("set what is in force: %w: version: at most %d", treasury.ErrInvalid, int64(math.MaxInt64))
	}
	if _, err := db.Exec(ctx, `UPDATE treasury.head SET policy = $1, roster = $2`, h.Policy, h.Roster); err != nil {
		return fmt.Errorf("set what is in force: %w", err)
	}
	return nil
}

// Lock lets one transaction at a time through until it ends, by a name.
func Lock(ctx context.Context, db DB, name string) error {
	if _, err := db.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 5))`, "treasury/"+name); err != nil {
		return fmt.Errorf("lock %s: %w", name, err)
	}
	return nil
}

// known turns the driver's word for an absent row into treasury's.
func known(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return treasury.ErrUnknown
	}
	return err
}

// won turns a compare-and-set that found no row, or a row that somebody else made first,
// into treasury.ErrConflict.
func won(tag pgconn.CommandTag, err error) error {
	switch {
	case pg.IsUnique(err):
		return fmt.Errorf("%w (%s)", treasury.ErrConflict, pg.Constraint(err))
	case err != nil:
		return err
	case tag.RowsAffected() == 0:
		return treasury.ErrConflict
	}
	return nil
}
