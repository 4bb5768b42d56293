package feed_test

import (
	"slices"
	"testing"

	"strongroom/feed"
	"strongroom/matching/engine"
	"strongroom/matching/engine/flow"
)

// TestBookIsTheEnginesDepth runs streams of everything that can be said and holds the
// book that events make against what the engine shows.
func TestBookIsTheEnginesDepth(t *testing.T) {
	for seed := range uint64(30) {
		stream := flow.NewAny(seed, flow.All)
		e, err := engine.New(stream.Shard())
		if err != nil {
			t.Fatal(err)
		}
		books := map[engine.MarketID]*feed.Book{}
		mirrors := map[engine.MarketID]map[engine.Side]map[int64]int64{}
		var events []engine.Event
		for n := range 3000 {
			step := stream.Next()
			events = step.Do(e, events[:0])
			stream.Saw(events)
			for i := range events {
				take(books, mirrors, &events[i])
			}
			if n%10 == 0 {
				compare(t, e, books, mirrors)
			}
		}
	}
}

func take(books map[engine.MarketID]*feed.Book, mirrors map[engine.MarketID]map[engine.Side]map[int64]int64, v *engine.Event) {
	if books[v.Market] == nil {
		books[v.Market] = feed.NewBook()
		mirrors[v.Market] = map[engine.Side]map[int64]int64{engine.Buy: {}, engine.Sell: {}}
	}
	for _, c := range books[v.Market].Apply(v, nil) {
		if c.Qty == 0 {
			delete(mirrors[v.Market][c.Side], c.Price)
		} else {
			mirrors[v.Market][c.Side][c.Price] = c.Qty
		}
	}
}

func compare(t *testing.T, e *engine.Engine, books map[engine.MarketID]*feed.Book, mirrors map[engine.MarketID]map[engine.Side]map[int64]int64) {
	t.Helper()
	for market, book := range books {
		for _, side := range []engine.Side{engine.Buy, engine.Sell} {
			var want []feed.Level
			for _, l := range e.Depth(market, side, 1<<16, nil) {
				want = append(want, feed.Level{Price: l.Price, Qty: l.Qty})
			}
			if got := book.Top(side, 0); !slices.Equal(got, want) {
				t.Fatalf("market %d side %d: %v, the engine shows %v", market, side, got, want)
			}
			if len(mirrors[market][side]) != len(want) {
				t.Fatalf("changes lead to %d levels of %d", len(mirrors[market][side]), len(want))
			}
			for _, l := range want {
				if mirrors[market][side][l.Price] != l.Qty {
					t.Fatalf("changes lead to %d at %d instead of %d", mirrors[market][side][l.Price], l.Price, l.Qty)
				}
			}
		}
	}
}
