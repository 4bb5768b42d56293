package assets

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/internal/pg"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of schema "assets".
func Migrations() pg.Source {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic("assets: embedded migrations: " + err.Error())
	}
	return pg.Source{Schema: "assets", FS: sub}
}

// Config holds what a registry needs.
type Config struct {
	// Pool reaches the database that holds schema "assets".
	Pool *pgxpool.Pool
	// Clock tells the time; required.
	Clock func() time.Time
	// MaxAge is how old the snapshot in memory may become before a reader takes
	// a new one; five seconds where zero.
	MaxAge time.Duration
}

// Registry is the registry in PostgreSQL with a snapshot in memory.
type Registry struct {
	cfg      Config
	mu       sync.Mutex
	snapshot map[string]Asset
	taken    time.Time
}

var _ Catalog = (*Registry)(nil)

// defaultMaxAge is how late a changed setting may be noticed.
const defaultMaxAge = 5 * time.Second

// New returns a registry without reading it yet.
func New(cfg Config) (*Registry, error) {
	if cfg.Pool == nil || cfg.Clock == nil {
		return nil, errors.New("assets: Pool and Clock are required")
	}
	if cfg.MaxAge <= 0 {
		cfg.MaxAge = defaultMaxAge
	}
	return &Registry{cfg: cfg}, nil
}

