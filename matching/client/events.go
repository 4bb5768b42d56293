package client

import (
	"context"
	"errors"
	"fmt"
	"iter"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/chain"
	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

// ErrNotKept reports events that no node has any more.
var ErrNotKept = errors.New("no node keeps these events")

// Batch is events that follow each other, as the shard made them.
type Batch struct {
	Epoch        uint64
	Before, Hash chain.Hash // of the chain before the first event and behind the last
	Head         uint64     // the newest event that the node had
	Events       []engine.Event
}

// maxBatchEvents bounds what is taken for a batch.
const maxBatchEvents = 1 << 12

// Events follows the shard from event seq on, through lost connections and new leaders,
// until ctx ends (then it yields nothing more) or no node has what comes next
// (ErrNotKept). A node that has not seen the epoch is not believed. A batch may begin
// before seq, and after a lost connection may come again; the caller looks.
func (c *Client) Events(ctx context.Context, epoch, seq uint64) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		f := follower{client: c, epoch: epoch, next: max(1, seq)}
		pause, lacking := firstPause, 0
		for node := f.first(ctx); ctx.Err() == nil; node++ {
			got, more, err := f.follow(ctx, node, yield)
			if !more {
				return
			}
			if got {
				pause, lacking = firstPause, 0
			}
			switch {
			case Reason(err) == matchingv1.Reason_REASON_NOT_KEPT:
				if lacking++; lacking >= len(c.nodes) {
					yield(Batch{}, fmt.Errorf("%w: event %d: %w", ErrNotKept, f.next, err))
					return
				}
				continue
			case errors.Is(err, wire.ErrMalformed) || errors.Is(err, wire.ErrOversized) || !passing(err):
				yield(Batch{}, fmt.Errorf("%w: events from %d on: %w", ErrRefused, f.next, err))
				return
			}
			if !wait(ctx, pause) {
				return
			}
			pause = min(2*pause, longPause)
		}
	}
}

type follower struct {
	client      *Client
	epoch, next uint64
}

// first is the node to begin with: the one that leads, as far as anybody knows.
func (f *follower) first(ctx context.Context) int {
	_, _ = f.client.Leader(ctx) // where none does, any will do
	f.client.mu.Lock()
	defer f.client.mu.Unlock()
	return f.client.leader
}

// follow yields what one node has, until its stream ends. It tells whether anything
// came, and whether more is wanted.
func (f *follower) follow(ctx context.Context, node int, yield func(Batch, error) bool) (got, more bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := f.client.Any(node).Events(ctx, &matchingv1.EventsRequest{Epoch: f.epoch, Seq: f.next})
	for err == nil {
		var b *matchingv1.EventBatch
		if b, err = stream.Recv(); err != nil {
			break
		}
		batch, bad := batchOf(b)
		if bad != nil {
			return got, true, bad
		}
		f.epoch, f.next, got = max(f.epoch, batch.Epoch), b.GetFirst()+uint64(b.GetCount()), true
		if !yield(batch, nil) {
			return got, false, nil
		}
	}
	return got, true, err //nolint:wrapcheck // its reason is looked at
}

func batchOf(b *matchingv1.EventBatch) (Batch, error) {
	out := Batch{Epoch: b.GetEpoch(), Head: b.GetHead()}
	if b.GetVersion() != wire.Version || len(b.GetHash()) != len(out.Hash) || len(b.GetPrevious()) != len(out.Before) {
		return out, fmt.Errorf("%w: batch of version %d", wire.ErrMalformed, b.GetVersion())
	}
	copy(out.Hash[:], b.GetHash())
	copy(out.Before[:], b.GetPrevious())
	events, err := wire.ReadEvents(b.GetEvents(), maxBatchEvents, nil)
	if err != nil {
		return out, err
	}
	if len(events) == 0 || uint32(len(events)) != b.GetCount() || events[0].Seq != b.GetFirst() { //nolint:gosec // at most maxBatchEvents
		return out, fmt.Errorf("%w: batch of %d events from %d on has %d", wire.ErrMalformed, b.GetCount(), b.GetFirst(), len(events))
	}
	out.Events = events
	return out, nil
}
