package temporalx

import (
	"errors"
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
)

// Metrics hands the SDK's own figures - tasks, failures, latencies, slots - to
// Prometheus. Names are the SDK's, times are in seconds.
type Metrics struct {
	registry prometheus.Registerer
	tags     map[string]string
}

var _ client.MetricsHandler = Metrics{}

// NewMetrics returns a handler for client.Options.
func NewMetrics(r prometheus.Registerer) Metrics { return Metrics{registry: r} }

// metricLabels are the tags that reach Prometheus. A tag that a figure does not
// have is empty there; the others, such as the client's name, are dropped.
func metricLabels() []string {
	return []string{
		"namespace", "task_queue", "workflow_type", "activity_type", "worker_type", "poller_type",
		"operation", "failure_reason", "cause", "status_code",
	}
}

// WithTags returns a handler whose figures carry these tags as well.
func (m Metrics) WithTags(tags map[string]string) client.MetricsHandler {
	all := make(map[string]string, len(m.tags)+len(tags))
	maps.Copy(all, m.tags)
	maps.Copy(all, tags)
	return Metrics{registry: m.registry, tags: all}
}

// Counter returns the counter of this name and these tags.
func (m Metrics) Counter(name string) client.MetricsCounter {
	vec, ok := register(m.registry, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: "Temporal SDK."}, metricLabels()))
	if !ok {
		return client.MetricsNopHandler.Counter(name)
	}
	return counter{vec.WithLabelValues(m.values()...)}
}

// Gauge returns the gauge of this name and these tags.
func (m Metrics) Gauge(name string) client.MetricsGauge {
	vec, ok := register(m.registry, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: "Temporal SDK."}, metricLabels()))
	if !ok {
		return client.MetricsNopHandler.Gauge(name)
	}
	return gauge{vec.WithLabelValues(m.values()...)}
}

// Timer returns the histogram, in seconds, of this name and these tags.
func (m Metrics) Timer(name string) client.MetricsTimer {
	opts := prometheus.HistogramOpts{
		Name: name + "_seconds", Help: "Temporal SDK.", Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, 1, 5, 30, 120},
	}
	vec, ok := register(m.registry, prometheus.NewHistogramVec(opts, metricLabels()))
	if !ok {
		return client.MetricsNopHandler.Timer(name)
	}
	return timer{vec.WithLabelValues(m.values()...)}
}

func (m Metrics) values() []string {
	names := metricLabels()
	out := make([]string, len(names))
	for i, name := range names {
		if out[i] = m.tags[name]; out[i] == "none" { // the SDK's word for a tag that does not apply
			out[i] = ""
		}
	}
	return out
}

// register returns the collector that r has under fresh's name: fresh itself, or
// the one from before. ok is false where the name stands for something else.
func register[C prometheus.Collector](r prometheus.Registerer, fresh C) (have C, ok bool) {
	err := r.Register(fresh)
	if before, is := errors.AsType[prometheus.AlreadyRegisteredError](err); is {
		have, ok = before.ExistingCollector.(C)
		return have, ok
	}
	return fresh, err == nil
}

type counter struct{ prometheus.Counter }

// Inc adds n.
func (c counter) Inc(n int64) { c.Add(float64(max(n, 0))) }

type gauge struct{ prometheus.Gauge }

// Update sets the gauge.
func (g gauge) Update(v float64) { g.Set(v) }

type timer struct{ prometheus.Observer }

// Record adds one duration.
func (t timer) Record(d time.Duration) { t.Observe(d.Seconds()) }
