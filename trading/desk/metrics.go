package desk

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what a desk tells Prometheus.
type metrics struct {
	acks     *prometheus.HistogramVec
	refusals *prometheus.CounterVec
	watchers prometheus.Gauge
	slow     prometheus.Counter
	lost     prometheus.Counter
}

// Commands, as the metrics call them.
const (
	opPlace     = "place"
	opAmend     = "amend"
	opCancel    = "cancel"
	opCancelAll = "cancel_all"
)

func newMetrics(r prometheus.Registerer) *metrics {
	const prefix = "strongroom_desk_"
	return &metrics{
		acks: registered(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: prefix + "ack_seconds", Help: "From a command to its result, refusals too.",
			Buckets: prometheus.ExponentialBuckets(0.0002, 2, 15),
		}, []string{"command"})),
		refusals: registered(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "refusals_total", Help: "Commands that were not accepted, by code.",
		}, []string{"command", "code"})),
		watchers: registered(r, prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + "watchers", Help: "Readers of private updates."})),
		slow: registered(r, prometheus.NewCounter(prometheus.CounterOpts{
			Name: prefix + "watchers_dropped_total", Help: "Readers of private updates that were too slow.",
		})),
		lost: registered(r, prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "sessions_lost_total", Help: "Sessions with matching that ended by themselves."})),
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

func (m *metrics) ack(op string, took time.Duration) {
	m.acks.WithLabelValues(op).Observe(took.Seconds())
}

func (m *metrics) refuse(op, code string) { m.refusals.WithLabelValues(op, code).Inc() }
