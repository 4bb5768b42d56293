package settle

import (
	"context"
	"errors"
	"iter"

	"strongroom/matching/chain"
	"strongroom/matching/engine"
)

// Errors of this package. ErrHalted is for people to look at; after the others the
// same can be tried again.
var (
	ErrInvalid    = errors.New("not valid")
	ErrConflict   = errors.New("exists with other content")
	ErrUnknown    = errors.New("not known")
	ErrNotSettled = errors.New("not settled yet")
	ErrHalted     = errors.New("settlement is halted")
	ErrGap        = errors.New("the log's replay leaves a gap")
	ErrContended  = errors.New("somebody else settles this shard")
)

// Batch is a run of events of a shard, one after the other without a gap.
type Batch struct {
	// Epoch is the term of the log's leader that committed the events. It never goes
	// back along the log.
	Epoch uint64
	// Before is the chain's hash before the first event.
	Before chain.Hash
	// Head is the newest sequence that the sender had, for the lag.
	Head uint64
	// Events are at least one, and at most MaxBatch.
	Events []engine.Event
}

// MaxBatch is how many events a Batch may have.
const MaxBatch = 1 << 16

// Source hands out the events of a shard.
type Source interface {
	// Events follows the shard from a sequence on, until ctx ends. It may repeat, leave
	// out and disorder: the settler sees to that. An error ends it.
	Events(ctx context.Context, shard ShardID, epoch, from uint64) iter.Seq2[Batch, error]
	// Replay reads the events from..to again from the log, in order.
	Replay(ctx context.Context, shard ShardID, from, to uint64) iter.Seq2[Batch, error]
}

// valid reports whether a batch has the form that it must have.
func (b *Batch) valid() bool {
	if len(b.Events) == 0 || len(b.Events) > MaxBatch || b.Events[0].Seq == 0 {
		return false
	}
	for i := range b.Events {
		if b.Events[i].Seq != b.Events[0].Seq+uint64(i) {
			return false
		}
	}
	return true
}
