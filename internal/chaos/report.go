//go:build chaos

package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"strongroom/internal/crash"
)

// LeastHits is how often each point must be passed in a run of full size.
const LeastHits = 30

// Missed returns the points that were passed less than that, or at which nothing was
// killed, in order.
func (r *Report) Missed() []crash.Point {
	return slices.DeleteFunc(crash.Points(), func(p crash.Point) bool { return r.Hits[p] >= LeastHits && r.Killed[p] > 0 })
}

// Total is how many operations were done.
func (r *Report) Total() int {
	n := 0
	for _, count := range r.Operations {
		n += count
	}
	return n
}

// String is the report for people.
func (r *Report) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%d operations in %s: %s\n", r.Total(), r.Loaded.Round(time.Second), counts(r.Operations))
	fmt.Fprintf(&out, "withdrawals: %s\ndeposits:    %s\n", counts(r.Ended), counts(r.Deposits))
	fmt.Fprintf(&out, "faults:      %s\n", counts(r.Faults))
	fmt.Fprintf(&out, "at rest %s after the load; promises held against chains in %s\n\n%-24s %8s %8s\n", r.Rested.Round(time.Second), r.Held.Round(time.Second), "point", "passed", "killed")
	for _, p := range crash.Points() {
		fmt.Fprintf(&out, "%-24s %8d %8d\n", p, r.Hits[p], r.Killed[p])
	}
	fmt.Fprintf(&out, "workers put to sleep at a point: %d times\n", r.Slept)
	for _, v := range r.Violations {
		fmt.Fprintf(&out, "VIOLATION  %s\n", v)
	}
	return out.String()
}

// counts lists numbers by name, largest first.
func counts(m map[string]int) string {
	names := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if m[a] != m[b] {
			return m[b] - m[a]
		}
		return strings.Compare(a, b)
	})
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = fmt.Sprintf("%d %s", m[name], name)
	}
	return strings.Join(parts, ", ")
}
