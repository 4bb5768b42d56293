package blotter

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"strongroom/matching/chain"
	"strongroom/matching/client"
	"strongroom/matching/engine"
)

// Bounds of a Writer.
const (
	defaultMost    = 16_384 // events in one transaction
	queued         = 64     // batches that wait while a transaction runs
	retryPause     = 2 * time.Second
	forgottenAfter = 30 * 24 * time.Hour
	forgetMost     = 10_000 // orders that are deleted at once
	forgetEvery    = time.Minute
)

// Events is where a shard's events come from; *client.Client is one.
type Events interface {
	Events(ctx context.Context, epoch, seq uint64) iter.Seq2[client.Batch, error]
}

// WriterConfig is what a Writer works with.
type WriterConfig struct {
	Pool   *pgxpool.Pool
	Shard  int32
	Events Events
	// Waiting is asked where no node keeps the events that come next.
	Waiting Waiting
	Clock   func() time.Time
	Logger  *slog.Logger
	// Most is how many events one transaction takes, zero for 16,384. It takes what
	// waits, so that a shard with little to say is written down at once.
	Most       int
	Registerer prometheus.Registerer // nil for none
}

// Writer writes the history of a shard. Run it in one process at a time: a second one is
// in nobody's way, it fails and tries again.
type Writer struct {
	cfg     WriterConfig
	figures *figures

	epoch, next uint64
	hash        chain.Hash
	half        pair
	forgot      time.Time
	gap         *gap // that is being bridged
}

// NewWriter checks what it is given.
func NewWriter(cfg WriterConfig) (*Writer, error) {
	if cfg.Pool == nil || cfg.Events == nil || cfg.Waiting == nil || cfg.Clock == nil || cfg.Logger == nil {
		return nil, errors.New("writer of order history needs a database, events, what waits, a clock and a logger")
	}
	if cfg.Most <= 0 {
		cfg.Most = defaultMost
	}
	return &Writer{cfg: cfg, figures: newFigures(cfg.Registerer, cfg.Shard)}, nil
}

// Run writes until ctx ends, and returns nil then. What fails is told to the logger and
// tried again from the cursor. Where no node keeps the events that come next, it goes on
// behind them, see bridge.
func (w *Writer) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := w.follow(ctx); err != nil && ctx.Err() == nil {
			w.cfg.Logger.WarnContext(ctx, "write order history", slog.Any("error", err))
		}
		t := time.NewTimer(retryPause)
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
	return nil
}

// told is a batch, or why there are no more.
type told struct {
	batch client.Batch
	err   error
}

// follow writes from the cursor on until something fails.
func (w *Writer) follow(ctx context.Context) error {
	if err := w.load(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	ahead := make(chan told, queued)
	go func() {
		defer close(ahead)
		for b, err := range w.cfg.Events.Events(ctx, w.epoch, w.next) {
			select {
			case ahead <- told{b, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() { // the reader has ended when we have
		stop()
		for range ahead {
		}
	}()
	err := w.drain(ctx, ahead)
	if errors.Is(err, client.ErrNotKept) {
		err = w.bridge(ctx, err)
	}
	return err
}

// drain writes what waits, as much at once as there is.
func (w *Writer) drain(ctx context.Context, ahead <-chan told) error {
	for first := range ahead {
		p := w.begin()
		err := p.take(&first)
		for err == nil && p.next-w.next < uint64(w.cfg.Most) { //nolint:gosec // above zero
			select {
			case more, ok := <-ahead:
				if ok {
					err = p.take(&more)
					continue
				}
			default:
			}
			break
		}
		// What came before the fault is written.
		if e := w.write(ctx, p); e != nil {
			return e
		}
		if err != nil {
			return err
		}
	}
	return nil // ctx has ended
}

// part is what one transaction writes.
type part struct {
	epoch, next uint64
	hash        chain.Hash
	changes     *changes
	time        int64 // of the last event
	head        uint64
}

func (w *Writer) begin() *part {
	return &part{epoch: w.epoch, next: w.next, hash: w.hash, changes: newChanges(w.half)}
}

// take adds what of a batch is new.
func (p *part) take(t *told) error {
	b := &t.batch
	p.head = max(p.head, b.Head)
	switch {
	case t.err != nil:
		return t.err
	case len(b.Events) == 0 || b.Epoch < p.epoch || b.Events[len(b.Events)-1].Seq < p.next:
		return nil // of a leader that is none any more, or known
	case b.Events[0].Seq > p.next:
		return fmt.Errorf("%w: event %d comes where %d is next", ErrGap, b.Events[0].Seq, p.next)
	}
	known := p.next - b.Events[0].Seq
	if b.Before.Over(b.Events[:known]) != p.hash {
		return fmt.Errorf("%w: before event %d", ErrForked, p.next)
	}
	fresh := b.Events[known:]
	for i := range fresh {
		if fresh[i].Seq != p.next {
			return fmt.Errorf("%w: event %d comes where %d is next", ErrGap, fresh[i].Seq, p.next)
		}
		p.changes.take(&fresh[i])
		p.hash = p.hash.Next(&fresh[i])
		p.next++
		p.time = fresh[i].Time
	}
	p.epoch = b.Epoch
	return nil
}

// load reads how far the history is.
func (w *Writer) load(ctx context.Context) error {
	w.epoch, w.next, w.hash, w.half = 0, 1, chain.Hash{}, pair{}
	var hash []byte
	var half int64
	err := w.cfg.Pool.QueryRow(ctx, `SELECT epoch, next_seq, hash, half_order, half_account FROM blotter.cursor WHERE shard = $1`, w.cfg.Shard).
		Scan(&w.epoch, &w.next, &hash, &half, &w.half.account)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read cursor of order history: %w", err)
	}
	copy(w.hash[:], hash)
	w.half.seq, w.half.order = w.next-1, engine.OrderID(half) //nolint:gosec // bits
	return nil
}
