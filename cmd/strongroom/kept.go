package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Pauses before a loop that ended is run again: the first, doubled each time up to the
// longest. One that ran for longer than a settled run begins anew. A halt is looked at
// again now and then, for only a person ends it.
const (
	firstPause = 100 * time.Millisecond
	mostPause  = 5 * time.Second
	settledRun = 30 * time.Second
	haltPause  = 30 * time.Second
	provenRun  = 2 * time.Second // then it is healthy again
)

var errRestarts = errors.New("it ended and is run again")

// keptConfig says which loop is kept running. run returns nil or an error when it ends
// before its context does; halted tells errors that no second run mends, nil for none.
type keptConfig struct {
	name   string
	run    func(context.Context) error
	halted func(error) bool
	log    *slog.Logger
	clock  func() time.Time
	wait   func(context.Context, time.Duration) // nil for real time
}

// keptLoop runs something again and again until it is told to stop.
type keptLoop struct {
	keptConfig

	mu      sync.Mutex
	last    error     // why it ended last; nil where it never did
	began   time.Time // the run that goes on
	running bool
}

func newKeptLoop(cfg keptConfig) *keptLoop {
	if cfg.wait == nil {
		cfg.wait = func(ctx context.Context, d time.Duration) { pause(ctx, d) }
	}
	if cfg.halted == nil {
		cfg.halted = func(error) bool { return false }
	}
	return &keptLoop{keptConfig: cfg}
}

// Healthy fails while the loop waits to be run again, and until the next run has lasted a
// while.
func (l *keptLoop) Healthy(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running && l.clock().Sub(l.began) >= provenRun {
		return nil
	}
	return l.last
}

// begin notes that a run begins.
func (l *keptLoop) begin() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.began, l.running = l.clock(), true
	return l.began
}

// end notes why a run ended.
func (l *keptLoop) end(err error) error {
	if err == nil {
		err = errRestarts
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last, l.running = fmt.Errorf("%s: %w", l.name, err), false
	return l.last
}

// Run returns nil once ctx has ended.
func (l *keptLoop) Run(ctx context.Context) error {
	next := firstPause
	for ctx.Err() == nil {
		began := l.begin()
		err := l.run(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was told to stop
		}
		err = l.end(err)
		if l.halted(err) {
			l.log.ErrorContext(ctx, "HALTED: a person has to look", "error", err)
			l.wait(ctx, haltPause)
			continue
		}
		if l.clock().Sub(began) > settledRun {
			next = firstPause
		}
		l.log.WarnContext(ctx, "a loop ended and is run again", "after", next, "cause", err)
		l.wait(ctx, next)
		next = min(2*next, mostPause)
	}
	return nil
}
