package feed_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"strongroom/feed"
	"strongroom/matching/engine"
	"strongroom/matching/engine/flow"
)

// gathered makes standings out of a walk.
type gathered struct {
	seq  uint64
	list map[engine.MarketID]*feed.Standing
}

func (g *gathered) State(row *engine.StateRow) {
	switch row.Kind { //nolint:exhaustive // others are not of books
	case engine.RowClock:
		g.seq = row.Seq
	case engine.RowMarket:
		g.list[row.Market] = &feed.Standing{Seq: g.seq, State: row.State, Until: row.Time}
	}
}

func (g *gathered) Order(row *engine.OrderRow) {
	if row.Price != 0 && row.Shown != 0 {
		s := g.list[row.Market]
		s.Orders = append(s.Orders, feed.Order{ID: row.Order, Side: row.Side, Price: row.Price, Shown: row.Shown})
	}
}

func (*gathered) Money(*engine.MoneyRow) {}

// TestBegunInTheMiddleIsAsFromTheFirstEvent begins markets anywhere in a stream, gives
// them events that they know already, and holds them against the engine and against
// markets that saw everything.
func TestBegunInTheMiddleIsAsFromTheFirstEvent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stream := flow.NewAny(rapid.Uint64().Draw(t, "seed"), flow.All)
		e, err := engine.New(stream.Shard())
		if err != nil {
			t.Fatal(err)
		}
		var events []engine.Event
		run := func(n int) {
			for range n {
				step := stream.Next()
				from := len(events)
				events = step.Do(e, events)
				stream.Saw(events[from:])
			}
		}
		run(rapid.IntRange(0, 1500).Draw(t, "before"))
		g := gathered{list: map[engine.MarketID]*feed.Standing{}}
		e.Freeze(nil).Walk(&g)
		back := rapid.IntRange(0, len(events)).Draw(t, "again")
		known := len(events)
		run(rapid.IntRange(1, 300).Draw(t, "after"))
		for id, standing := range g.list {
			all, begun := feed.NewMarket(nil, nil), feed.NewMarket(nil, nil)
			for i := range events {
				if events[i].Market != id {
					continue
				}
				all.Take(events[i:i+1], nil)
				if i < known-back { // what the store knew
					begun.Take(events[i:i+1], nil)
				}
			}
			reader := begun.Read()
			_, _ = reader.Next(t.Context())
			begun.Begin(standing)
			for i := max(0, known-back); i < len(events); i++ {
				if events[i].Market == id {
					begun.Take(events[i:i+1], nil)
				}
			}
			got, want := begun.Whole(), all.Whole()
			if !slices.Equal(got.Bids, want.Bids) || !slices.Equal(got.Asks, want.Asks) || got.State != want.State || got.Until != want.Until {
				t.Fatalf("market %d: %+v instead of %+v", id, got, want)
			}
			if !slices.Equal(got.Trades, want.Trades) || !slices.Equal(got.Candles, want.Candles) {
				t.Fatalf("market %d: trades %+v instead of %+v", id, got.Trades, want.Trades)
			}
			for side, levels := range [2][]feed.Level{got.Bids, got.Asks} {
				depth := e.Depth(id, engine.Side(side), 1<<16, nil)
				if len(depth) != len(levels) {
					t.Fatalf("market %d: %d prices, the engine has %d", id, len(levels), len(depth))
				}
			}
			if message, _ := reader.Next(t.Context()); !message.Whole || !slices.Equal(message.Trades, want.Trades) {
				t.Fatalf("market %d: a reader of before finds %+v", id, message)
			}
		}
	})
}
