package settlebench

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	sampleEvery = 10 * time.Millisecond
	mostShown   = 5 // of what was waited for
)

// sample is what the server did at one moment.
type sample struct {
	at    time.Time
	doing []string      // each process of it that works or waits for something
	wal   int64         // bytes of log so far
	own   time.Duration // processor time of this process so far
}

// doing names what is done: a working process by its kind, a waiting one by what for.
// Nothing means that the server waits for us.
const doing = `SELECT coalesce(array_agg(CASE WHEN backend_type = 'client backend' THEN '' ELSE backend_type || ' ' END || coalesce(wait_event, 'works')), '{}'),
	(pg_current_wal_insert_lsn() - '0/0')::bigint
	FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND (backend_type = 'client backend' AND state = 'active' AND datname = current_database()
	OR backend_type = 'autovacuum worker' OR backend_type = 'checkpointer' AND wait_event IS DISTINCT FROM 'CheckpointerMain')`

// watch samples until ctx ends.
func watch(ctx context.Context, pool *pgxpool.Pool, clock func() time.Time) (out []sample, err error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("sample: %w", err)
	}
	defer conn.Release()
	every := time.NewTicker(sampleEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return out, nil
		case <-every.C:
		}
		s := sample{at: clock(), own: ownTime()}
		err := conn.QueryRow(ctx, doing).Scan(&s.doing, &s.wal)
		if ctx.Err() != nil {
			return out, nil
		}
		if err != nil {
			return out, fmt.Errorf("sample: %w", err)
		}
		out = append(out, s)
	}
}

// ownTime is the processor time of this process; zero where nobody tells.
func ownTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Step is a part of a long run.
type Step struct {
	Fills   int // up to its end, from the beginning of the run
	Rate    float64
	WAL     int64         // bytes of log
	Own     float64       // processors that this process kept busy
	Waits   string        // what the server did, in percent of moments
	Slowest time.Duration // between two commits
}

// String is one line.
func (s Step) String() string {
	return fmt.Sprintf("%9d %9.0f/s %6.1f MB %6.2f %9s   %s", s.Fills, s.Rate, float64(s.WAL)/1e6, s.Own, short(s.Slowest), s.Waits)
}

// steps cuts a run into parts of so many fills; what is left at the end is told with the
// last of them where it is less than half of one.
func steps(d Drain, size int, samples []sample) []Step {
	var out []Step
	from := d.begun
	for n := 0; n < len(d.fills); {
		end := min(n+size, len(d.fills))
		if len(d.fills)-end < size/2 {
			end = len(d.fills)
		}
		part := d.fills[n:end]
		to := part[len(part)-1].settled
		s := Step{Fills: n + len(part), Rate: float64(len(part)) / max(to.Sub(from), time.Nanosecond).Seconds(), Slowest: slowest(from, part)}
		seen := within(samples, from, to)
		if len(seen) > 1 {
			first, last := seen[0], seen[len(seen)-1]
			s.WAL, s.Own = last.wal-first.wal, float64(last.own-first.own)/float64(last.at.Sub(first.at))
			s.Waits = shares(seen)
		}
		out, from, n = append(out, s), to, end
	}
	return out
}

func within(samples []sample, from, to time.Time) []sample {
	return slices.DeleteFunc(slices.Clone(samples), func(s sample) bool { return s.at.Before(from) || s.at.After(to) })
}

func slowest(from time.Time, part []fill) (worst time.Duration) {
	for _, f := range part {
		worst, from = max(worst, f.settled.Sub(from)), f.settled
	}
	return worst
}

// shares tells what was done most often.
func shares(samples []sample) string {
	count := map[string]int{}
	for _, s := range samples {
		for _, what := range s.doing {
			count[what]++
		}
		if len(s.doing) == 0 {
			count["waits for us"]++
		}
	}
	names := slices.SortedFunc(maps.Keys(count), func(a, b string) int { return cmp.Or(count[b]-count[a], strings.Compare(a, b)) })
	var b strings.Builder
	for _, name := range names[:min(len(names), mostShown)] {
		fmt.Fprintf(&b, "%s %d %%  ", name, 100*count[name]/len(samples))
	}
	return strings.TrimSpace(b.String())
}

// long settles one long run and tells its rate step by step.
func (b *bench) long(ctx context.Context, out *Report) error {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	type watched struct {
		samples []sample
		err     error
	}
	ended := make(chan watched, 1)
	go func() {
		samples, err := watch(watching, b.pool, b.cfg.Clock)
		ended <- watched{samples, err}
	}()
	d, err := b.drain(ctx, b.cfg.Long)
	stop()
	seen := <-ended
	if err != nil || seen.err != nil {
		return fmt.Errorf("long run: %w", cmp.Or(err, seen.err))
	}
	out.Long, out.Steps = &d, steps(d, b.cfg.Step, seen.samples)
	b.cfg.Progress("long run: " + d.String())
	for _, s := range out.Steps {
		b.cfg.Progress(s.String())
	}
	return nil
}
