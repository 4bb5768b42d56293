package live_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"strongroom/feed"
	"strongroom/feed/live"
	"strongroom/matching/engine"
)

// filled is a store that has nothing at first, and once it is filled the trades that
// nobody keeps as events.
type filled struct {
	mu     sync.Mutex
	next   uint64
	trades []feed.Trade
	minute []feed.Candle
}

func (f *filled) fill(next uint64, of *feed.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next, f.trades = next, of.Trades
	f.minute = []feed.Candle{{Start: time.Now().Truncate(time.Minute).UnixNano(), Open: 1, High: 1, Low: 1, Close: 1, Volume: 1_000_000, Trades: 1, Seq: 1}} //nolint:forbidigo // the shard's clock is it too
}

func (f *filled) Past(context.Context, []engine.MarketID) (map[engine.MarketID]feed.Past, uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return map[engine.MarketID]feed.Past{1: {Trades: f.trades, Minutes: f.minute}}, max(f.next, 1), nil
}

func (f *filled) Range(context.Context, engine.MarketID, feed.Interval, time.Time, time.Time, int) ([]feed.Candle, error) {
	return nil, nil
}

// TestCandlesAreWholeOnceTheStoreHasWhatNobodyKeeps follows a shard that has no event of
// before: its candles lack trades until the store was filled from elsewhere, and no longer.
func TestCandlesAreWholeOnceTheStoreHasWhatNobodyKeeps(t *testing.T) {
	c := shard(t)
	s := opened(t, c)
	dice := rand.New(rand.NewPCG(9, 6))
	do(t, s, orders(dice, 100))
	store, later := &filled{}, atomic.Int64{}
	l, err := live.New(live.Config{
		Client: unkept{c}, Markets: map[string]engine.MarketID{"A-B": 1}, Candles: store, Pause: time.Millisecond, Logger: slog.New(slog.DiscardHandler),
		Clock: func() time.Time { return time.Now().Add(time.Duration(later.Load())) }, //nolint:forbidigo // the shard's is it too
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	m := l.Feed("A-B")
	reached(t, c, m)
	resting, err := c.Resting(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	later.Add(int64(time.Minute))
	do(t, s, orders(dice, 20)) // it looks, and there is nothing
	reached(t, c, m)
	before := m.Whole()
	if before.Day.Volume >= 1_000_000 {
		t.Fatalf("%+v", before.Day)
	}
	store.fill(resting.Seq+1, &before)
	later.Add(int64(time.Minute))
	do(t, s, orders(dice, 20))
	reached(t, c, m)
	await(t, m, func(now *feed.Message) bool { return now.Day.Volume > 1_000_000+before.Day.Volume })
	do(t, s, orders(dice, 20))
	reached(t, c, m)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
