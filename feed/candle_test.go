package feed_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"strongroom/feed"
	"strongroom/matching/engine"
)

func trades(seed uint64, n int) []engine.Event {
	dice := rand.New(rand.NewPCG(seed, 1))
	out := make([]engine.Event, n)
	now := int64(1_700_000_000_123_456_789)
	for i := range out {
		now += dice.Int64N(int64(40 * time.Second))
		if dice.IntN(200) == 0 {
			now += dice.Int64N(int64(9 * time.Hour))
		}
		out[i] = engine.Event{Seq: uint64(3*i + 1), Time: now, Kind: engine.EventTrade, Price: 1 + dice.Int64N(1000), Qty: 1 + dice.Int64N(50)}
	}
	return out
}

// over adds trades up the plain way.
func over(events []engine.Event, from, to int64) (c feed.Candle) {
	c.Start = from
	for _, v := range events {
		if v.Time < from || v.Time >= to {
			continue
		}
		if c.Trades == 0 {
			c.Open, c.High, c.Low = v.Price, v.Price, v.Price
		}
		c.High, c.Low, c.Close = max(c.High, v.Price), min(c.Low, v.Price), v.Price
		c.Volume += v.Qty
		c.Turnover.Lo += uint64(v.Price * v.Qty)
		c.Trades++
		c.Seq = v.Seq
	}
	return c
}

func TestCandlesAddUpTheirTrades(t *testing.T) {
	events := trades(1, 5000)
	candles := feed.NewCandles(nil)
	var closed []feed.Closed
	for i := range events {
		closed = candles.Trade(&events[i], closed)
		if i == 2500 { // a restart, and a part that comes again
			candles = feed.NewCandles(candles.All())
			for j := i - 100; j <= i; j++ {
				closed = candles.Trade(&events[j], closed)
			}
		}
	}
	counted := map[feed.Interval]int64{}
	for _, c := range closed {
		if want := over(events, c.Start, c.Start+int64(c.Interval)); c.Candle != want || c.Start%int64(c.Interval) != 0 {
			t.Fatalf("candle of %s: %+v, its trades make %+v", time.Duration(c.Interval), c.Candle, want)
		}
		counted[c.Interval] += c.Trades
	}
	for _, interval := range feed.Intervals() {
		if n := counted[interval] + candles.Open(interval).Trades; n != int64(len(events)) {
			t.Errorf("candles of %s have %d trades of %d", time.Duration(interval), n, len(events))
		}
	}
	if candles.Open(17) != (feed.Candle{}) {
		t.Error("an interval that is not kept has a candle")
	}
}

func TestTickerIsTheLast24Hours(t *testing.T) {
	events := trades(2, 5000)
	ticker := feed.NewTicker(nil)
	for i := range events {
		ticker.Trade(&events[i])
		ticker.Trade(&events[i])
		if i%97 != 0 {
			continue
		}
		now := events[i].Time
		first := now - int64(24*time.Hour)
		first += int64(time.Minute) - first%int64(time.Minute) // to the minute
		want := over(events[:i+1], first, now+1)
		want.Start = now - int64(24*time.Hour)
		if got := ticker.Last24Hours(now); got != want {
			t.Fatalf("trade %d: %+v instead of %+v", i, got, want)
		}
	}
	if quiet := ticker.Last24Hours(events[len(events)-1].Time + int64(25*time.Hour)); quiet.Trades != 0 {
		t.Errorf("after a quiet day: %+v", quiet)
	}
}
