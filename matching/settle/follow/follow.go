// Package follow lets settlement read the events of shards from their nodes.
package follow

import (
	"context"
	"fmt"
	"iter"

	"strongroom/matching/client"
	"strongroom/matching/settle"
)

// Source is a settle.Source over clients, by shard.
type Source struct {
	Shards map[settle.ShardID]*client.Client
}

var _ settle.Source = Source{}

// Events implements settle.Source.
func (s Source) Events(ctx context.Context, shard settle.ShardID, epoch, from uint64) iter.Seq2[settle.Batch, error] {
	c, ok := s.Shards[shard]
	if !ok {
		return func(yield func(settle.Batch, error) bool) {
			yield(settle.Batch{}, fmt.Errorf("shard %d: %w", shard, settle.ErrUnknown))
		}
	}
	return func(yield func(settle.Batch, error) bool) {
		for b, err := range c.Events(ctx, epoch, from) {
			if !yield(settle.Batch{Epoch: b.Epoch, Before: b.Before, Head: b.Head, Events: b.Events}, err) {
				return
			}
		}
	}
}

// Replay implements settle.Source: the nodes keep what was, so it is the same stream,
// read to its end.
func (s Source) Replay(ctx context.Context, shard settle.ShardID, from, to uint64) iter.Seq2[settle.Batch, error] {
	return func(yield func(settle.Batch, error) bool) {
		for b, err := range s.Events(ctx, shard, 0, from) {
			if err != nil || !yield(b, nil) || b.Events[len(b.Events)-1].Seq >= to {
				if err != nil {
					yield(b, err)
				}
				return
			}
		}
	}
}
