package feed_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"testing"

	"strongroom/feed"
	"strongroom/matching/engine"
	"strongroom/matching/engine/flow"
)

// screen is what a trader makes of a reader's messages.
type screen struct {
	t      *testing.T
	reader *feed.Reader
	every  int // it looks once in so many batches
	seq    uint64
	sides  [2]map[int64]int64
	trades []feed.Trade
	wholes int
}

func (s *screen) look() {
	s.t.Helper()
	m, err := s.reader.Next(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	if m.Whole {
		s.sides, s.seq, s.wholes = [2]map[int64]int64{{}, {}}, 0, s.wholes+1
	}
	if m.Prev != s.seq {
		s.t.Fatalf("message %d follows %d, the last one was %d", m.Seq, m.Prev, s.seq)
	}
	s.seq = m.Seq
	for side, levels := range [2][]feed.Level{m.Bids, m.Asks} {
		for _, l := range levels {
			if s.sides[side][l.Price] = l.Qty; l.Qty == 0 {
				delete(s.sides[side], l.Price)
			}
		}
	}
	s.trades = append(s.trades, m.Trades...)
}

func (s *screen) levels(side engine.Side) []feed.Level {
	var out []feed.Level
	for price, qty := range s.sides[side] {
		out = append(out, feed.Level{Price: price, Qty: qty})
	}
	slices.SortFunc(out, func(a, b feed.Level) int {
		if side == engine.Buy {
			a, b = b, a
		}
		return cmp.Compare(a.Price, b.Price)
	})
	return out
}

// TestReadersSeeTheSameBook lets readers of all speeds follow a market: whoever looks
// sees what the engine shows at that moment, and no trade is told of twice.
func TestReadersSeeTheSameBook(t *testing.T) {
	mix := flow.NewMix(flow.MixConfig{Seed: 3, Markets: 1, Accounts: 8, Depth: 500})
	e, err := engine.New(mix.Shard())
	if err != nil {
		t.Fatal(err)
	}
	market := feed.NewMarket(nil, nil)
	screens := []*screen{}
	for _, every := range []int{1, 7, 300, 20_000} {
		screens = append(screens, &screen{t: t, reader: market.Read(), every: every})
	}
	var batch []engine.Event
	steps := mix.Setup()
	traded := 0
	for n := range 60_000 {
		var step flow.Step
		if n < len(steps) {
			step = steps[n]
		} else {
			step = mix.Next()
		}
		batch = step.Do(e, batch[:0])
		mix.Saw(batch)
		for i := range batch {
			if batch[i].Kind == engine.EventTrade {
				traded++
			}
		}
		market.Take(batch, nil)
		for _, s := range screens {
			if n%s.every == s.every-1 {
				s.look()
				s.compare(e)
			}
		}
	}
	if got := len(screens[0].trades); got != traded {
		t.Errorf("who looked at each moment saw %d trades of %d", got, traded)
	}
	for _, s := range screens {
		if !slices.IsSortedFunc(s.trades, func(a, b feed.Trade) int { return cmp.Compare(a.Seq, b.Seq) }) {
			t.Error("trades are out of order or twice there")
		}
	}
	if screens[0].wholes != 1 || screens[3].wholes < 2 {
		t.Errorf("the whole book was sent %d times to the fastest, %d times to the slowest", screens[0].wholes, screens[3].wholes)
	}
	if whole := market.Whole(); !whole.Whole || whole.Seq == 0 || len(whole.Trades) != feed.RecentTrades {
		t.Errorf("everything is %d, %d trades", whole.Seq, len(whole.Trades))
	}
}

func (s *screen) compare(e *engine.Engine) {
	s.t.Helper()
	for _, side := range []engine.Side{engine.Buy, engine.Sell} {
		var want []feed.Level
		for _, l := range e.Depth(0, side, 1<<16, nil) {
			want = append(want, feed.Level{Price: l.Price, Qty: l.Qty})
		}
		if got := s.levels(side); !slices.Equal(got, want) {
			s.t.Fatalf("who looks every %d: %v, the engine shows %v", s.every, got, want)
		}
	}
}

func TestReaderWaitsForNews(t *testing.T) {
	market := feed.NewMarket(nil, nil)
	r := market.Read()
	if m, err := r.Next(t.Context()); err != nil || !m.Whole || m.Seq != 0 {
		t.Fatalf("%+v, %v", m, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("nothing new: %v", err)
	}
	got := make(chan feed.Message, 1)
	go func() {
		m, _ := r.Next(t.Context())
		got <- m
	}()
	market.Take([]engine.Event{{Seq: 9, Kind: engine.EventState, State: engine.Open, Until: 5}}, nil)
	if m := <-got; m.Whole || m.Seq != 9 || m.State != engine.Open || m.Until != 5 {
		t.Errorf("%+v", m)
	}
}
