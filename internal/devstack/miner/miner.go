package miner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Chain is a node of development that makes blocks on request.
type Chain interface {
	// Pool returns how many transactions wait for a block.
	Pool(ctx context.Context) (int, error)
	// Mine makes one block and returns how many transactions of users it carries.
	Mine(ctx context.Context) (int, error)
	// Save puts every block of the node's chain where a kill of the node cannot
	// reach it. It is cheap where nothing is new.
	Save(ctx context.Context) error
}

// Config holds the collaborators of a Miner.
type Config struct {
	Name   string
	Chain  Chain
	Policy Policy
	Clock  func() time.Time
	Log    *slog.Logger
}

// Miner mines one chain.
type Miner struct {
	cfg  Config
	mu   sync.Mutex // one order to the node at a time
	view View
}

// ErrConfig reports a configuration that lacks something.
var ErrConfig = errors.New("miner is not configured")

// New checks the configuration.
func New(cfg Config) (*Miner, error) {
	if cfg.Chain == nil || cfg.Log == nil || cfg.Clock == nil || cfg.Policy.Every <= 0 || cfg.Policy.Heartbeat <= 0 {
		return nil, fmt.Errorf("%w: chain, log, clock and paces are needed", ErrConfig)
	}
	// A fresh miner owes the chain its depth: what the last one mined before it
	// ended may still wait for confirmations.
	return &Miner{cfg: cfg}, nil
}

// Run mines until ctx ends. A node that does not answer is asked again: its
// restart is the supervisor's business.
func (m *Miner) Run(ctx context.Context) {
	tick := time.NewTicker(m.cfg.Policy.Every / 2)
	defer tick.Stop()
	down := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := m.Step(ctx)
		if ctx.Err() != nil {
			return
		}
		if (err != nil) != down { // one line per change, not per attempt
			down = err != nil
			m.cfg.Log.InfoContext(ctx, "mining changed", "chain", m.cfg.Name, "working", !down, "error", err)
		}
	}
}

// Still does something while no block is mined and nothing is saved: nodes do not
// take every order well in the midst of another.
func (m *Miner) Still(do func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return do()
}

// Step looks at the chain once, mines where a block is due, and saves.
func (m *Miner) Step(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	pool, err := m.cfg.Chain.Pool(ctx)
	if err != nil {
		return fmt.Errorf("look at the pool: %w", err)
	}
	m.view.Pool = pool
	now := m.cfg.Clock()
	if m.cfg.Policy.Due(m.view, now) {
		carried, err := m.cfg.Chain.Mine(ctx)
		if err != nil {
			return fmt.Errorf("mine: %w", err)
		}
		m.view.LastBlock = now
		m.view.EmptySince++
		if carried > 0 {
			m.view.EmptySince = 0
		}
	}
	if err := m.cfg.Chain.Save(ctx); err != nil {
		return fmt.Errorf("save: %w", err)
	}
	return nil
}
