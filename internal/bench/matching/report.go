package matchingbench

import (
	"fmt"
	"strings"
	"time"
)

// Report is everything that was measured.
type Report struct {
	Engine  []Engine
	Service []Service
}

// String is both tables.
func (r Report) String() string {
	var b strings.Builder
	if len(r.Engine) > 0 {
		b.WriteString("engine: processor time a command, median of the runs; 45 % orders near the middle, 35 % cancels and 10 % replaces of live orders, 10 % crossing\n")
		b.WriteString("the naive book has 5,000 resting orders where the engine has more: it could not be filled with as many\n")
		b.WriteString("load            ns/command  target  allocs   naive ns      times  bytes/order\n")
	}
	for _, e := range r.Engine {
		perOrder := "-"
		if e.PerOrder > 0 {
			perOrder = fmt.Sprintf("%.0f", e.PerOrder)
		}
		fmt.Fprintf(&b, "%-14s  %10.1f  %6.0f  %6.3f  %9.0f  %8.1fx  %11s\n", e.Load.Name, e.Nanos, e.Load.Target, e.Allocs, e.NaiveNs, e.NaiveNs/e.Nanos, perOrder)
	}
	for _, s := range r.Service {
		fmt.Fprintf(&b, "\nservice on %d nodes, TLS, %d commands a message: %.0f orders/s acknowledged\n", s.Nodes, PerMessage, s.Flood)
		fmt.Fprintf(&b, "%-16s %9s %9s %9s %9s\n", "sent", "p50", "p99", "p99.9", "max")
		line := func(name string, w Waits) {
			fmt.Fprintf(&b, "%-16s %9s %9s %9s %9s\n", name, short(w.P50), short(w.P99), short(w.P999), short(w.Max))
		}
		line("one at a time", s.Single)
		for _, p := range s.Paces {
			line(fmt.Sprintf("%d/s", p.Rate), p.Waits)
		}
	}
	return b.String()
}

func short(d time.Duration) time.Duration {
	if d < time.Millisecond {
		return d.Round(time.Microsecond)
	}
	return d.Round(10 * time.Microsecond)
}
