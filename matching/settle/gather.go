package settle

import (
	"context"
	"iter"

	"strongroom/matching/chain"
	"strongroom/matching/engine"
)

// readAhead is how many batches are read while others are settled.
const readAhead = 64

type received struct {
	batch  Batch
	err    error
	owned  bool       // its events are a copy of ours
	hashed bool       // after is known
	after  chain.Hash // the chain's, after the batch
}

// gather reads ahead and joins small batches that continue one another, so that the
// cost of a commit is shared when the settler is behind.
func (*Settler) gather(ctx context.Context, from iter.Seq2[Batch, error]) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		ahead := make(chan received, readAhead)
		go func() {
			defer close(ahead)
			for b, err := range from {
				select {
				case ahead <- received{batch: b, err: err}:
				case <-ctx.Done():
					return
				}
			}
		}()
		defer func() { // the reader has ended when we have
			cancel()
			for range ahead {
			}
		}()
		pass(ahead, yield)
	}
}

func pass(ahead <-chan received, yield func(Batch, error) bool) {
	var held *received
	for {
		var this received
		if held != nil {
			this = *held
		} else if next, open := <-ahead; open {
			this = next
		} else {
			return
		}
		held = this.fill(ahead)
		if !yield(this.batch, this.err) {
			return
		}
	}
}

// fill joins what waits, and returns what cannot be joined.
func (r *received) fill(ahead <-chan received) *received {
	for {
		select {
		case next, open := <-ahead:
			if !open {
				return nil
			}
			if !r.join(&next) {
				return &next
			}
		default:
			return nil
		}
	}
}

// join adds what continues r by sequence, epoch and hash, where both together are not
// too many.
func (r *received) join(next *received) bool {
	a, b := &r.batch, &next.batch
	n := len(a.Events)
	if r.err != nil || next.err != nil || n == 0 || len(b.Events) == 0 || a.Epoch != b.Epoch ||
		b.Events[0].Seq != a.Events[n-1].Seq+1 || n+len(b.Events) > maxEvents {
		return false
	}
	if r.after = r.end(); b.Before != r.after {
		return false
	}
	if !r.owned {
		a.Events, r.owned = append(make([]engine.Event, 0, maxEvents), a.Events...), true
	}
	a.Events = append(a.Events, b.Events...)
	a.Head = max(a.Head, b.Head)
	r.after, r.hashed = next.end(), true
	return true
}

// end is the chain's hash after the batch.
func (r *received) end() chain.Hash {
	if !r.hashed {
		r.after, r.hashed = r.batch.Before.Over(r.batch.Events), true
	}
	return r.after
}
