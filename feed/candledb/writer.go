package candledb

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

	"strongroom/feed"
	"strongroom/matching/client"
	"strongroom/matching/engine"
)

// Errors of a Writer.
var (
	// ErrContended reports that somebody else writes the candles of this shard.
	ErrContended = errors.New("somebody else writes these candles")
	// ErrGap reports events that are missing between those that came.
	ErrGap = errors.New("events leave a gap")
)

// Where nothing else is said.
const (
	defaultEvery = time.Second
	defaultMost  = 50_000          // events between two transactions
	queued       = 64              // batches that wait while a transaction runs
	retryPause   = 2 * time.Second // after a failure
	secondsFor   = 3 * 24 * time.Hour
	forgetMost   = 10_000 // candles that are deleted at once
	forgetEvery  = time.Minute
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
	Clock  func() time.Time
	Logger *slog.Logger
	// Every and Most are when to write: so often, and after so many events. Zero for
	// once a second and 50,000.
	Every      time.Duration
	Most       int
	Registerer prometheus.Registerer // nil for none
}

// Writer makes the candles of a shard. Run it in one process at a time: a second one is
// in nobody's way, it fails and tries again.
type Writer struct {
	cfg     WriterConfig
	store   *Store
	figures *figures

	epoch, next, kept uint64 // kept is next as the database has it
	began             bool
	markets           map[engine.MarketID]*feed.Candles
	closed            []row
	touched           map[engine.MarketID]bool
	forgot            time.Time
}

// row is a candle with its place.
type row struct {
	market engine.MarketID
	feed.Closed
}

// NewWriter checks what it is given.
func NewWriter(cfg WriterConfig) (*Writer, error) {
	if cfg.Pool == nil || cfg.Events == nil || cfg.Clock == nil || cfg.Logger == nil {
		return nil, errors.New("writer of candles needs a database, events, a clock and a logger")
	}
	if cfg.Every <= 0 {
		cfg.Every = defaultEvery
	}
	if cfg.Most <= 0 {
		cfg.Most = defaultMost
	}
	return &Writer{cfg: cfg, store: NewStore(cfg.Pool, cfg.Shard), figures: newFigures(cfg.Registerer, cfg.Shard)}, nil
}

// Run writes until ctx ends, and returns nil then. What fails is told to the logger and
// tried again.
func (w *Writer) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := w.follow(ctx)
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, client.ErrNotKept) {
			err = w.Fill(ctx)
		}
		if err != nil && ctx.Err() == nil {
			w.cfg.Logger.WarnContext(ctx, "write candles", slog.Any("error", err))
		}
		pause(ctx, retryPause)
	}
	return nil //nolint:nilerr // the end of ctx is no failure, and failures are told
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

type heard struct {
	batch client.Batch
	err   error
}

// follow writes from the cursor on until something fails.
func (w *Writer) follow(ctx context.Context) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	batches, done := make(chan heard, queued), make(chan struct{})
	defer func() {
		cancel()
		<-done
	}()
	go func() {
		defer close(done)
		defer close(batches)
		for b, err := range w.cfg.Events.Events(ctx, w.epoch, w.next) {
			select {
			case batches <- heard{b, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	ticks := time.NewTicker(w.cfg.Every)
	defer ticks.Stop()
	for {
		select {
		case h, ok := <-batches:
			if !ok {
				return ctx.Err() //nolint:wrapcheck // the caller's own
			}
			if err := w.hear(ctx, h); err != nil {
				return err
			}
		case <-ticks.C:
			if err := w.flush(ctx); err != nil {
				return err
			}
		}
	}
}

// hear takes a batch in and writes where there is much.
func (w *Writer) hear(ctx context.Context, h heard) error {
	if h.err != nil {
		return errors.Join(h.err, w.flush(ctx))
	}
	if err := w.take(&h.batch); err != nil {
		return err
	}
	if w.next-w.kept >= uint64(w.cfg.Most) { //nolint:gosec // above zero
		return w.flush(ctx)
	}
	return nil
}

// begin reads what was written; the candles of a market when it is first traded.
func (w *Writer) begin(ctx context.Context) (err error) {
	w.markets, w.touched, w.closed = map[engine.MarketID]*feed.Candles{}, map[engine.MarketID]bool{}, nil
	if w.epoch, w.next, err = cursor(ctx, w.cfg.Pool, w.cfg.Shard, ""); err != nil {
		return err
	}
	w.kept, w.began = w.next, true
	rows, err := w.cfg.Pool.Query(ctx, `SELECT DISTINCT market FROM feed.candle WHERE shard = $1 AND interval_ns = $2`, w.cfg.Shard, int64(24*time.Hour))
	var ids []int32
	if err == nil {
		ids, err = pgx.CollectRows(rows, pgx.RowTo[int32])
	}
	if err != nil {
		return fmt.Errorf("read markets: %w", err)
	}
	for _, id := range ids {
		market := engine.MarketID(id) //nolint:gosec // the table's bound
		list, err := newest(ctx, w.cfg.Pool, w.cfg.Shard, market)
		if err != nil {
			return err
		}
		w.markets[market] = feed.NewCandles(list)
	}
	return nil
}

// take takes the events of a batch that are new.
func (w *Writer) take(b *client.Batch) error {
	for i := range b.Events {
		v := &b.Events[i]
		if v.Seq < w.next {
			continue
		}
		if v.Seq > w.next {
			return fmt.Errorf("%w: %d follows %d", ErrGap, v.Seq, w.next-1)
		}
		w.next++
		if v.Kind == engine.EventTrade {
			w.trade(v)
		}
	}
	w.epoch = max(w.epoch, b.Epoch)
	return nil
}

func (w *Writer) trade(v *engine.Event) {
	c := w.markets[v.Market]
	if c == nil {
		c = feed.NewCandles(nil)
		w.markets[v.Market] = c
	}
	for _, closed := range c.Trade(v, nil) {
		w.closed = append(w.closed, row{v.Market, closed})
	}
	w.touched[v.Market] = true
}
