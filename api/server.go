package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
)

// Server serves the REST interface.
type Server struct {
	cfg      Config
	engine   *gin.Engine
	api      huma.API
	metrics  *metrics
	cursors  cursors
	perIP    *buckets
	perKey   *buckets
	perEnter *buckets       // of addresses too
	slots    chan struct{}  // one per request in work
	streams  *streamCount   // of events
	sockets  *streamCount   // of /v1/stream
	running  sync.WaitGroup // sockets: the HTTP server does not wait for them
	document []byte         // OpenAPI, as served
	draining chan struct{}  // closed when the server stops: streams end
}

// New builds a server and its OpenAPI document.
func New(cfg Config) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	gin.SetMode(gin.ReleaseMode)
	s := &Server{
		cfg: cfg, engine: gin.New(), cursors: cursors{cfg.CursorKey},
		perIP: newBuckets("ip", cfg.PerIP, maxClients), perKey: newBuckets("key", cfg.PerKey, maxClients), perEnter: newBuckets("login", cfg.PerEnter, maxClients),
		slots: make(chan struct{}, cfg.MaxConcurrent), streams: newStreamCount(maxStreams, maxStreamsPerKey), sockets: newStreamCount(maxSockets, maxSocketsPerIP), draining: make(chan struct{}),
	}
	var err error
	if s.metrics, err = newMetrics(cfg.Metrics); err != nil {
		return nil, err
	}
	if err := s.prepareEngine(); err != nil {
		return nil, err
	}
	s.api = humagin.New(s.engine, humaConfig())
	s.routes()
	if s.document, err = s.encodeDocument(); err != nil {
		return nil, err
	}
	return s, s.documentPages()
}

// prepareEngine installs what every request passes, outermost first.
func (s *Server) prepareEngine() error {
	networks := make([]string, len(s.cfg.TrustedProxies))
	for i, p := range s.cfg.TrustedProxies {
		networks[i] = p.String()
	}
	if err := s.engine.SetTrustedProxies(networks); err != nil {
		return fmt.Errorf("api: trusted proxies: %w", err)
	}
	s.engine.HandleMethodNotAllowed = true
	s.engine.RedirectTrailingSlash = false
	s.engine.Use(s.identify, s.observe, s.recover, s.bound, s.limitIP, s.readBody)
	s.engine.NoRoute(func(c *gin.Context) {
		s.fail(c, newProblem(codeNotFound, "no resource at this path; /docs lists them"))
	})
	s.engine.NoMethod(func(c *gin.Context) {
		s.fail(c, newProblem(codeMethod, c.Request.Method+" is not allowed here"))
	})
	return nil
}

// routes is the one list of resources.
func (s *Server) routes() {
	s.routeCustomers()
	s.routeKeys()
	s.routeAssets()
	s.routeBalances()
	s.routeAddresses()
	s.routeDeposits()
	s.routeWithdrawals()
	s.routeAddressBook()
	s.routeEntries()
	s.routeChains()
	s.routeEvents()
	s.routeHealth()
	s.routeTrading()
	s.routePages()
	s.routePageSessions()
}

// Handler returns the server's handler, for tests and for other listeners.
func (s *Server) Handler() http.Handler { return s.engine }

// OpenAPI returns the OpenAPI 3.1 document in JSON.
func (s *Server) OpenAPI() []byte { return s.document }

// Run listens on the configured address and serves until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", s.cfg.Addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.cfg.Addr, err)
	}
	return s.Serve(ctx, l)
}

// Serve answers on l until ctx ends, then lets requests in work finish for at
// most 15 seconds; event streams end at once. It closes l, and serves once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: s.engine, ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	s.cfg.Log.InfoContext(ctx, "api listens", "address", l.Addr().String())
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	close(s.draining)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := errors.Join(server.Shutdown(stop), s.socketsEnd(stop))
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	if err != nil {
		return fmt.Errorf("stop serving: %w", err)
	}
	s.cfg.Log.InfoContext(stop, "api drained")
	return nil
}

// socketsEnd waits until all sockets have ended.
func (s *Server) socketsEnd(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("end streams: %w", ctx.Err())
	}
}

// now returns the configured clock's time.
func (s *Server) now() time.Time { return s.cfg.Clock() }
