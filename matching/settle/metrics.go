package settle

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// gauges are what a settler tells Prometheus. Each carries its shard.
type gauges struct {
	behind  prometheus.Gauge
	seconds prometheus.Gauge
	halt    prometheus.Gauge
	events  prometheus.Counter
	trades  prometheus.Counter
	replays prometheus.Counter
	halts   prometheus.Counter
	batch   prometheus.Histogram
	dropped *prometheus.CounterVec
	newest  uint64 // sequence that any sender had
}

func newGauges(r prometheus.Registerer, shard ShardID) *gauges {
	labels := prometheus.Labels{"shard": strconv.Itoa(int(shard))}
	gauge := func(name, help string) prometheus.Gauge {
		return registered(r, prometheus.NewGauge(prometheus.GaugeOpts{Name: "strongroom_settlement_" + name, Help: help, ConstLabels: labels}))
	}
	counter := func(name, help string) prometheus.Counter {
		return registered(r, prometheus.NewCounter(prometheus.CounterOpts{Name: "strongroom_settlement_" + name, Help: help, ConstLabels: labels}))
	}
	return &gauges{
		behind:  gauge("lag_events", "Events that the engine has sent and that are not in the ledger."),
		seconds: gauge("lag_seconds", "Age by log time of what was settled last, while anything is behind; else 0."),
		halt:    gauge("halted", "1 while settlement of the shard is halted."),
		events:  counter("events_total", "Events settled."),
		trades:  counter("trades_total", "Trades settled."),
		halts:   counter("halts_total", "How often settlement was halted, or found halted, by this process."),
		batch: registered(r, prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "strongroom_settlement_batch_events", Help: "Events settled in one SQL transaction.", ConstLabels: labels,
			Buckets: prometheus.ExponentialBuckets(1, 4, 8), // to 16,384: more than a part has
		})),
		replays: counter("replays_total", "Gaps that were read again from the log."),
		dropped: registered(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strongroom_settlement_dropped_total", Help: "Events not settled because they were repeated or of an old epoch.", ConstLabels: labels,
		}, []string{"why"})),
	}
}

// registered registers c, or finds the one that is registered.
func registered[C prometheus.Collector](r prometheus.Registerer, c C) C {
	if r == nil {
		return c
	}
	var twice prometheus.AlreadyRegisteredError
	if err := r.Register(c); errors.As(err, &twice) {
		if before, ok := twice.ExistingCollector.(C); ok {
			return before
		}
	}
	return c
}

func (g *gauges) halted(is bool) {
	g.halt.Set(map[bool]float64{true: 1}[is])
	if is {
		g.halts.Inc()
	}
}

func (g *gauges) drop(why string, n int) { g.dropped.WithLabelValues(why).Add(float64(n)) }

// head takes note of how far the sender is.
func (g *gauges) head(newest, next uint64) {
	g.newest = max(g.newest, newest)
	behind := uint64(0)
	if g.newest >= next {
		behind = g.newest + 1 - next
	}
	g.behind.Set(float64(behind))
	if behind == 0 {
		g.seconds.Set(0)
	}
}

func (g *gauges) settled(p *part, now time.Time) {
	g.batch.Observe(float64(len(p.events)))
	g.events.Add(float64(len(p.events)))
	g.trades.Add(float64(len(p.trades)))
	last := p.events[len(p.events)-1]
	g.head(0, last.Seq+1)
	if g.newest > last.Seq {
		g.seconds.Set(max(now.Sub(time.Unix(0, last.Time)).Seconds(), 0))
	}
}
