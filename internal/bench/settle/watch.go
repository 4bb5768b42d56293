package settlebench

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"strongroom/ledger"
	"strongroom/matching/engine"
	"strongroom/matching/settle"
)

// stream is a source that notes what comes, and ends behind a sequence that may be told
// later.
type stream struct {
	settle.Source

	last atomic.Uint64 // zero while nobody knows

	mu    sync.Mutex
	first uint64  // sequence of what times begins with
	times []int64 // log time of each event
	trade []bool  // whether it is one
}

// Events implements settle.Source.
func (s *stream) Events(ctx context.Context, shard settle.ShardID, epoch, from uint64) iter.Seq2[settle.Batch, error] {
	return func(yield func(settle.Batch, error) bool) {
		for b, err := range s.Source.Events(ctx, shard, epoch, from) {
			if err == nil {
				s.note(b.Events)
			}
			if !yield(b, err) || err != nil {
				return
			}
			if last := s.last.Load(); last != 0 && b.Events[len(b.Events)-1].Seq >= last {
				return
			}
		}
	}
}

func (s *stream) note(events []engine.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == 0 {
		s.first = events[0].Seq
	}
	for i := range events {
		if events[i].Seq == s.first+uint64(len(s.times)) {
			s.times = append(s.times, events[i].Time)
			s.trade = append(s.trade, events[i].Kind == engine.EventTrade)
		}
	}
}

// commit is when the events from one on were in the ledger, up to those of the next.
type commit struct {
	first uint64
	at    time.Time
}

// book is a ledger that notes when settlement's transactions were committed.
type book struct {
	*ledger.Ledger

	clock   func() time.Time
	commits []commit // written by the settler's goroutine
}

// Post implements settle.Ledger.
func (b *book) Post(ctx context.Context, tx ledger.Transaction, attach ...ledger.Attachment) (ledger.Receipt, error) {
	receipt, err := b.Ledger.Post(ctx, tx, attach...)
	if err != nil {
		return receipt, err
	}
	if _, seq, found := strings.Cut(strings.TrimPrefix(tx.ID, "trd/"), "/"); found {
		if first, err := strconv.ParseUint(seq, 10, 64); err == nil {
			b.commits = append(b.commits, commit{first, b.clock()})
		}
	}
	return receipt, nil
}

// fill is a trade and when it was in the ledger.
type fill struct{ made, settled time.Time }

// fills joins both. What no commit has is left out: checkpoints, and orders that moved
// nothing.
func fills(s *stream, b *book) []fill {
	var out []fill
	for i, c := range b.commits {
		end := s.first + uint64(len(s.times))
		if i+1 < len(b.commits) {
			end = b.commits[i+1].first
		}
		for seq := max(c.first, s.first); seq < end; seq++ {
			if s.trade[seq-s.first] {
				out = append(out, fill{time.Unix(0, s.times[seq-s.first]), c.at})
			}
		}
	}
	return out
}

// behind is, at each commit, how many events the node had made and the ledger had not.
func behind(s *stream, b *book) []int {
	var out []int
	for i, c := range b.commits {
		settled := len(s.times)
		if i+1 < len(b.commits) {
			settled = int(b.commits[i+1].first - s.first) //nolint:gosec // a length
		}
		made, _ := slices.BinarySearch(s.times, c.at.UnixNano())
		out = append(out, max(made-settled, 0))
	}
	return out
}
