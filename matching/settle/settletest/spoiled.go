package settletest

import (
	"context"
	"iter"
	"math/rand/v2"
	"slices"

	"strongroom/matching/engine"
	"strongroom/matching/settle"
)

// Spoiled passes on what another source says as badly as a network can: it repeats,
// leaves out, disorders, breaks off, and lets leaders of old epochs speak. What it does
// with the end of a stream that goes on for ever is seen when more comes.
type Spoiled struct {
	Of  settle.Source
	Rng *rand.Rand
	// Breaks is one in how many batches breaks the stream off; zero for none.
	Breaks int
	// Done counts what was done, where set. It is written by the stream's goroutine.
	Done *Mischief
}

// Mischief is how often a source was bad.
type Mischief struct{ Lost, Repeated, Disordered, Old, Broken int }

// remembered is how many batches may be repeated.
const remembered = 16

// Replay implements settle.Source: the log loses nothing.
func (s *Spoiled) Replay(ctx context.Context, shard settle.ShardID, from, to uint64) iter.Seq2[settle.Batch, error] {
	return s.Of.Replay(ctx, shard, from, to)
}

// Events implements settle.Source.
func (s *Spoiled) Events(ctx context.Context, shard settle.ShardID, epoch, from uint64) iter.Seq2[settle.Batch, error] {
	return func(yield func(settle.Batch, error) bool) {
		if s.Done == nil {
			s.Done = &Mischief{}
		}
		t := teller{Spoiled: s}
		for b, err := range s.Of.Events(ctx, shard, epoch, from) {
			if err != nil {
				yield(b, err)
				return
			}
			if s.Breaks > 0 && s.Rng.IntN(s.Breaks) == 0 {
				s.Done.Broken++
				yield(settle.Batch{}, ErrBroken)
				return
			}
			for _, said := range t.tell(b) {
				if !yield(said, nil) {
					return
				}
			}
		}
	}
}

// teller is one stream.
type teller struct {
	*Spoiled

	past []settle.Batch
	held *settle.Batch // said behind the next
}

// tell is what is said in place of a batch.
func (t *teller) tell(b settle.Batch) []settle.Batch {
	said := []settle.Batch{b}
	if t.held != nil {
		said, t.held = append(said, *t.held), nil
	} else {
		switch n := t.Rng.IntN(10); {
		case n == 0:
			t.Done.Lost++
			said = nil
		case n == 1:
			t.Done.Disordered++
			said, t.held = nil, &b
		case n == 2 && len(t.past) > 0:
			t.Done.Repeated++
			said = append(said, t.piece(t.past[t.Rng.IntN(len(t.past))]))
		case n == 3 && b.Epoch > 1:
			t.Done.Old++
			said = append(said, forgedBehind(b))
		}
	}
	if t.past = append(t.past, b); len(t.past) > remembered {
		t.past = t.past[1:]
	}
	return said
}

// piece is the whole of a batch or its end: nobody promises to cut in the same places.
func (t *teller) piece(b settle.Batch) settle.Batch {
	from := t.Rng.IntN(len(b.Events))
	b.Before, b.Events = b.Before.Over(b.Events[:from]), b.Events[from:]
	return b
}

// forgedBehind is what a leader of the epoch before might have gone on with behind a
// batch, had nobody told it of its end.
func forgedBehind(b settle.Batch) settle.Batch {
	last := b.Events[len(b.Events)-1]
	forged := settle.Batch{Epoch: b.Epoch - 1, Before: b.Before.Over(b.Events), Head: b.Head, Events: slices.Clone(b.Events)}
	for i := range forged.Events {
		e := &forged.Events[i]
		e.Seq = last.Seq + 1 + uint64(i)
		if e.Qty++; e.Kind == engine.EventCheckpoint {
			e.Balances++
		}
	}
	return forged
}
