package ledgerbench

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Figures are the outcome of one measurement.
type Figures struct {
	Transfers int
	PerSecond float64
	P50, P99  time.Duration
}

// Row compares both ways under one load.
type Row struct {
	Callers int
	// Hot tells that every transfer was paid by one account.
	Hot              bool
	Ledger, Baseline Figures
}

// Times is how many times the baseline's rate the ledger reached.
func (r Row) Times() float64 {
	if r.Baseline.PerSecond == 0 {
		return 0
	}
	return r.Ledger.PerSecond / r.Baseline.PerSecond
}

// String is one line of the table.
func (r Row) String() string {
	load := "spread"
	if r.Hot {
		load = "hot"
	}
	return fmt.Sprintf("%7d  %-6s  %9.0f/s %9s %9s  %9.0f/s %9s %9s  %6.1fx", r.Callers, load,
		r.Ledger.PerSecond, short(r.Ledger.P50), short(r.Ledger.P99), r.Baseline.PerSecond, short(r.Baseline.P50), short(r.Baseline.P99), r.Times())
}

// Report is what Run measured.
type Report struct {
	Accounts    int
	Runs        int
	Duration    time.Duration // of one measurement
	Environment string        // server settings that matter
	// LoadBefore and LoadAfter are the machine's one-minute load averages: a
	// figure taken beside other work is a lower bound.
	LoadBefore, LoadAfter string
	Rows                  []Row
}

// String is the table.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "ledger: %d accounts, median of %d runs of %s; %d cores, load %s before and %s after; %s\n",
		r.Accounts, r.Runs, r.Duration, runtime.NumCPU(), r.LoadBefore, r.LoadAfter, r.Environment)
	fmt.Fprintf(&b, "%7s  %-6s  %11s %9s %9s  %11s %9s %9s  %7s\n", "callers", "load", "transfers", "p50", "p99", "baseline", "p50", "p99", "times")
	for _, row := range r.Rows {
		b.WriteString(row.String() + "\n")
	}
	return b.String()
}

func short(d time.Duration) string { return d.Round(10 * time.Microsecond).String() }

func figures(waits []time.Duration, took time.Duration) Figures {
	if len(waits) == 0 {
		return Figures{}
	}
	slices.Sort(waits)
	return Figures{
		Transfers: len(waits), PerSecond: float64(len(waits)) / took.Seconds(),
		P50: waits[len(waits)/2], P99: waits[len(waits)*99/100],
	}
}

// loadAverage is the one-minute load, or "unknown" where the system has none.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// environment names the settings that decide what a commit is worth.
func environment(ctx context.Context, pool *pgxpool.Pool) (string, error) {
	var version, fsync, commit, pages string
	err := pool.QueryRow(ctx, `SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit'), current_setting('full_page_writes')`).
		Scan(&version, &fsync, &commit, &pages)
	if err != nil {
		return "", fmt.Errorf("read settings: %w", err)
	}
	return fmt.Sprintf("PostgreSQL %s, fsync %s, synchronous_commit %s, full_page_writes %s", version, fsync, commit, pages), nil
}
