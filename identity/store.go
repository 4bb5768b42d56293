package identity

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/internal/id"
	"strongroom/internal/pg"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of schema "identity".
func Migrations() pg.Source {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic("identity: embedded migrations: " + err.Error())
	}
	return pg.Source{Schema: "identity", FS: sub}
}

// Config holds what a store needs.
type Config struct {
	// Pool reaches the database that holds schema "identity".
	Pool *pgxpool.Pool
	// Sealer encrypts HMAC secrets at rest.
	Sealer *Sealer
	// Clock tells the time; required.
	Clock func() time.Time
	// Window is how far a timestamp may be from Clock on either side; 30 seconds
	// where zero.
	Window time.Duration
}

// defaultWindow is the freshness of a signed request.
const defaultWindow = 30 * time.Second

// Store keeps customers, keys and used nonces in PostgreSQL. Errors that are
// none of the package's are the database's: the outcome of a write is unknown.
type Store struct{ cfg Config }

// New checks the configuration.
func New(cfg Config) (*Store, error) {
	if cfg.Pool == nil || cfg.Sealer == nil || cfg.Clock == nil {
		return nil, errors.New("identity: Pool, Sealer and Clock are required")
	}
	if cfg.Window <= 0 {
		cfg.Window = defaultWindow
	}
	return &Store{cfg}, nil
}

// CreateCustomer makes a customer. With a reference it is idempotent: the same
// name gives the customer that exists, and repeated is true. Errors: *FieldError,
// ErrConflict.
func (s *Store) CreateCustomer(ctx context.Context, name, reference string) (c Customer, repeated bool, err error) {
	if err := errors.Join(checkName("name", name), checkReference(reference)); err != nil {
		return Customer{}, false, err
	}
	fresh := Customer{ID: id.New("cus"), Name: name, Reference: reference, State: Active, CreatedAt: s.now()}
	tag, err := s.cfg.Pool.Exec(ctx, `INSERT INTO identity.customer (id, name, reference, state, created_at)
		VALUES ($1, $2, NULLIF($3, ''), $4, $5) ON CONFLICT (reference) DO NOTHING`,
		fresh.ID, name, reference, string(Active), fresh.CreatedAt)
	if err != nil {
		return Customer{}, false, fmt.Errorf("store customer: %w", err)
	}
	if tag.RowsAffected() == 1 {
		return fresh, false, nil
	}
	c, err = one(ctx, s.cfg.Pool, customerColumns+` WHERE reference = $1`, reference)
	if err == nil && c.Name != name {
		return Customer{}, false, ErrConflict
	}
	return c, true, err
}

const customerColumns = `SELECT id, name, COALESCE(reference, ''), state, created_at FROM identity.customer`

// Customer returns one customer, or ErrNotFound.
func (s *Store) Customer(ctx context.Context, customer string) (Customer, error) {
	return one(ctx, s.cfg.Pool, customerColumns+` WHERE id = $1`, customer)
}

// Customers returns customers after the id given, oldest first.
func (s *Store) Customers(ctx context.Context, after string, limit int) ([]Customer, error) {
	rows, err := s.cfg.Pool.Query(ctx, customerColumns+` WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read customers: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanCustomer)
	if err != nil {
		return nil, fmt.Errorf("read customers: %w", err)
	}
	return list, nil
}

// SetCustomerState freezes or releases a customer. ErrNotFound, *FieldError.
func (s *Store) SetCustomerState(ctx context.Context, customer string, state State) (Customer, error) {
	if state != Active && state != Frozen {
		return Customer{}, &FieldError{"state", "want active or frozen"}
	}
	return one(ctx, s.cfg.Pool, `UPDATE identity.customer SET state = $2 WHERE id = $1
		RETURNING id, name, COALESCE(reference, ''), state, created_at`, customer, string(state))
}

func one(ctx context.Context, pool *pgxpool.Pool, sql string, args ...any) (Customer, error) {
	rows, err := pool.Query(ctx, sql, args...)
	if err != nil {
		return Customer{}, fmt.Errorf("read customer: %w", err)
	}
	c, err := pgx.CollectExactlyOneRow(rows, scanCustomer)
	if errors.Is(err, pgx.ErrNoRows) {
		return Customer{}, fmt.Errorf("customer: %w", ErrNotFound)
	}
	if err != nil {
		return Customer{}, fmt.Errorf("read customer: %w", err)
	}
	return c, nil
}

func scanCustomer(row pgx.CollectableRow) (Customer, error) {
	var c Customer
	if err := row.Scan(&c.ID, &c.Name, &c.Reference, &c.State, &c.CreatedAt); err != nil {
		return Customer{}, fmt.Errorf("scan customer: %w", err)
	}
	c.CreatedAt = c.CreatedAt.UTC()
	return c, nil
}

// now returns the clock's time as PostgreSQL keeps it: in UTC, in microseconds.
func (s *Store) now() time.Time { return s.cfg.Clock().UTC().Truncate(time.Microsecond) }
