package live

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strongroom/feed"
	"strongroom/internal/kv"
	"strongroom/matching/client"
	"strongroom/matching/engine"
)

// Shard is what is followed; *client.Client is one.
type Shard interface {
	Resting(ctx context.Context, markets ...engine.MarketID) (client.Resting, error)
	Events(ctx context.Context, epoch, seq uint64) iter.Seq2[client.Batch, error]
}

// Candles is what was kept of trades; *candledb.Store is one.
type Candles interface {
	// Past returns what is known of trades before event next.
	Past(ctx context.Context, markets []engine.MarketID) (past map[engine.MarketID]feed.Past, next uint64, err error)
	// Range returns up to limit candles that begin in [from, to), oldest first.
	Range(ctx context.Context, market engine.MarketID, interval feed.Interval, from, to time.Time, limit int) ([]feed.Candle, error)
}

// Config is what a Live works with.
type Config struct {
	Client Shard
	// Markets are those that are followed, by name.
	Markets map[string]engine.MarketID
	Candles Candles
	// Store keeps a snapshot of each market; nil keeps none.
	Store  kv.Store
	Clock  func() time.Time
	Logger *slog.Logger
	// Pause is between a failure and the next try, zero for a second.
	Pause      time.Duration
	Registerer prometheus.Registerer // nil for none
}

const defaultPause = time.Second

// ErrUnknown reports a market that is not followed.
var ErrUnknown = errors.New("no such market")

// Live is the live data of a shard's markets. All but Run is safe for concurrent use.
type Live struct {
	cfg     Config
	markets map[engine.MarketID]*market
	figures *figures

	mu     sync.Mutex
	newest int64 // log time of the newest event, ns
	live   bool
}

// market is one with what its closed candles were moments ago, which the store may not
// have yet.
type market struct {
	id   engine.MarketID
	name string
	feed *feed.Market

	mu     sync.Mutex
	closed map[feed.Interval][]feed.Candle // the newest, oldest first
}

// New checks what it is given. Markets can be read at once; they are empty until Run
// has begun.
func New(cfg Config) (*Live, error) {
	if cfg.Client == nil || cfg.Candles == nil || cfg.Clock == nil || cfg.Logger == nil || len(cfg.Markets) == 0 {
		return nil, errors.New("live data needs a shard, markets, candles, a clock and a logger")
	}
	if cfg.Pause <= 0 {
		cfg.Pause = defaultPause
	}
	l := &Live{cfg: cfg, markets: map[engine.MarketID]*market{}}
	for name, id := range cfg.Markets {
		if l.markets[id] != nil {
			return nil, fmt.Errorf("markets %s and %s have the same number %d", name, l.markets[id].name, id)
		}
		l.markets[id] = &market{id: id, name: name, feed: feed.NewMarket(nil, nil), closed: map[feed.Interval][]feed.Candle{}}
	}
	l.figures = newFigures(cfg.Registerer, l)
	return l, nil
}

func (l *Live) ids() []engine.MarketID { return slices.Sorted(maps.Keys(l.markets)) }

// named returns a market, nil where there is none of that name.
func (l *Live) named(name string) *market {
	id, ok := l.cfg.Markets[name]
	if !ok {
		return nil
	}
	return l.markets[id]
}

// Feed returns a market's live data, nil where there is no such market.
func (l *Live) Feed(name string) *feed.Market {
	if m := l.named(name); m != nil {
		return m.feed
	}
	return nil
}

// Behind is how old the newest event is, by the shard's time, and whether the shard is
// followed now. A shard without commands has no new events; checkpoints are some.
func (l *Live) Behind() (age time.Duration, live bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.newest == 0 {
		return 0, false
	}
	return max(0, l.cfg.Clock().Sub(time.Unix(0, l.newest))), l.live
}

func (l *Live) heard(at int64, live bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.newest, l.live = max(l.newest, at), live
}

// Candles returns up to limit candles that begin in [from, to), oldest first: those of
// the store, and what it does not have yet. The newest may still change. Errors:
// ErrUnknown, those of the store.
func (l *Live) Candles(ctx context.Context, name string, interval feed.Interval, from, to time.Time, limit int) ([]feed.Candle, error) {
	m := l.named(name)
	if m == nil {
		return nil, fmt.Errorf("candles of %q: %w", name, ErrUnknown)
	}
	list, err := l.cfg.Candles.Range(ctx, m.id, interval, from, to, limit)
	if err != nil {
		return nil, fmt.Errorf("candles of %s: %w", name, err)
	}
	for _, c := range m.recent(interval) {
		if c.Trades > 0 && c.Start >= from.UnixNano() && c.Start < to.UnixNano() {
			list = put(list, c, limit)
		}
	}
	return list, nil
}

// put puts a candle at its place where it is newer than what is there. Only behind the
// last one is a place for another.
func put(list []feed.Candle, c feed.Candle, limit int) []feed.Candle {
	at, found := slices.BinarySearchFunc(list, c.Start, func(x feed.Candle, start int64) int {
		switch {
		case x.Start < start:
			return -1
		case x.Start > start:
			return 1
		}
		return 0
	})
	switch {
	case found && list[at].Seq < c.Seq:
		list[at] = c
	case !found && at == len(list) && len(list) < limit:
		list = append(list, c)
	}
	return list
}

// recent are the newest candles of an interval, oldest first, the open one last.
func (m *market) recent(interval feed.Interval) []feed.Candle {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append(slices.Clone(m.closed[interval]), m.feed.Open(interval))
}
