package server

import (
	"context"
	"errors"
	"fmt"

	matchingv1 "strongroom/internal/gen/matching/v1"
)

// History has the batches that are no longer in memory.
type History interface {
	// Batches gives emit one batch after another, the first of which holds event seq,
	// up to at least the newest there was when it was called. An error of emit ends it.
	Batches(ctx context.Context, seq uint64, emit func(*matchingv1.EventBatch) error) error
}

// Replay is a History that runs the log again on a second engine.
type Replay struct {
	// New makes an empty engine of the shard's configuration.
	New func() (Engine, error)
	// Entries gives apply each committed entry with its epoch, from the first on.
	Entries func(ctx context.Context, apply func(epoch uint64, entry []byte) error) error
}

var errEnough = errors.New("no more batches are wanted")

// Batches implements History.
func (r *Replay) Batches(ctx context.Context, seq uint64, emit func(*matchingv1.EventBatch) error) error {
	e, err := r.New()
	if err != nil {
		return fmt.Errorf("replay log: %w", err)
	}
	m := NewMachine(e, nil, zeroClock)
	var failed error
	m.sealer.emit = func(b *matchingv1.EventBatch) {
		if failed == nil && seq < end(b) {
			failed = emit(b)
		}
	}
	err = r.Entries(ctx, func(epoch uint64, entry []byte) error {
		if err := m.Apply(epoch, false, entry); err != nil {
			return err
		}
		m.sealer.settled()
		if failed != nil {
			return errEnough
		}
		return ctx.Err()
	})
	if failed != nil {
		return failed
	}
	if err != nil {
		return fmt.Errorf("replay log: %w", err)
	}
	return nil
}
