package sim

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strongroom/api/client"
	"strongroom/money"
	"strongroom/trading"
)

// Config says who plays where. All are needed but Wait and Metrics.
type Config struct {
	Operator *client.Client
	// Customer returns a client that asks as a customer's key.
	Customer func(Credential) (*client.Client, error)
	World    World
	Terms    []trading.Terms
	// Assets are those that trade, by code.
	Assets   map[string]money.Asset
	StateDir string // who was enrolled is kept there, in sim.json
	Seed     uint64
	Clock    func() time.Time
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	// Wait waits, and is false where ctx ended first; real time where nil.
	Wait func(ctx context.Context, d time.Duration) bool
}

// Who plays, and how fast.
const (
	takers     = 3
	makerPause = 700 * time.Millisecond // between two turns of the maker, each on one market
	topPause   = 20 * time.Second       // between two looks at what there is to trade with
	firstPause = 500 * time.Millisecond // after something failed; doubled each time
	mostPause  = 10 * time.Second
	leaveTime  = 3 * time.Second // in which the maker takes its orders out at the end
	noteEvery  = time.Minute     // what fails is told at most so often
)

// levelOf is about how much a level of the maker's ladder has, by base asset.
func levelOf(base string) string {
	return map[string]string{"BTC": "0.02", "ETH": "0.4", "LTC": "8"}[base]
}

// makerFill and takerFill are what is paid to who runs dry.
func makerFill() map[string]string {
	return map[string]string{"BTC": "3", "ETH": "30", "LTC": "400", "USDC": "150000"}
}

func takerFill() map[string]string {
	return map[string]string{"BTC": "0.5", "ETH": "5", "LTC": "60", "USDC": "20000"}
}

// Sim is the players of a platform.
type Sim struct {
	cfg    Config
	state  *state
	grids  []grid
	turns  *prometheus.CounterVec
	all    sync.WaitGroup // what goes on in Run
	mu     sync.Mutex
	noted  time.Time // when a failure was told last
	failed int       // since then
}

func (c Config) check() error {
	if c.Operator == nil || c.Customer == nil || c.World == nil || len(c.Terms) == 0 || c.Clock == nil || c.Log == nil {
		return errors.New("sim: a collaborator is missing")
	}
	return nil
}

// New checks the configuration and reads who was enrolled before.
func New(cfg Config) (*Sim, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Wait == nil {
		cfg.Wait = wait
	}
	s := &Sim{cfg: cfg, turns: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "strongroom_sim_turns_total", Help: "Turns of those who play, by who and whether the platform answered.",
	}, []string{"who", "outcome"})}
	if cfg.Metrics != nil {
		if err := cfg.Metrics.Register(s.turns); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	for i := range cfg.Terms {
		t := &cfg.Terms[i]
		level := levelOf(t.Base)
		if level == "" {
			continue // nobody here has such coins
		}
		g, err := newGrid(t, level)
		if err != nil {
			return nil, err
		}
		s.grids = append(s.grids, g)
	}
	var err error
	s.state, err = openState(cfg.StateDir)
	return s, err
}

func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Run plays until ctx ends. What is not there is waited for.
func (s *Sim) Run(ctx context.Context) error {
	s.all.Go(func() { s.makes(ctx) })
	for i := range takers {
		s.all.Go(func() { s.takes(ctx, fmt.Sprintf("taker %d", i+1)) })
	}
	s.all.Wait()
	return nil
}

// rng is who's own source of chance.
func (s *Sim) rng(who string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(who))                         // never fails
	return rand.New(rand.NewPCG(s.cfg.Seed, h.Sum64())) //nolint:gosec // no secret: it shall be the same each time
}

// makes plays the market maker.
func (s *Sim) makes(ctx context.Context) {
	const who = "market maker"
	account, ok := s.join(ctx, who, makerFill())
	if !ok {
		return
	}
	rng, name := s.rng(who), names("mm", s.cfg.Clock().UnixMilli())
	makers := make([]*maker, 0, len(s.grids))
	for _, g := range s.grids {
		makers = append(makers, newMaker(g, account, rng, name))
	}
	n := 0
	s.again(ctx, who, func() time.Duration { return makerPause }, func(ctx context.Context) error {
		n++
		return makers[n%len(makers)].turn(ctx)
	})
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	for _, m := range makers {
		if err := account.CancelAll(leaving, m.market); err != nil {
			s.cfg.Log.WarnContext(leaving, "orders stay in the book", "market", m.market, "cause", err)
			return
		}
	}
}

// takes plays a taker.
func (s *Sim) takes(ctx context.Context, who string) {
	account, ok := s.join(ctx, who, takerFill())
	if !ok {
		return
	}
	t := &taker{rng: s.rng(who), grids: s.grids, account: account, name: names("t", s.cfg.Clock().UnixMilli())}
	s.again(ctx, who, t.wait, t.turn)
}

// join enrols who plays and begins to keep it in funds; it returns false where ctx ended.
func (s *Sim) join(ctx context.Context, who string, fill map[string]string) (Account, bool) {
	var api *client.Client
	joined := s.until(ctx, who, func(ctx context.Context) error {
		cred, err := enroll(ctx, s.state, s.cfg.Operator, who)
		if err != nil {
			return err
		}
		api, err = s.cfg.Customer(cred)
		return err
	})
	if !joined {
		return nil, false
	}
	account := &rest{api: api, assets: s.cfg.Assets}
	p := &purse{
		name: who, api: api, account: account, world: s.cfg.World, state: s.state, assets: s.cfg.Assets, fill: fill, clock: s.cfg.Clock,
	}
	if !s.until(ctx, who, p.top) {
		return nil, false
	}
	s.all.Go(func() { s.again(ctx, who, func() time.Duration { return topPause }, p.top) })
	return account, true
}

// until does work until it succeeds; false where ctx ended first.
func (s *Sim) until(ctx context.Context, who string, work func(context.Context) error) bool {
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, mostPause) {
		err := work(ctx)
		if err == nil {
			return true
		}
		s.tell(ctx, who, err)
		if !s.cfg.Wait(ctx, pause) {
			return false
		}
	}
	return false
}

// again does work over and over, with a pause between, longer ones while it fails.
func (s *Sim) again(ctx context.Context, who string, between func() time.Duration, work func(context.Context) error) {
	failing := firstPause
	for {
		pause := between()
		if err := work(ctx); err != nil && ctx.Err() == nil {
			s.tell(ctx, who, err)
			pause, failing = max(pause, failing), min(2*failing, mostPause)
		} else {
			s.turns.WithLabelValues(who, "ok").Inc()
			failing = firstPause
		}
		if !s.cfg.Wait(ctx, pause) {
			return
		}
	}
}

// tell notes a failure, and writes one of many down.
func (s *Sim) tell(ctx context.Context, who string, err error) {
	s.turns.WithLabelValues(who, "failed").Inc()
	s.mu.Lock()
	s.failed++
	now, failed := s.cfg.Clock(), s.failed
	silent := now.Sub(s.noted) < noteEvery
	if !silent {
		s.noted, s.failed = now, 0
	}
	s.mu.Unlock()
	if !silent && ctx.Err() == nil {
		s.cfg.Log.WarnContext(ctx, "the platform does not answer as it should", "who", who, "failures", failed, "cause", err)
	}
}
