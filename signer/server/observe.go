package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	signerv1 "strongroom/internal/gen/signer/v1"
	"strongroom/internal/mtls"
)

// Bounds of the observation port.
const (
	headerTimeout = 2 * time.Second
	drainTimeout  = 2 * time.Second
)

// Metrics counts what the server does.
type Metrics struct {
	registry *prometheus.Registry
	calls    *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// NewMetrics returns counters of their own registry, beside gauges read from the
// core at each scrape.
func NewMetrics(core Core) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strongroom_signer_calls_total", Help: "Calls by method and gRPC code.",
		}, []string{"method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "strongroom_signer_call_seconds", Help: "Time that calls took.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 12),
		}, []string{"method"}),
	}
	entries := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "strongroom_signer_journal_entries", Help: "Records in the journal.",
	}, func() float64 {
		return gauge(core, func(s *signerv1.StatusResponse) float64 { return float64(s.GetJournalEntries()) })
	})
	frozen := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "strongroom_signer_frozen", Help: "1 while nothing is signed.",
	}, func() float64 {
		return gauge(core, func(s *signerv1.StatusResponse) float64 {
			if s.GetFrozen() {
				return 1
			}
			return 0
		})
	})
	m.registry.MustRegister(m.calls, m.seconds, entries, frozen)
	return m
}

// gauge reads one figure from the core; -1 says that the core did not answer.
func gauge(core Core, read func(*signerv1.StatusResponse) float64) float64 {
	s, err := core.Status()
	if err != nil {
		return -1
	}
	return read(s)
}

// observe counts, times and logs each call, refused ones included.
func (s *Server) observe(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	start := s.cfg.Clock()
	out, err := handle(ctx, req)
	code := status.Code(err)
	s.cfg.Metrics.calls.WithLabelValues(info.FullMethod, code.String()).Inc()
	s.cfg.Metrics.seconds.WithLabelValues(info.FullMethod).Observe(s.cfg.Clock().Sub(start).Seconds())
	sign, isSign := req.(*signerv1.SignRequest)
	if !isSign && code == codes.OK {
		return out, nil
	}
	caller, _ := mtls.Peer(ctx)
	attrs := []slog.Attr{slog.String("method", info.FullMethod), slog.String("caller", caller), slog.String("code", code.String())}
	if isSign {
		attrs = append(attrs, slog.String("intent", sign.GetIntent().GetId()), slog.String("chain", sign.GetIntent().GetChain()),
			slog.Uint64("attempt", uint64(sign.GetAttempt())))
	}
	level := slog.LevelInfo
	if err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("reason", status.Convert(err).Message()))
	}
	s.cfg.Log.LogAttrs(ctx, level, "signer call", attrs...)
	return out, err
}

// Serve answers /metrics and /healthz on l until ctx ends.
func (m *Metrics) Serve(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout}
	stop := context.AfterFunc(ctx, func() {
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		_ = srv.Shutdown(drain) // the process ends either way
	})
	defer stop()
	if err := srv.Serve(l); err != http.ErrServerClosed {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}
