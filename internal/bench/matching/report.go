package matchingbench

import (
	"fmt"
	"strings"
	"time"
)

// Report is everything that was measured.
type Report struct {
	Engine  []Engine
	Stalls  *Stalls // nil where not measured
	Replay  *Replay // nil where not measured
	Service []Service
}

// String is both tables.
func (r Report) String() string {
	var b strings.Builder
	if len(r.Engine) > 0 {
		b.WriteString("engine: processor time a command, median of the runs; 45 % orders near the middle, 35 % cancels and 10 % replaces of live orders, 10 % crossing; shown to the engine 16 at a time, as a node does with a message\n")
		b.WriteString("times: the naive book's time by the engine's, both with as many orders resting before the run as the column before says\n")
		b.WriteString("load            resting  ns/command  target  allocs  bytes/order  naive rests  naive ns  engine ns     times\n")
	}
	for _, e := range r.Engine {
		perOrder := "-"
		if e.PerOrder > 0 {
			perOrder = fmt.Sprintf("%.0f", e.PerOrder)
		}
		fmt.Fprintf(&b, "%-14s %8d  %10.1f  %6.0f  %6.3f  %11s  %11d  %8.0f  %9.1f  %7.0fx\n", e.Load.Name, e.Load.Mix.Depth, e.Nanos, e.Load.Target,
			e.Allocs, perOrder, e.Load.equal().Mix.Depth, e.NaiveNs, e.EqualNs, e.NaiveNs/e.EqualNs)
	}
	if s := r.Stalls; s != nil {
		fmt.Fprintf(&b, "\nengine with %d orders resting and %d balances, longest of %d while it is traded on: checkpoint %s, copy for a snapshot %s (the first %s)\n",
			s.Orders, s.Balances, s.Count, short(s.Checkpoint), short(s.Copy), short(s.First))
	}
	if p := r.Replay; p != nil {
		fmt.Fprintf(&b, "\nrestart after kill -9: %d commands behind the last snapshot replayed in %s from the start of the process to leading, %.2f M/s\n",
			p.Commands, short(p.Took), p.Rate()/1e6)
	}
	for _, s := range r.Service {
		nodes := fmt.Sprintf("%d nodes", s.Nodes)
		if s.Nodes == 1 {
			nodes = "1 node"
		}
		fmt.Fprintf(&b, "\nservice on %s, TLS, %d commands a message: %.0f orders/s acknowledged\n", nodes, PerMessage, s.Flood)
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
