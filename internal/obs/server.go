package obs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Bounds of the health server.
const (
	headerTimeout = 5 * time.Second
	answerTimeout = 10 * time.Second
	checkTimeout  = 3 * time.Second
	drainTimeout  = 5 * time.Second
	maxScrapes    = 4
)

// Check tells whether one thing that the process needs is there: nil if so.
type Check func(context.Context) error

// ServerConfig says what the health server shows.
type ServerConfig struct {
	Addr     string // host:port; keep it off public networks
	Registry *prometheus.Registry
	// Ready holds what must be there before the process takes work, by name.
	Ready map[string]Check
	Log   *slog.Logger
}

// Server answers /metrics, /healthz and /readyz.
type Server struct {
	cfg      ServerConfig
	listener net.Listener
	http     *http.Server
}

// NewServer listens on cfg.Addr; Run answers.
func NewServer(ctx context.Context, cfg ServerConfig) (*Server, error) {
	if cfg.Registry == nil || cfg.Log == nil {
		return nil, errors.New("health server: config lacks registry or log")
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen for health checks: %w", err)
	}
	s := &Server{cfg: cfg, listener: listener}
	s.http = &http.Server{Handler: s.Handler(), ReadHeaderTimeout: headerTimeout, WriteTimeout: answerTimeout}
	return s, nil
}

// Addr returns the address that the server listens on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Handler returns the three pages, for a process that serves them elsewhere.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.cfg.Registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{\"status\":\"ok\"}\n")) // whoever asked is gone where this fails
	})
	mux.HandleFunc("GET /readyz", s.ready)
	return mux
}

// ready runs all checks at once and answers 200 where all pass, else 503 with the
// names of those that fail. The reasons go to the log: the page may be public.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()
	type result struct {
		name string
		err  error
	}
	results := make(chan result, len(s.cfg.Ready))
	for name, check := range s.cfg.Ready {
		go func() { results <- result{name, check(ctx)} }()
	}
	answer := struct {
		Status string            `json:"status"`
		Checks map[string]string `json:"checks"`
	}{"ready", map[string]string{}}
	for range s.cfg.Ready {
		one := <-results
		answer.Checks[one.name] = "ok"
		if one.err != nil {
			answer.Status, answer.Checks[one.name] = "not ready", "failing"
			s.cfg.Log.WarnContext(r.Context(), "not ready", "check", one.name, "error", one.err)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if answer.Status != "ready" {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer) // whoever asked is gone where this fails
}

// Run answers until ctx ends, and lets answers under way finish.
func (s *Server) Run(ctx context.Context) error {
	s.cfg.Log.InfoContext(ctx, "health server listens", "addr", s.Addr(), "checks", slices.Sorted(maps.Keys(s.cfg.Ready)))
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve health checks: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := s.http.Shutdown(drain); err != nil {
		return fmt.Errorf("stop health server: %w", err)
	}
	return nil
}
