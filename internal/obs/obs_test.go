package obs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"strongroom/internal/obs"
)

func TestLogger(t *testing.T) {
	var out bytes.Buffer
	log, err := obs.Logger(&out, "worker", "info", "json")
	if err != nil {
		t.Fatal(err)
	}
	log.Debug("hidden")
	log.Info("shown", "withdrawal", "wdr_1")
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line["service"] != "worker" || line["withdrawal"] != "wdr_1" {
		t.Errorf("logged %s, %v", out.String(), err)
	}
	for _, bad := range [][2]string{{"loud", "json"}, {"info", "xml"}} {
		if _, err := obs.Logger(io.Discard, "worker", bad[0], bad[1]); !errors.Is(err, obs.ErrSetting) {
			t.Errorf("%v: err = %v, want ErrSetting", bad, err)
		}
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestHealthServer(t *testing.T) {
	registry := obs.NewRegistry("worker")
	counted := prometheus.NewCounter(prometheus.CounterOpts{Name: "strongroom_test_total", Help: "Test."})
	registry.MustRegister(counted)
	counted.Add(3)
	down := errors.New("password authentication failed")
	var failing error
	server, err := obs.NewServer(t.Context(), obs.ServerConfig{
		Addr: "127.0.0.1:0", Registry: registry, Log: slog.New(slog.DiscardHandler),
		Ready: map[string]obs.Check{
			"temporal": func(context.Context) error { return nil },
			"database": func(context.Context) error { return failing },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	base := "http://" + server.Addr()
	if code, body := get(t, base+"/metrics"); code != 200 || !strings.Contains(body, "strongroom_test_total 3") || !strings.Contains(body, `go_goroutines{service="worker"}`) {
		t.Errorf("/metrics: %d %.300s", code, body)
	}
	if code, _ := get(t, base+"/readyz"); code != 200 {
		t.Errorf("/readyz: %d", code)
	}
	failing = down
	code, body := get(t, base+"/readyz")
	if code != 503 || !strings.Contains(body, `"database":"failing"`) || !strings.Contains(body, `"temporal":"ok"`) || strings.Contains(body, "password") {
		t.Errorf("/readyz: %d %s", code, body)
	}
	if code, _ := get(t, base+"/healthz"); code != 200 {
		t.Errorf("/healthz while not ready: %d", code)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestTracingIsOffWithoutACollector(t *testing.T) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		t.Setenv(name, "")
	}
	off, err := obs.NewTracing(t.Context(), "worker")
	if err != nil {
		t.Fatal(err)
	}
	_, span := off.Provider.Tracer("t").Start(t.Context(), "s")
	if span.IsRecording() {
		t.Error("records without a collector")
	}
	if err := off.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	on, err := obs.NewTracing(t.Context(), "worker")
	if err != nil {
		t.Fatal(err)
	}
	if _, span := on.Provider.Tracer("t").Start(t.Context(), "s"); !span.IsRecording() {
		t.Error("does not record with a collector")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_ = on.Stop(gone) // the collector is not there: that stops nobody
}
