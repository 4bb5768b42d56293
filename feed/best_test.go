package feed_test

import (
	"testing"

	"strongroom/feed"
	"strongroom/matching/engine"
)

func TestBestIsTheTopOfEachSide(t *testing.T) {
	m := feed.NewMarket(nil, nil)
	if bid, ask := m.Best(); bid != 0 || ask != 0 {
		t.Errorf("of an empty book: %d, %d", bid, ask)
	}
	m.Begin(&feed.Standing{Seq: 1, Orders: []feed.Order{
		{ID: 1, Side: engine.Buy, Price: 98, Shown: 1}, {ID: 2, Side: engine.Buy, Price: 99, Shown: 1}, {ID: 3, Side: engine.Sell, Price: 101, Shown: 1},
	}})
	if bid, ask := m.Best(); bid != 99 || ask != 101 {
		t.Errorf("best are %d and %d", bid, ask)
	}
	m.Take([]engine.Event{
		{Seq: 2, Kind: engine.EventRested, Order: 4, Side: engine.Buy, Price: 100, Shown: 1, Left: 1},
		{Seq: 3, Kind: engine.EventCancelled, Order: 3},
	}, nil)
	if bid, ask := m.Best(); bid != 100 || ask != 0 {
		t.Errorf("then best are %d and %d", bid, ask)
	}
	m.Begin(&feed.Standing{Seq: 9})
	if bid, ask := m.Best(); bid != 0 || ask != 0 {
		t.Errorf("begun anew, best are %d and %d", bid, ask)
	}
}
