// Package api is the front door: it authenticates signed requests, refuses what
// is malformed by naming the member and the fix, and translates between JSON and
// the domains. The types that validate a request are the types that the published
// OpenAPI document is generated from. It holds no money rule, no SQL and no state
// that outlives a request but rate limits.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// Named bounds of the front door.
const (
	maxBody          = 64 << 10 // bytes of a request body
	maxHeader        = 16 << 10 // bytes of a request's headers
	maxPage          = 200      // items of a page
	defaultPage      = 50
	maxClients       = 10_000 // rate-limit buckets kept per kind
	maxStreams       = 256    // event streams open at once
	maxStreamsPerKey = 4
	requestTimeout   = 10 * time.Second
	headerTimeout    = 5 * time.Second
	writeTimeout     = 30 * time.Second
	idleTimeout      = 60 * time.Second
	drainTimeout     = 15 * time.Second
)

// Rate is a token bucket: PerSecond refills, Burst is its size.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Config holds the collaborators and settings of a server. All collaborators
// are required unless said otherwise.
type Config struct {
	// Addr is host:port to listen on; 127.0.0.1:8080 where empty.
	Addr string
	// AllowRemote permits an Addr that is not loopback. TLS ends before the
	// process then.
	AllowRemote bool
	// TrustedProxies are networks whose X-Forwarded-For is believed; none by
	// default.
	TrustedProxies []netip.Prefix

	Auth          Authenticator
	Customers     Customers
	Freezer       Freezer
	Keys          Keys
	Assets        Assets
	Books         Books
	Addresses     Addresses
	Deposits      Deposits
	Withdrawals   Withdrawals
	WithdrawalLog WithdrawalLog
	Events        Events
	Chains        Chains
	// Allowed is customers' address books; nil where nobody of the house is asked. Their paths
	// are not there then.
	Allowed *Allowed
	// Trading is what trades; nil where the platform does not. Its paths are not there then.
	Trading *Trading
	// Pages serves /trade and /static, with headers of its own; nil for none.
	Pages http.Handler
	// Gate says whether money may be moved now: its error answers a request for
	// a withdrawal with 503.
	Gate Gate
	// Ready is asked by /readyz, by name.
	Ready map[string]Gate
	// Unavailable recognises errors of the database that a caller may retry; nil
	// for deadlines and network errors only.
	Unavailable func(error) bool

	// CursorKey signs page cursors; at least 16 bytes, the same on all instances.
	CursorKey []byte
	// PerKey and PerIP are the rate limits; 50/s with bursts of 200, and 100/s
	// with bursts of 400, where zero.
	PerKey, PerIP Rate
	// PerEnter is what an address may ask of /trade/enter, where browsers log in, within
	// PerIP; one each two seconds with bursts of 20 where zero. A login takes two.
	PerEnter Rate
	// MaxConcurrent bounds requests in work; 512 where zero.
	MaxConcurrent int
	// EventPoll is how often a stream looks for news; 500 ms where zero.
	EventPoll time.Duration
	// Heartbeat is how often a silent stream sends a comment; 15 s where zero.
	Heartbeat time.Duration
	// Session tells whose session a request from the trade page belongs to; nil for none.
	Session func(*http.Request) (customer string, ok bool)
	// SessionStands tells whether the session that such a request came with has not ended
	// since; required with Session. An error says that this is not known now.
	SessionStands func(*http.Request) (bool, error)
	// StreamCheck is how often a stream makes sure that the key or session which opened it
	// still stands; 3 s where zero.
	StreamCheck time.Duration
	// StreamEvery is how often a subscription of /v1/stream is told of a market at most;
	// 100 ms where zero.
	StreamEvery time.Duration
	// StreamPatience is how long a reader may leave a message of /v1/stream before it is
	// sent away; 10 s where zero.
	StreamPatience time.Duration

	Log     *slog.Logger
	Clock   func() time.Time
	Metrics *prometheus.Registry
	// Tracer starts a span per request; nil for none.
	Tracer trace.Tracer
}

// Gate reports whether something works now.
type Gate interface {
	// Check returns nil where it works. It must return soon after ctx ends.
	Check(ctx context.Context) error
}

// GateFunc is a function as a Gate.
type GateFunc func(ctx context.Context) error

// Check calls the function.
func (f GateFunc) Check(ctx context.Context) error { return f(ctx) }

const minCursorKey = 16

func (c *Config) check() error {
	collaborators := []any{
		c.Auth, c.Customers, c.Freezer, c.Keys, c.Assets, c.Books, c.Addresses, c.Deposits,
		c.Withdrawals, c.WithdrawalLog, c.Events, c.Chains, c.Gate,
	}
	if slices.Contains(collaborators, nil) || c.Log == nil || c.Clock == nil || c.Metrics == nil {
		return errors.New("api: a collaborator is missing")
	}
	if (c.Session == nil) != (c.SessionStands == nil) {
		return errors.New("api: Session and SessionStands go together")
	}
	if len(c.CursorKey) < minCursorKey {
		return fmt.Errorf("api: CursorKey needs %d bytes", minCursorKey)
	}
	if err := c.Trading.check(); err != nil {
		return err
	}
	c.defaults()
	return c.checkAddr()
}

func (c *Config) defaults() {
	if c.Addr == "" {
		c.Addr = "127.0.0.1:8080"
	}
	if c.PerKey.Burst == 0 {
		c.PerKey = Rate{PerSecond: 50, Burst: 200}
	}
	if c.PerIP.Burst == 0 {
		c.PerIP = Rate{PerSecond: 100, Burst: 400}
	}
	if c.PerEnter.Burst == 0 {
		c.PerEnter = Rate{PerSecond: 0.5, Burst: 20}
	}
	if c.MaxConcurrent == 0 {
		c.MaxConcurrent = 512
	}
	if c.EventPoll == 0 {
		c.EventPoll = 500 * time.Millisecond
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 15 * time.Second
	}
	if c.StreamCheck == 0 {
		c.StreamCheck = 3 * time.Second
	}
	if c.StreamEvery == 0 {
		c.StreamEvery = 100 * time.Millisecond
	}
	if c.StreamPatience == 0 {
		c.StreamPatience = 10 * time.Second
	}
	if c.Unavailable == nil {
		c.Unavailable = func(error) bool { return false }
	}
}

func (c *Config) checkAddr() error {
	host, _, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return fmt.Errorf("api: address %q: %w", c.Addr, err)
	}
	ip, err := netip.ParseAddr(host)
	if !c.AllowRemote && (err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("api: %s is not a loopback address; allow it explicitly and end TLS before it", host)
	}
	return nil
}
