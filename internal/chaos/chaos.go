//go:build chaos

package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/custody"
	"strongroom/internal/crash"
)

// Config is one run; all fields are needed.
type Config struct {
	Seed       uint64
	Operations int
	Length     time.Duration // of the load
	Rest       time.Duration // bounds the wait until all is at rest
	Plan       Plan
	Target     Target
	Customers  []Customer
	Assets     []Asset
	Outside    Outside
	Pool       *pgxpool.Pool // of the platform's database, to look
	// Hits returns how often each process passed each point, over all its lives.
	Hits     func() (map[string]map[crash.Point]int, error)
	Calm     func(bool) error // lets the plans of all processes rest, or come into force
	Clock    func() time.Time
	Log      func(line string) // each fault, for the record
	Progress func(line string)
}

// Report is what a run did and found.
type Report struct {
	Operations map[string]int // by kind
	Faults     map[string]int
	Hits       map[crash.Point]int
	Killed     map[crash.Point]int // rules of the plan that killed
	Slept      int                 // rules of the plan that made a worker sleep
	Ended      map[string]int      // withdrawals by state
	Deposits   map[string]int      // by state
	Violations []string            // of what the customers and the outside world see
	Loaded     time.Duration       // how long the load took
	Rested     time.Duration       // and then the way to rest
	Held       time.Duration       // and then to compare promises with chains
}

// Run loads the platform while the plan is done to it, waits until all is at rest,
// and holds what customers were promised against what the nodes show. The invariants
// of the books are the caller's to check afterwards.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	l := &load{cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 2)), count: map[string]int{}}
	r := &Report{Hits: map[crash.Point]int{}, Killed: map[crash.Point]int{}}
	loading, end := context.WithTimeout(ctx, cfg.Length+cfg.Rest)
	defer end()
	if err := cfg.Calm(false); err != nil {
		return r, err
	}
	var both sync.WaitGroup
	cfg.Target.taken, cfg.Target.clock = cfg.taken, cfg.Clock
	began := cfg.Clock()
	both.Go(func() { r.Faults = cfg.Target.run(loading, cfg.Plan.Faults, cfg.Log) })
	l.run(loading, cfg.Operations, cfg.Length)
	both.Wait()
	r.Loaded = cfg.Clock().Sub(began)
	r.Operations, r.Violations = l.count, l.wrong
	cfg.Progress("the load is over: " + counts(l.count))
	if err := cfg.Calm(true); err != nil {
		return r, err
	}
	began = cfg.Clock()
	stuck, err := cfg.rest(ctx)
	if err != nil {
		return r, err
	}
	r.Rested = cfg.Clock().Sub(began)
	r.Violations = append(r.Violations, stuck...)
	began = cfg.Clock()
	if err := l.hold(ctx, r); err != nil {
		return r, err
	}
	r.Held = cfg.Clock().Sub(began)
	return r, r.tally(cfg)
}

// tally counts the points that were passed, and the rules that came to act while
// the plan was in force.
func (r *Report) tally(cfg Config) error {
	hits, err := cfg.Hits()
	if err != nil {
		return err
	}
	for process, points := range hits {
		for point, n := range points {
			r.Hits[crash.Point(strings.TrimPrefix(string(point), crash.Idle))] += n
		}
		for _, rule := range cfg.Plan.Crashes[process] {
			switch {
			case points[rule.Point] < rule.Hit:
			case rule.Pause == 0:
				r.Killed[rule.Point]++
			default:
				r.Slept++
			}
		}
	}
	return nil
}

