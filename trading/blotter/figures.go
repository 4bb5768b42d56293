package blotter

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// figures are what a writer tells Prometheus. Each carries its shard.
type figures struct {
	events, rows, forgotten, gaps, missing prometheus.Counter
	lag, seconds                           prometheus.Gauge
}

func newFigures(r prometheus.Registerer, shard int32) *figures {
	labels := prometheus.Labels{"shard": strconv.Itoa(int(shard))}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "strongroom_blotter_" + name, Help: help, ConstLabels: labels})
		register(r, c)
		return c
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "strongroom_blotter_" + name, Help: help, ConstLabels: labels})
		register(r, g)
		return g
	}
	return &figures{
		events:    counter("events_total", "Events that are in the history of orders."),
		rows:      counter("rows_total", "Orders written, each time."),
		forgotten: counter("forgotten_total", "Orders deleted that ended long ago without a fill."),
		gaps:      counter("gaps_total", "Gaps: events that no node kept, behind which the history went on."),
		missing:   counter("gap_events_total", "Events in gaps."),
		lag:       gauge("lag_events", "Events that the shard has sent and that are not in the history."),
		seconds:   gauge("lag_seconds", "Age by log time of what was written last, when it was written."),
	}
}

func register(r prometheus.Registerer, c prometheus.Collector) {
	if r != nil {
		_ = r.Register(c) // one that is there already is another writer's, in tests
	}
}

func (f *figures) behind(p *part, next uint64) {
	if p.head >= next {
		f.lag.Set(float64(p.head + 1 - next))
	}
}

func (f *figures) wrote(p *part, before uint64, now time.Time) {
	f.events.Add(float64(p.next - before))
	f.rows.Add(float64(len(p.changes.list)))
	f.lag.Set(float64(max(p.head+1, p.next) - p.next))
	f.seconds.Set(max(now.Sub(time.Unix(0, p.time)).Seconds(), 0))
}

func (f *figures) forgot(n int64) { f.forgotten.Add(float64(n)) }

func (f *figures) leapt(b *bridged) {
	f.gaps.Inc()
	f.missing.Add(float64(b.gap.books.Seq + 1 - b.gap.first))
}
