// Package ledgerbench measures what the ledger books per second and how long a
// caller waits, beside the plain way of one SQL transaction per transfer, on the
// same server in the same run. It is for measurements only and writes to a
// database that holds nothing else.
package ledgerbench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/internal/pg"
	"strongroom/ledger"
)

// Bounds and defaults of Config.
const (
	defaultAccounts = 1_000_000
	defaultDuration = 4 * time.Second
	defaultRuns     = 3
	maxAccounts     = 10_000_000
	maxCallers      = 16_384
)

// Config says what to measure.
type Config struct {
	// Clock measures. Required.
	Clock func() time.Time
	// Accounts is how many accounts the spread load draws from; a million where
	// zero. They are created and funded before anything is measured.
	Accounts int
	// Callers lists how many concurrent callers to try; 1, 64 and 1,024 where
	// empty.
	Callers []int
	// Duration of one measurement; 4 s where zero.
	Duration time.Duration
	// Runs is how often each measurement is made; the median counts. 3 where zero.
	Runs int
	// Progress gets a line per step; nil for silence.
	Progress func(line string)
}

func (c Config) withDefaults() (Config, error) {
	if c.Clock == nil {
		return c, errors.New("bench needs a clock")
	}
	if c.Accounts == 0 {
		c.Accounts = defaultAccounts
	}
	if len(c.Callers) == 0 {
		c.Callers = []int{1, 64, 1_024}
	}
	if c.Duration == 0 {
		c.Duration = defaultDuration
	}
	if c.Runs == 0 {
		c.Runs = defaultRuns
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	if c.Accounts < 2 || c.Accounts > maxAccounts || slices.Max(c.Callers) > maxCallers || slices.Min(c.Callers) < 1 || c.Runs < 1 {
		return c, fmt.Errorf("%d accounts, %v callers, %d runs are out of bounds", c.Accounts, c.Callers, c.Runs)
	}
	return c, nil
}

// booker books one transfer of one unit between two accounts, named by number;
// account 0 is the hot one. ids are new for each call.
type booker interface {
	book(ctx context.Context, id string, from, to int) error
}

// Run migrates and fills the database at url, which must be empty, and measures.
func Run(ctx context.Context, url string, cfg Config) (Report, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return Report{}, fmt.Errorf("measure ledger: %w", err)
	}
	if err := pg.Migrate(ctx, url, ledger.Migrations()); err != nil {
		return Report{}, fmt.Errorf("measure ledger: %w", err)
	}
	pool, err := pg.Open(ctx, withConnections(url, baselineConnections))
	if err != nil {
		return Report{}, fmt.Errorf("measure ledger: %w", err)
	}
	defer pool.Close()
	group, err := newGroup(ctx, cfg, pool)
	if err != nil {
		return Report{}, fmt.Errorf("prepare ledger: %w", err)
	}
	defer group.close(ctx)
	plain, err := newBaseline(ctx, cfg, pool)
	if err != nil {
		return Report{}, fmt.Errorf("prepare baseline: %w", err)
	}
	if err := Settle(ctx, pool); err != nil {
		return Report{}, fmt.Errorf("settle after filling: %w", err)
	}
	report := Report{Accounts: cfg.Accounts, Runs: cfg.Runs, Duration: cfg.Duration, LoadBefore: loadAverage()}
	report.Environment, err = environment(ctx, pool)
	if err != nil {
		return Report{}, fmt.Errorf("describe server: %w", err)
	}
	for _, callers := range cfg.Callers {
		for _, hot := range []bool{true, false} {
			row := Row{Callers: callers, Hot: hot}
			if row.Ledger, err = repeat(ctx, cfg, group, callers, hot); err != nil {
				return report, fmt.Errorf("measure ledger with %d callers: %w", callers, err)
			}
			if row.Baseline, err = repeat(ctx, cfg, plain, callers, hot); err != nil {
				return report, fmt.Errorf("measure baseline with %d callers: %w", callers, err)
			}
			cfg.Progress(row.String())
			report.Rows = append(report.Rows, row)
		}
	}
	report.LoadAfter = loadAverage()
	return report, nil
}

// Settle lets the server do at once what filling has left for later, for both ways
// alike, so that it does not fall into the first measurement. And it gives it the log
// files that a server which has been running has: those that a checkpoint leaves to be
// written over, of min_wal_size together. A new server makes each of them when it gets
// there, and everybody waits for 16 MB of zeros: that doubles the slowest hundredth of
// waits.
func Settle(ctx context.Context, pool *pgxpool.Pool) error {
	if _, err := pool.Exec(ctx, "VACUUM ANALYZE"); err != nil {
		return fmt.Errorf("vacuum: %w", err)
	}
	var files int
	err := pool.QueryRow(ctx, `SELECT pg_size_bytes(current_setting('min_wal_size')) / pg_size_bytes(current_setting('wal_segment_size'))`).Scan(&files)
	if err != nil {
		return fmt.Errorf("ask for the size of the log: %w", err)
	}
	for range files {
		// A file is only left for the next one where something is in it.
		if _, err := pool.Exec(ctx, `SELECT pg_logical_emit_message(false, 'bench', ''), pg_switch_wal()`); err != nil {
			return fmt.Errorf("make log files: %w", err)
		}
	}
	if _, err := pool.Exec(ctx, "CHECKPOINT"); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// repeat returns the run with the median rate.
func repeat(ctx context.Context, cfg Config, b booker, callers int, hot bool) (Figures, error) {
	all := make([]Figures, 0, cfg.Runs)
	for range cfg.Runs {
		f, err := measure(ctx, cfg, b, callers, hot)
		if err != nil {
			return Figures{}, err
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b Figures) int { return int(a.PerSecond - b.PerSecond) })
	return all[len(all)/2], nil
}

// measure lets callers book one transfer after another, each waiting for its
// answer, and counts those answered.
func measure(ctx context.Context, cfg Config, b booker, callers int, hot bool) (Figures, error) {
	var wg sync.WaitGroup
	waits := make([][]time.Duration, callers)
	failures := make([]error, callers)
	begun := cfg.Clock()
	end := begun.Add(cfg.Duration)
	for n := range callers {
		wg.Go(func() { waits[n], failures[n] = call(ctx, cfg, b, hot, end) })
	}
	wg.Wait()
	took := cfg.Clock().Sub(begun)
	if err := errors.Join(failures...); err != nil {
		return Figures{}, err
	}
	return figures(slices.Concat(waits...), took), nil
}

func call(ctx context.Context, cfg Config, b booker, hot bool, end time.Time) ([]time.Duration, error) {
	random := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) //nolint:gosec // which account is no secret
	var waits []time.Duration
	for at := cfg.Clock(); at.Before(end); {
		from, to := random.IntN(cfg.Accounts), random.IntN(cfg.Accounts)
		if hot {
			from = 0
		}
		if from == to {
			continue
		}
		if err := b.book(ctx, newID(), from, to); err != nil {
			return waits, err
		}
		answered := cfg.Clock()
		waits = append(waits, answered.Sub(at))
		at = answered
	}
	return waits, nil
}