// Load registers what is new and takes over changed settings, all or nothing.
// What balances depend on cannot change (ErrConflict), and the listing state of
// an asset that exists already is left alone, so that a restart never lifts a
// suspension. Loading the same list again changes nothing. Errors wrap
// ErrInvalid or ErrConflict; others are the database's.
func (r *Registry) Load(ctx context.Context, list []Asset) error {
	for _, a := range list {
		if err := a.Validate(); err != nil {
			return err
		}
	}
	err := pgx.BeginFunc(ctx, r.cfg.Pool, func(tx pgx.Tx) error {
		for _, a := range list {
			if err := upsert(ctx, tx, a); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("load assets: %w", err)
	}
	return r.Refresh(ctx)
}

func upsert(ctx context.Context, tx pgx.Tx, a Asset) error {
	tiers, err := json.Marshal(a.Tiers)
	if err != nil {
		return fmt.Errorf("encode tiers: %w", err)
	}
	err = tx.QueryRow(ctx, `
		INSERT INTO assets.asset AS old (code, name, chain, contract, scale, native, min_deposit, min_withdrawal,
			withdrawal_fee, tiers, final_depth, daily_limit, state, traits)
		VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14)
		ON CONFLICT (code) DO UPDATE SET name = excluded.name, min_deposit = excluded.min_deposit,
			min_withdrawal = excluded.min_withdrawal, withdrawal_fee = excluded.withdrawal_fee,
			tiers = excluded.tiers, final_depth = excluded.final_depth, daily_limit = excluded.daily_limit, traits = excluded.traits
		WHERE (old.chain, old.contract, old.scale, old.native) =
			(excluded.chain, excluded.contract, excluded.scale, excluded.native)
		RETURNING state`,
		a.Code, a.Name, string(a.Chain), a.Contract, int16(a.Scale), a.Native, a.MinDeposit, a.MinWithdrawal,
		a.WithdrawalFee, tiers, int64(a.FinalDepth), a.DailyLimit, string(a.State), traitTexts(a.Traits)).Scan(&a.State) //nolint:gosec // FinalDepth is at most maxDepth
	if pg.IsUnique(err) {
		return fmt.Errorf("%w: contract of %s belongs to another code", ErrConflict, a.Code)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("%w: %s", ErrConflict, a.Code)
	}
	if err != nil {
		return fmt.Errorf("store asset %s: %w", a.Code, err)
	}
	return a.validateTraits() // under the state that is kept: new traits may forbid it
}

func traitTexts(traits []Trait) []string {
	texts := make([]string, len(traits))
	for i, t := range traits {
		texts[i] = string(t)
	}
	return texts
}

// SetState changes what customers may do with an asset. ErrNotFound, ErrInvalid.
func (r *Registry) SetState(ctx context.Context, code string, state State) error {
	if state != Listed && state != DepositsOnly && state != Suspended {
		return fmt.Errorf("%w: state %.20q", ErrInvalid, string(state))
	}
	if err := r.Refresh(ctx); err != nil {
		return err
	}
	all, err := r.All(ctx)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(all, func(a Asset) bool { return a.Code == code }); i >= 0 {
		a := all[i]
		if a.State = state; a.validateTraits() != nil {
			return a.validateTraits()
		}
	}
	tag, err := r.cfg.Pool.Exec(ctx, `UPDATE assets.asset SET state = $2 WHERE code = $1`, code, string(state))
	if err != nil {
		return fmt.Errorf("set state of %s: %w", code, err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("%w: %.20q", ErrNotFound, code)
	}
	return r.Refresh(ctx)
}

// Refresh takes a new snapshot.
func (r *Registry) Refresh(ctx context.Context) error {
	taken := r.cfg.Clock()
	rows, err := r.cfg.Pool.Query(ctx, `SELECT code, name, chain, contract, scale, native, min_deposit, min_withdrawal,
		withdrawal_fee, tiers, final_depth, daily_limit, state, traits FROM assets.asset ORDER BY code LIMIT $1`, maxAssets)
	if err != nil {
		return fmt.Errorf("read assets: %w", err)
	}
	list, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return fmt.Errorf("read assets: %w", err)
	}
	snapshot := make(map[string]Asset, len(list))
	for _, a := range list {
		if err := a.Validate(); err != nil {
			return fmt.Errorf("stored asset: %w", err)
		}
		snapshot[a.Code] = a
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.snapshot, r.taken = snapshot, taken
	return nil
}

func scan(row pgx.CollectableRow) (Asset, error) {
	var a Asset
	var tiers []byte
	var traits []string
	err := row.Scan(&a.Code, &a.Name, &a.Chain, &a.Contract, &a.Scale, &a.Native, &a.MinDeposit, &a.MinWithdrawal,
		&a.WithdrawalFee, &tiers, &a.FinalDepth, &a.DailyLimit, &a.State, &traits)
	if err != nil {
		return Asset{}, fmt.Errorf("scan asset: %w", err)
	}
	if err := json.Unmarshal(tiers, &a.Tiers); err != nil {
		return Asset{}, fmt.Errorf("decode tiers of %s: %w", a.Code, err)
	}
	for _, t := range traits {
		a.Traits = append(a.Traits, Trait(t))
	}
	return a, nil
}

// current returns a snapshot that is at most MaxAge old.
func (r *Registry) current(ctx context.Context) (map[string]Asset, error) {
	r.mu.Lock()
	snapshot, fresh := r.snapshot, r.snapshot != nil && r.cfg.Clock().Sub(r.taken) < r.cfg.MaxAge
	r.mu.Unlock()
	if fresh {
		return snapshot, nil
	}
	if err := r.Refresh(ctx); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.snapshot, nil
}

// All returns every asset, by code.
func (r *Registry) All(ctx context.Context) ([]Asset, error) {
	snapshot, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Asset, 0, len(snapshot))
	for _, a := range snapshot {
		out = append(out, a)
	}
	slices.SortFunc(out, func(x, y Asset) int { return strings.Compare(x.Code, y.Code) })
	return out, nil
}

// ByCode returns one asset, or ErrNotFound.
func (r *Registry) ByCode(ctx context.Context, code string) (Asset, error) {
	snapshot, err := r.current(ctx)
	if err != nil {
		return Asset{}, err
	}
	a, ok := snapshot[code]
	if !ok {
		return Asset{}, fmt.Errorf("%w: %.20q", ErrNotFound, code)
	}
	return a, nil
}
