package temporalx_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strongroom/internal/temporalx"
)

func TestMetricsReachPrometheus(t *testing.T) {
	registry := prometheus.NewRegistry()
	base := temporalx.NewMetrics(registry)
	for _, tags := range []map[string]string{{"task_queue": "custody"}, {"activity_type": "custody.SignIntent", "client_name": "x"}, {"task_queue": "none"}} {
		m := base.WithTags(tags)
		m.Counter("temporal_request").Inc(2)
		m.Gauge("temporal_slots").Update(7)
		m.Timer("temporal_latency").Record(time.Second)
	}
	base.Gauge("temporal_request").Update(1) // the name is a counter's: dropped, nobody panics
	families, err := registry.Gather()
	if err != nil || len(families) != 3 {
		t.Fatalf("%d families, %v", len(families), err)
	}
	for _, f := range families {
		if len(f.GetMetric()) != 3 {
			t.Errorf("%s has %d series, want 3", f.GetName(), len(f.GetMetric()))
		}
	}
}
