package settlebench

import (
	"context"
	"errors"
	"fmt"
	"time"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/client"
	"strongroom/matching/settle"
	"strongroom/matching/settle/follow"
)

// Drain is what settling all that waited was like.
type Drain struct {
	Fills, Events int
	Took          time.Duration
	Batches       Batches

	begun time.Time
	fills []fill
}

// Batches are the SQL transactions of settlement, by their events.
type Batches struct{ Count, P50, Max int }

// PerSecond is the rate of fills.
func (d Drain) PerSecond() float64 { return float64(d.Fills) / d.Took.Seconds() }

// String is one line.
func (d Drain) String() string {
	return fmt.Sprintf("%d fills, %d events in %s: %.0f fills/s, %.0f events/s; %d transactions of %d events (median), %d at most",
		d.Fills, d.Events, d.Took.Round(time.Millisecond), d.PerSecond(), float64(d.Events)/d.Took.Seconds(), d.Batches.Count, d.Batches.P50, d.Batches.Max)
}

// newest is the last event of the node.
func (b *bench) newest(ctx context.Context) (uint64, error) {
	leader, err := b.client.Leader(ctx)
	if err != nil {
		return 0, fmt.Errorf("find leader: %w", err)
	}
	status, err := leader.Status(ctx, &matchingv1.StatusRequest{})
	if err != nil {
		return 0, fmt.Errorf("ask for the newest event: %w", err)
	}
	return status.GetSeq(), nil
}

// settler is a new one with what watches it.
func (b *bench) settler() (*settle.Settler, *stream, *book, error) {
	s := &stream{Source: follow.Source{Shards: map[settle.ShardID]*client.Client{0: b.client}}}
	w := &book{Ledger: b.book, clock: b.cfg.Clock}
	settler, err := settle.New(settle.Config{Pool: b.pool, Ledger: w, Source: s, Clock: b.cfg.Clock})
	if err != nil {
		return nil, nil, nil, fmt.Errorf("make settler: %w", err)
	}
	return settler, s, w, nil
}

var errShort = errors.New("not all was settled")

// drain makes fills, then settles everything up to a checkpoint.
func (b *bench) drain(ctx context.Context, n int) (d Drain, err error) {
	if err := b.flood(ctx, n); err != nil {
		return d, err
	}
	if err := b.floor.Checkpoint(ctx); err != nil {
		return d, fmt.Errorf("ask for a checkpoint: %w", err)
	}
	last, err := b.newest(ctx)
	if err != nil {
		return d, err
	}
	settler, s, w, err := b.settler()
	if err != nil {
		return d, err
	}
	s.last.Store(last)
	d.begun = b.cfg.Clock()
	if err := settler.Run(ctx); err != nil {
		return d, fmt.Errorf("settle: %w", err)
	}
	d.Took = b.cfg.Clock().Sub(d.begun)
	if next := settler.Cursor().Next; next <= last {
		return d, fmt.Errorf("up to %d of %d: %w", next-1, last, errShort)
	}
	d.fills = fills(s, w)
	d.Fills, d.Events = len(d.fills), len(s.times)
	if d.Fills < n {
		return d, fmt.Errorf("%d fills of %d: %w", d.Fills, n, errShort)
	}
	d.Batches, err = b.batches(ctx, s.first)
	return d, err
}

// batches counts those from a sequence on that are of more than one event; checkpoints
// are alone.
func (b *bench) batches(ctx context.Context, from uint64) (out Batches, err error) {
	err = b.pool.QueryRow(ctx, `SELECT count(*), coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY last_seq - first_seq + 1), 0), coalesce(max(last_seq - first_seq + 1), 0)
		FROM trading.batch WHERE shard = 0 AND first_seq >= $1 AND last_seq > first_seq`, int64(from)).Scan(&out.Count, &out.P50, &out.Max) //nolint:gosec // below 2^63 for ever
	if err != nil {
		return out, fmt.Errorf("read batches: %w", err)
	}
	return out, nil
}
