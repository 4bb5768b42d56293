package settletest

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"slices"

	"strongroom/matching/engine"
	"strongroom/matching/settle"
)

// Batch cuts the events from..to, by sequence, of one epoch out of the stream; it ends
// where the epoch does.
func (w *World) Batch(from, to uint64) settle.Batch {
	i := from - 1
	n := i
	for n < to && n < uint64(len(w.Events)) && w.Epochs[n] == w.Epochs[i] {
		n++
	}
	return settle.Batch{Epoch: w.Epochs[i], Before: w.Before[i], Head: uint64(len(w.Events)), Events: w.Events[i:n]}
}

// Source hands a world's events out. The zero value of what is not World is a source
// that does it well, in batches of 4,096.
type Source struct {
	World *World
	// Rng, where set, repeats, leaves out, disorders, breaks off, and lets leaders of old
	// epochs speak.
	Rng *rand.Rand
	// Most is the most events of a batch.
	Most int
}

// ErrBroken ends a stream now and then.
var ErrBroken = errors.New("the connection broke")

func (s *Source) most() uint64 {
	if s.Most == 0 {
		return 4_096
	}
	if s.Rng != nil {
		return 1 + s.Rng.Uint64N(uint64(s.Most)) //nolint:gosec // positive
	}
	return uint64(s.Most) //nolint:gosec // positive
}

// Events implements settle.Source. It ends with the stream.
func (s *Source) Events(ctx context.Context, _ settle.ShardID, _, from uint64) iter.Seq2[settle.Batch, error] {
	return func(yield func(settle.Batch, error) bool) {
		for next := from; next <= uint64(len(s.World.Events)) && ctx.Err() == nil; {
			b := s.World.Batch(next, next+s.most()-1)
			next += uint64(len(b.Events))
			said := []settle.Batch{b}
			if s.Rng != nil {
				if s.Rng.IntN(60) == 0 {
					yield(settle.Batch{}, ErrBroken)
					return
				}
				said, next = s.spoil(b, next)
			}
			for _, b := range said {
				if !yield(b, nil) {
					return
				}
			}
		}
	}
}

// spoil does to a batch what a network and an old leader can.
func (s *Source) spoil(b settle.Batch, next uint64) ([]settle.Batch, uint64) {
	end := uint64(len(s.World.Events))
	switch n := s.Rng.IntN(12); {
	case n == 0 && next <= end: // lost, unless it is the last
		return nil, next
	case n == 1: // something is repeated
		again := 1 + s.Rng.Uint64N(next-1)
		return []settle.Batch{b, s.World.Batch(again, again+s.most()-1)}, next
	case n == 2 && next <= end: // two change places
		other := s.World.Batch(next, next+s.most()-1)
		return []settle.Batch{other, b}, next + uint64(len(other.Events))
	case n == 3 && next <= end && s.World.Epochs[next-2] > 1: // an old leader goes on by itself
		return []settle.Batch{b, s.forged(next)}, next
	}
	return []settle.Batch{b}, next
}

// forged is what a leader of an epoch that ended would say next.
func (s *Source) forged(seq uint64) settle.Batch {
	b := s.World.Batch(seq, seq+3)
	b.Epoch = s.World.Epochs[seq-2] - 1
	b.Events = slices.Clone(b.Events)
	for i := range b.Events {
		e := &b.Events[i]
		if e.Qty++; e.Kind == engine.EventTrade {
			e.Qty = 1
		}
	}
	return b
}

// Replay implements settle.Source: the log loses nothing. It runs beside Events, so it
// leaves chance to that.
func (s *Source) Replay(_ context.Context, _ settle.ShardID, from, to uint64) iter.Seq2[settle.Batch, error] {
	return func(yield func(settle.Batch, error) bool) {
		size := uint64(4_096)
		if s.Most > 0 {
			size = uint64(s.Most)
		}
		for from <= to {
			b := s.World.Batch(from, min(to, from+size-1))
			if !yield(b, nil) {
				return
			}
			from += uint64(len(b.Events))
		}
	}
}
