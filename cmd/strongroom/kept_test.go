package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"
)

var errHalt, errBreaks = errors.New("halted"), errors.New("breaks")

// TestKeptLoop ends a loop in several ways, by a clock that only its pauses move.
func TestKeptLoop(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ends := []struct {
		lasts time.Duration
		err   error
		pause time.Duration
	}{
		{0, errBreaks, firstPause},
		{0, nil, 2 * firstPause},
		{time.Second, errBreaks, 4 * firstPause},
		{settledRun + 1, errBreaks, firstPause},
		{0, errHalt, haltPause},
		{0, errBreaks, 2 * firstPause},
	}
	var loop *keptLoop
	n := 0
	loop = newKeptLoop(keptConfig{
		name: "test", log: slog.New(slog.DiscardHandler), clock: func() time.Time { return now },
		halted: func(err error) bool { return errors.Is(err, errHalt) },
		run: func(context.Context) error {
			if n == len(ends) {
				if loop.Healthy(ctx) == nil {
					t.Error("healthy before it has run for a while")
				}
				now = now.Add(provenRun)
				if err := loop.Healthy(ctx); err != nil {
					t.Errorf("runs again, and yet: %v", err)
				}
				cancel()
				return ctx.Err()
			}
			now = now.Add(ends[n].lasts)
			return ends[n].err
		},
		wait: func(_ context.Context, d time.Duration) {
			if d != ends[n].pause {
				t.Errorf("pause %d is %s, want %s", n, d, ends[n].pause)
			}
			if err := loop.Healthy(ctx); err == nil || (ends[n].err != nil && !errors.Is(err, ends[n].err)) {
				t.Errorf("end %d is not told: %v", n, err)
			}
			n++
		},
	})
	if err := loop.Healthy(ctx); err != nil {
		t.Errorf("ill before the first run: %v", err)
	}
	if err := loop.Run(ctx); err != nil {
		t.Error(err)
	}
	if n != len(ends) {
		t.Errorf("%d ends of %d", n, len(ends))
	}
}
