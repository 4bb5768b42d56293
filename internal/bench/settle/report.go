package settlebench

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Report is what was measured.
type Report struct {
	Environment string
	Customers   int
	Fills       int
	Duration    time.Duration
	Cold        bool
	Runs        []Drain
	Long        *Drain // nil where not measured
	Steps       []Step
	Paces       []Pace
}

// Median is the run with the median rate.
func (r Report) Median() Drain {
	if len(r.Runs) == 0 {
		return Drain{}
	}
	sorted := slices.SortedFunc(slices.Values(r.Runs), func(a, b Drain) int { return int(a.PerSecond() - b.PerSecond()) })
	return sorted[len(sorted)/2]
}

// String is all of it for people.
func (r Report) String() string {
	var b strings.Builder
	server := "log files made before"
	if r.Cold {
		server = "no log files made before"
	}
	fmt.Fprintf(&b, "settlement: %d customers of one market, 4 orders that wait and one that takes them all; one node over TLS; %d cores; %s, %s\n",
		r.Customers, runtime.NumCPU(), r.Environment, server)
	m := r.Median()
	fmt.Fprintf(&b, "median of %d runs: %s\n", len(r.Runs), m)
	if r.Long != nil {
		fmt.Fprintf(&b, "\none run: %s\n%9s %11s %9s %6s %9s   %s\n", r.Long, "fills", "rate", "log", "own", "slowest", "server")
		for _, s := range r.Steps {
			b.WriteString(s.String() + "\n")
		}
	}
	if len(r.Paces) > 0 {
		fmt.Fprintf(&b, "\nat a steady rate, for %s each, from a trade's log time to its commit:\n%9s %9s %9s %9s %9s %11s %11s %11s %16s\n", r.Duration,
			"offered/s", "made/s", "p50", "p99", "max", "events p50", "p99", "max", "a transaction")
	}
	for _, p := range r.Paces {
		fmt.Fprintf(&b, "%9d %9.0f %9s %9s %9s %11d %11d %11d %16d\n", p.Rate, p.Made, short(p.P50), short(p.P99), short(p.Max), p.BehindP50, p.BehindP99, p.BehindMax, p.Batches.P50)
	}
	return b.String()
}

func short(d time.Duration) string { return d.Round(10 * time.Microsecond).String() }