// taken is what reorganisations are aimed by.
func (cfg Config) taken(ctx context.Context, chain string, from uint64) (taken, credited bool, err error) {
	err = cfg.Pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM custody.chain WHERE chain = $1 AND height >= $2),
		EXISTS (SELECT FROM custody.deposit WHERE chain = $1 AND canonical AND block_height >= $2 AND state IN ('credited', 'withdrawable'))`,
		chain, from).Scan(&taken, &credited)
	if err != nil {
		err = fmt.Errorf("look for blocks that are taken in: %w", err)
	}
	return taken, credited, err
}

// Ready waits until the customers' first deposits can be withdrawn.
func (cfg Config) Ready(ctx context.Context) error {
	want := len(cfg.Customers) * len(cfg.Assets)
	for ctx.Err() == nil {
		have := 0
		err := cfg.Pool.QueryRow(ctx, `SELECT count(*) FROM custody.deposit WHERE customer <> '' AND state = 'withdrawable'`).Scan(&have)
		if err == nil && have >= want {
			return nil
		}
		sleep(ctx, lookEvery)
	}
	return fmt.Errorf("wait for the first deposits: %w", ctx.Err())
}

// open counts what is not at rest, by what it is.
const open = `SELECT what || ' ' || state || coalesce(': ' || reason, ''), count(*) FROM (
	SELECT 'withdrawal' AS what, state, nullif(reason, '') AS reason FROM custody.withdrawal
		WHERE state NOT IN ('posted', 'rejected', 'cancelled', 'expired', 'blocked', 'reverted')
	UNION ALL SELECT kind, state, nullif(reason, '') FROM custody.house_intent WHERE state NOT IN ('posted', 'cancelled', 'reverted')
	UNION ALL SELECT 'deposit', state || CASE WHEN canonical THEN '' ELSE ' off the chain' END, NULL FROM custody.deposit
		WHERE (canonical AND state NOT IN ('withdrawable', 'dust_held')) OR (NOT canonical AND state NOT IN ('reorged', 'debited', 'dust_held'))
	UNION ALL SELECT 'outbox', topic || ' ' || kind, NULL FROM custody.outbox WHERE sent_at IS NULL
	UNION ALL SELECT 'chain ' || chain, status, reason FROM custody.chain WHERE status <> 'ok') o GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20`

const (
	lookEvery = 2 * time.Second
	quietFor  = 3 // looks in a row
)

// rest waits until nothing is open any more; what stays open is a violation.
func (cfg Config) rest(ctx context.Context) ([]string, error) {
	deadline := cfg.Clock().Add(cfg.Rest)
	quiet, last := 0, ""
	var list []string
	for cfg.Clock().Before(deadline) {
		var err error
		if list, err = cfg.unfinished(ctx); err == nil && len(list) == 0 {
			if quiet++; quiet == quietFor {
				return nil, nil
			}
		} else {
			quiet = 0
		}
		if now := strings.Join(list, "; "); now != last {
			last = now
			cfg.Log("not at rest: " + now)
		}
		if !sleep(ctx, lookEvery) {
			return nil, fmt.Errorf("wait for rest: %w", ctx.Err())
		}
	}
	for i := range list {
		list[i] = "not at rest: " + list[i]
	}
	if len(list) == 0 {
		list = []string{"not at rest: the database did not answer"}
	}
	return list, nil
}

func (cfg Config) unfinished(ctx context.Context) ([]string, error) {
	rows, err := cfg.Pool.Query(ctx, open)
	if err != nil {
		return nil, fmt.Errorf("look for open work: %w", err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var what string
		var n int
		if err := rows.Scan(&what, &n); err != nil {
			return nil, fmt.Errorf("read open work: %w", err)
		}
		list = append(list, fmt.Sprintf("%d × %s", n, what))
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read open work: %w", err)
	}
	return list, nil
}

// hold compares, for each withdrawal that was answered, what the books say with what
// its destination has by the word of the nodes: all of it once, or nothing.
func (l *load) hold(ctx context.Context, r *Report) error {
	var err error
	if r.Ended, err = l.states(ctx, "withdrawal"); err != nil {
		return err
	}
	if r.Deposits, err = l.states(ctx, "deposit"); err != nil {
		return err
	}
	for _, o := range l.all {
		wrong, err := l.holdOne(ctx, o)
		if err != nil {
			return err
		}
		if wrong != "" {
			r.Violations = append(r.Violations, wrong)
		}
	}
	return nil
}

// holdOne says what is wrong with one order; empty for nothing.
func (l *load) holdOne(ctx context.Context, o *order) (wrong string, err error) {
	if o.to == "" {
		return "", nil
	}
	state := ""
	err = l.cfg.Pool.QueryRow(ctx, `SELECT coalesce((SELECT state FROM custody.withdrawal WHERE destination = $1), '')`, o.to).Scan(&state)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", o.key, err)
	}
	want, err := o.asset.Parse(o.asset.Payout)
	if err != nil {
		return "", fmt.Errorf("read amount: %w", err)
	}
	got, err := l.cfg.Outside.Balance(ctx, o.asset.Code, o.to)
	if err != nil {
		return "", fmt.Errorf("ask what %s has: %w", o.to, err)
	}
	switch paid := custody.WithdrawalState(state) == custody.WithdrawalPosted; {
	case o.id != "" && state == "":
		return fmt.Sprintf("%s was promised as %s and is not there", o.key, o.id), nil
	case paid && got != want, !paid && !got.IsZero():
		return fmt.Sprintf("%s is %q with %s of %s %s at its destination", o.key, state, got, want, o.asset.Code), nil
	}
	return "", nil
}

// states counts rows by state.
func (l *load) states(ctx context.Context, table string) (map[string]int, error) {
	rows, err := l.cfg.Pool.Query(ctx, `SELECT state, count(*) FROM custody.`+table+` GROUP BY state`)
	if err != nil {
		return nil, fmt.Errorf("count %ss: %w", table, err)
	}
	defer rows.Close()
	out := map[string]int{}
	for rows.Next() {
		var state string
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			return nil, fmt.Errorf("count %ss: %w", table, err)
		}
		out[state] = n
	}
	if err := rows.Err(); err != nil {
		return nil, errors.Join(fmt.Errorf("count %ss", table), err)
	}
	return out, nil
}
