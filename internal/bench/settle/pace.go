package settlebench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// checkpointEvery is the time between two checkpoints of a steady load: the default of
// `strongroom trading`.
const checkpointEvery = 5 * time.Second

// Pace is how far behind settlement was while fills came at a rate.
type Pace struct {
	Rate int // offered, fills a second
	// Made is what the node made of them a second, and Late how late the last were
	// offered.
	Made float64
	Late time.Duration
	// From a trade's log time to its commit in the ledger.
	P50, P99, Max time.Duration
	// Events that the node had made and the ledger had not, seen at each commit.
	BehindP50, BehindP99, BehindMax int
	Batches                         Batches
}

// String is one line.
func (p Pace) String() string {
	return fmt.Sprintf("%6d/s offered, %.0f/s made (last %s late): behind by p50 %s p99 %s max %s; events p50 %d p99 %d max %d; %d transactions of %d events (median), %d at most",
		p.Rate, p.Made, short(p.Late), short(p.P50), short(p.P99), short(p.Max), p.BehindP50, p.BehindP99, p.BehindMax, p.Batches.Count, p.Batches.P50, p.Batches.Max)
}

// pace settles while fills are offered at a rate, with checkpoints between.
func (b *bench) pace(ctx context.Context, rate int) (p Pace, err error) {
	settler, s, w, err := b.settler()
	if err != nil {
		return p, err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- settler.Run(running) }()
	p.Rate = rate
	begun := b.cfg.Clock()
	for left := b.cfg.Duration; left > 0 && err == nil; left -= checkpointEvery {
		if p.Late, err = b.steady(ctx, rate, min(left, checkpointEvery)); err == nil {
			err = b.floor.Checkpoint(ctx)
		}
	}
	lasted := b.cfg.Clock().Sub(begun)
	if err == nil {
		err = b.finish(ctx, s)
	}
	if err != nil {
		stop()
	}
	if err = errors.Join(err, <-ended); err != nil {
		return p, err
	}
	return p, b.figures(ctx, &p, s, w, lasted)
}

// finish tells the stream where to end, and makes an event there.
func (b *bench) finish(ctx context.Context, s *stream) error {
	last, err := b.newest(ctx)
	if err != nil {
		return err
	}
	s.last.Store(last + 1)
	if err := b.floor.Checkpoint(ctx); err != nil {
		return fmt.Errorf("ask for a checkpoint: %w", err)
	}
	return nil
}

func (b *bench) figures(ctx context.Context, p *Pace, s *stream, w *book, lasted time.Duration) (err error) {
	all := fills(s, w)
	if len(all) == 0 {
		return errShort
	}
	waits := make([]time.Duration, len(all))
	for i, f := range all {
		waits[i] = f.settled.Sub(f.made)
	}
	slices.Sort(waits)
	events := behind(s, w)
	slices.Sort(events)
	p.Made = float64(len(all)) / lasted.Seconds()
	p.P50, p.P99, p.Max = at(waits, 0.5), at(waits, 0.99), waits[len(waits)-1]
	p.BehindP50, p.BehindP99, p.BehindMax = at(events, 0.5), at(events, 0.99), events[len(events)-1]
	p.Batches, err = b.batches(ctx, s.first)
	return err
}

// at is a quantile of what is sorted.
func at[T any](sorted []T, part float64) T {
	return sorted[min(len(sorted)-1, int(part*float64(len(sorted))))]
}
