package api

import (
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the figures of the front door.
type metrics struct {
	requests *prometheus.CounterVec
	elapsed  *prometheus.HistogramVec
	inWork   prometheus.Gauge
	streams  prometheus.Gauge
}

func newMetrics(r *prometheus.Registry) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strongroom_http_requests_total", Help: "Requests answered.",
		}, []string{"method", "route", "status"}),
		elapsed: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "strongroom_http_request_seconds", Help: "Time from the request's headers to its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method", "route"}),
		inWork:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "strongroom_http_requests_in_work", Help: "Requests being answered, streams included."}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{Name: "strongroom_event_streams", Help: "Event streams open."}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.elapsed, m.inWork, m.streams} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("api: register figures: %w", err)
		}
	}
	return m, nil
}

// observe counts one answer. The method comes from the caller: an odd one counts
// as "other", for each label value is kept for ever.
func (m *metrics) observe(method, route string, status int, elapsed time.Duration) {
	switch method {
	case "GET", "POST", "PUT", "DELETE", "PATCH":
	default:
		method = "other"
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.elapsed.WithLabelValues(method, route).Observe(elapsed.Seconds())
}
