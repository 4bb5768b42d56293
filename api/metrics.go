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
	sockets  prometheus.Gauge
	messages *prometheus.CounterVec
	ended    *prometheus.CounterVec
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
		sockets: prometheus.NewGauge(prometheus.GaugeOpts{Name: "strongroom_streams", Help: "Streams of markets and accounts open."}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strongroom_stream_messages_total", Help: "Messages sent by streams.",
		}, []string{"channel"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strongroom_streams_closed_total", Help: "Streams that ended, by reason.",
		}, []string{"reason"}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.elapsed, m.inWork, m.streams, m.sockets, m.messages, m.ended} {
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
