package server

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strongroom/matching/engine"
)

// depthLevels is how many prices of each side the depth gauges add up.
const depthLevels = 10

// Metrics are the figures of one shard.
type Metrics struct {
	match, ack, commit prometheus.Histogram
	fills, cancels     prometheus.Counter
	rejects            prometheus.Counter
	sessions, queued   prometheus.Gauge
	flights            prometheus.Gauge
	ended              *prometheus.CounterVec
	depth              *prometheus.Desc
	machine            atomic.Pointer[Machine]
}

// NewMetrics registers the figures.
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	fine := prometheus.ExponentialBuckets(50e-9, 2, 16)
	coarse := prometheus.ExponentialBuckets(20e-6, 2, 16)
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "strongroom_matching_" + name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "strongroom_matching_" + name, Help: help})
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: "strongroom_matching_" + name, Help: help, Buckets: buckets})
	}
	m := &Metrics{
		match:    histogram("match_seconds", "Time to apply a command and hand out its events, averaged over its log entry.", fine),
		ack:      histogram("order_to_ack_seconds", "Time from a frame of commands to its results being handed to the stream.", coarse),
		commit:   histogram("log_commit_seconds", "Time from a proposal to its entry being committed and applied.", coarse),
		fills:    counter("fills_total", "Trades."),
		cancels:  counter("cancels_total", "Orders that ended before they were filled."),
		rejects:  counter("rejects_total", "Commands that were refused."),
		sessions: gauge("streams", "Streams of sessions."),
		queued:   gauge("queued_commands", "Commands that wait for the log."),
		flights:  gauge("entries_in_flight", "Entries on their way through the log."),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strongroom_matching_streams_ended_total", Help: "Streams that were ended by the server.",
		}, []string{"reason"}),
		depth: prometheus.NewDesc("strongroom_matching_depth_lots", "Lots shown at the ten best prices.", []string{"market", "side"}, nil),
	}
	for _, c := range []prometheus.Collector{m.match, m.ack, m.commit, m.fills, m.cancels, m.rejects, m.sessions, m.queued, m.flights, m.ended, m} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("matching server: register figures: %w", err)
		}
	}
	return m, nil
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) { to <- m.depth }

// Collect implements prometheus.Collector: depth is added up when it is asked for.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	machine := m.machine.Load()
	if machine == nil {
		return
	}
	machine.mu.Lock()
	defer machine.mu.Unlock()
	for id := range machine.markets {
		for side, name := range []string{"bid", "ask"} {
			lots := int64(0)
			for _, l := range machine.engine.Depth(id, engine.Side(side), depthLevels, nil) {
				lots += l.Qty
			}
			to <- prometheus.MustNewConstMetric(m.depth, prometheus.GaugeValue, float64(lots), fmt.Sprint(id), name)
		}
	}
}

// tally is what happened in an entry, by the kind of events.
type tally [engine.EventCheckpoint + 1]int

// count counts what happened.
func (m *Metrics) count(t *tally) {
	add(m.fills, t[engine.EventTrade])
	add(m.cancels, t[engine.EventCancelled])
	add(m.rejects, t[engine.EventRejected])
	*t = tally{}
}

func add(c prometheus.Counter, n int) {
	if n > 0 {
		c.Add(float64(n))
	}
}

// zeroClock measures nothing.
func zeroClock() time.Time { return time.Time{} }
