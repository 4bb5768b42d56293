package flowsbench

import (
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Report is what a run found.
type Report struct {
	Deposits, Withdrawals, Collections Flow
	// Credited is how many deposits were credited, and how long that took half of
	// them, and 99 of 100, at most from the block that holds them.
	Credited               int
	Credited50, Credited99 time.Duration
}

// Flow is one kind of movement.
type Flow struct {
	Count   int
	Asked   time.Duration // until all were asked for
	Took    time.Duration // from the first one's begin to the last one's end
	Watched time.Duration // how long processor time was counted
	P50     time.Duration // from begin to end of one
	P99     time.Duration
	CPU     map[string]time.Duration // processor time by process
	Machine float64                  // part of all processors that was busy, with whatever else ran
}

// PerSecond returns how many were completed per second.
func (f Flow) PerSecond() float64 {
	if f.Took <= 0 {
		return 0
	}
	return float64(f.Count) / f.Took.Seconds()
}

// busy is the part of the machine that the platform's processes used.
func (f Flow) busy() float64 {
	if f.Watched <= 0 {
		return 0
	}
	var sum time.Duration
	for _, d := range f.CPU {
		sum += d
	}
	return sum.Seconds() / f.Watched.Seconds() / float64(runtime.NumCPU())
}

// saturated is the part of the machine from which on it is the bound.
const saturated = 0.8

// Bound says what holds the flow up.
func (f Flow) Bound() string {
	figures := fmt.Sprintf("the platform keeps the processors %.0f %% busy, all programs together %.0f %%", 100*f.busy(), 100*f.Machine)
	switch {
	case f.busy() >= saturated:
		return "the processors, most of all " + f.byUse()[0] + ": " + figures
	case f.Machine >= saturated:
		return "the processors, which others use as well: " + figures
	}
	return "waiting for blocks and confirmations: " + figures
}

func (f Flow) byUse() []string {
	return slices.SortedFunc(maps.Keys(f.CPU), func(a, b string) int {
		if c := f.CPU[b] - f.CPU[a]; c != 0 {
			return int(c)
		}
		return strings.Compare(a, b)
	})
}

// String returns the report for people.
func (r Report) String() string {
	var out strings.Builder
	for _, row := range []struct {
		name string
		flow Flow
	}{{"deposits", r.Deposits}, {"withdrawals", r.Withdrawals}, {"collections", r.Collections}} {
		f := row.flow
		fmt.Fprintf(&out, "%-12s %5d in %8s  %7.1f/s   p50 %8s   p99 %8s\n", row.name, f.Count,
			f.Took.Round(time.Millisecond), f.PerSecond(), f.P50.Round(time.Millisecond), f.P99.Round(time.Millisecond))
		fmt.Fprintf(&out, "  bound by %s\n", f.Bound())
		for _, name := range f.byUse() {
			each := f.CPU[name] / time.Duration(max(f.Count, 1))
			fmt.Fprintf(&out, "  %-26s %8s cpu   %8s each\n", name, f.CPU[name].Round(10*time.Millisecond), each.Round(10*time.Microsecond))
		}
	}
	fmt.Fprintf(&out, "mined to credited, %d deposits: p50 %s   p99 %s\n", r.Credited,
		r.Credited50.Round(time.Millisecond), r.Credited99.Round(time.Millisecond))
	return out.String()
}

// percentiles returns the 50th and 99th of durations in seconds, by nearest rank.
func percentiles(seconds []float64) (p50, p99 time.Duration) {
	if len(seconds) == 0 {
		return 0, 0
	}
	slices.Sort(seconds)
	rank := func(q float64) time.Duration {
		at := int(math.Ceil(q*float64(len(seconds)))) - 1
		return time.Duration(seconds[max(at, 0)] * float64(time.Second))
	}
	return rank(0.5), rank(0.99)
}
