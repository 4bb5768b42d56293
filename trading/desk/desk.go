package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/matching/wire"
	"strongroom/trading"
)

const (
	// DefaultPatience is Config.Patience where it is zero.
	DefaultPatience = 5 * time.Second
	// maxAccounts bounds the numbers of customers that are remembered.
	maxAccounts = 1 << 16

	firstPause = 50 * time.Millisecond
	longPause  = time.Second
)

// Accounts gives customers the numbers by which the shard knows them, the same for ever;
// settle.Registry is one.
type Accounts interface {
	Account(ctx context.Context, customer string) (engine.AccountID, error)
}

// Config is what a desk needs.
type Config struct {
	// Client reaches the shard; its certificate must have the right to any account.
	Client   *client.Client
	Catalog  *trading.Catalog
	Accounts Accounts
	// History knows orders from before this desk began; nil where nothing does.
	History trading.Log
	// Terms keeps stop prices and expiries for the history; nil where nobody does.
	Terms  Terms
	Logger *slog.Logger
	Clock  func() time.Time
	// Registerer takes the metrics; nil for none.
	Registerer prometheus.Registerer
	// Patience bounds how long the shard may take to answer.
	Patience time.Duration
}

var errConfig = errors.New("desk lacks a collaborator")

// Desk implements trading.Orders. It is safe for concurrent use. Orders are taken while
// Run runs.
type Desk struct {
	cfg     Config
	memory  *memory
	hub     *hub
	metrics *metrics

	mu       sync.Mutex
	session  *client.Session // nil while there is none
	accounts map[string]engine.AccountID
}

var _ trading.Orders = (*Desk)(nil)

// New makes a desk. Call Run.
func New(cfg Config) (*Desk, error) {
	if cfg.Client == nil || cfg.Catalog == nil || cfg.Accounts == nil || cfg.Logger == nil || cfg.Clock == nil || cfg.Patience < 0 {
		return nil, errConfig
	}
	if cfg.Patience == 0 {
		cfg.Patience = DefaultPatience
	}
	d := &Desk{cfg: cfg, memory: newMemory(cfg.Catalog), metrics: newMetrics(cfg.Registerer), accounts: map[string]engine.AccountID{}}
	d.hub = newHub(d)
	return d, nil
}

// Run keeps a session with the shard until ctx ends, and opens a new one where it is
// lost. It returns nil then, and otherwise why the shard refuses for good.
func (d *Desk) Run(ctx context.Context) error {
	defer d.hub.close()
	pause := firstPause
	for ctx.Err() == nil {
		s, err := d.cfg.Client.Open(ctx, client.Options{All: true, Events: d.take, Missed: d.missed})
		switch {
		case err == nil:
			pause = firstPause
			d.begin(s)
			d.serve(ctx, s)
			continue
		case errors.Is(err, client.ErrRefused):
			return fmt.Errorf("open session with matching: %w", err)
		case ctx.Err() == nil && pause == firstPause: // once while it lasts
			d.cfg.Logger.WarnContext(ctx, "matching cannot be reached", slog.Any("error", err))
		}
		rest(ctx, pause)
		pause = min(2*pause, longPause)
	}
	return nil
}

// begin makes s the session. What happened since the last one was not heard.
func (d *Desk) begin(s *client.Session) {
	d.mu.Lock()
	d.session = s
	d.mu.Unlock()
	d.hub.reset(0)
}

// serve waits until a session is over or ctx ends.
func (d *Desk) serve(ctx context.Context, s *client.Session) {
	select {
	case <-s.Done():
		d.metrics.lost.Inc()
		d.cfg.Logger.WarnContext(ctx, "session with matching is lost")
	case <-ctx.Done():
	}
	d.mu.Lock()
	d.session = nil
	d.mu.Unlock()
	s.Close()
	d.memory.clear()
}

// Ready tells whether there is a session, so that orders are taken.
func (d *Desk) Ready() bool { return d.current() != nil }

func (d *Desk) current() *client.Session {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.session
}

func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d/2 + rand.N(d)) //nolint:gosec // spreads tries, and is no secret
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// take is given the session's events, in order.
func (d *Desk) take(events []engine.Event) {
	d.memory.mu.Lock()
	var touched []*live
	for i := range events {
		touched = d.memory.take(&events[i], touched)
	}
	updates := d.hub.updates(events, touched)
	d.memory.mu.Unlock()
	d.hub.publish(updates)
}

// missed is told that events up to seq were not heard.
func (d *Desk) missed(seq uint64) {
	d.memory.clear()
	d.hub.reset(seq)
}

// account returns a customer's number.
func (d *Desk) account(ctx context.Context, customer string) (engine.AccountID, error) {
	d.mu.Lock()
	no, ok := d.accounts[customer]
	d.mu.Unlock()
	if ok {
		return no, nil
	}
	no, err := d.cfg.Accounts.Account(ctx, customer)
	if err != nil {
		return 0, fmt.Errorf("find account of %s: %w", customer, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.accounts) < maxAccounts {
		d.accounts[customer] = no
	}
	return no, nil
}

// do gives one command and returns its result. Where none comes it is not known whether
// the command took effect: trading.ErrUnavailable.
func (d *Desk) do(ctx context.Context, op string, c engine.Command) (wire.Result, error) {
	s := d.current()
	if s == nil {
		d.metrics.refuse(op, "unavailable")
		return wire.Result{}, fmt.Errorf("%w: there is no session", trading.ErrUnavailable)
	}
	begun := d.cfg.Clock()
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Patience)
	defer cancel()
	results, err := s.Do(ctx, c)
	if err != nil {
		d.metrics.refuse(op, "unknown")
		return wire.Result{}, fmt.Errorf("%w: %w", trading.ErrUnavailable, err)
	}
	d.metrics.ack(op, d.cfg.Clock().Sub(begun))
	r := results[0]
	if r.Kind == engine.EventRejected {
		d.metrics.refuse(op, trading.CodeName(r.Code))
	}
	return r, nil
}
