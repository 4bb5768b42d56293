package feed

import (
	"time"

	"strongroom/matching/engine"
)

// Interval is the length of a candle.
type Interval time.Duration

// Intervals are those that are kept. Each is a multiple of the one before, and all
// begin with the Unix epoch, in UTC.
func Intervals() []Interval {
	return []Interval{
		Interval(time.Second), Interval(time.Minute), Interval(5 * time.Minute), Interval(15 * time.Minute),
		Interval(time.Hour), Interval(4 * time.Hour), Interval(24 * time.Hour),
	}
}

// Candle is what was traded in an interval. Prices are ticks, volume lots, and the
// turnover is the sum of price times quantity, in ticks times lots.
type Candle struct {
	Start                  int64 // ns since the Unix epoch
	Open, High, Low, Close int64
	Volume                 int64
	Turnover               engine.Amount
	Trades                 int64
	Seq                    uint64 // of the last event in it
}

// add takes a trade in. The first one begins the candle.
func (c *Candle) add(v *engine.Event) {
	if c.Trades == 0 {
		c.Open, c.High, c.Low = v.Price, v.Price, v.Price
	}
	c.High, c.Low, c.Close = max(c.High, v.Price), min(c.Low, v.Price), v.Price
	c.Volume += v.Qty
	c.Turnover, _ = c.Turnover.Add(notional(v)) // beyond 128 bits after 10^19 years
	c.Trades++
	c.Seq = v.Seq
}

// merge takes in a candle that follows.
func (c *Candle) merge(next *Candle) {
	if c.Trades == 0 {
		c.Open, c.High, c.Low = next.Open, next.High, next.Low
	}
	c.High, c.Low, c.Close = max(c.High, next.High), min(c.Low, next.Low), next.Close
	c.Volume += next.Volume
	c.Turnover, _ = c.Turnover.Add(next.Turnover) // as in add
	c.Trades += next.Trades
	c.Seq = next.Seq
}

// Candles is the newest candle of each interval of a market.
type Candles struct {
	open [7]Candle
}

// NewCandles goes on with what was kept: the newest candle of each interval, in the
// order of Intervals; nil for none.
func NewCandles(kept []Candle) *Candles {
	c := &Candles{}
	copy(c.open[:], kept)
	return c
}

// Closed is a candle that is complete, or was when the next one began.
type Closed struct {
	Interval Interval
	Candle
}

// Trade takes a trade in and appends the candles that it ends to out. One that was
// taken before changes nothing.
func (c *Candles) Trade(v *engine.Event, out []Closed) []Closed {
	for i, interval := range Intervals() {
		open := &c.open[i]
		if v.Seq <= open.Seq {
			continue
		}
		start := v.Time - v.Time%int64(interval)
		if open.Trades > 0 && start > open.Start {
			out = append(out, Closed{interval, *open})
			*open = Candle{}
		}
		if open.Trades == 0 {
			open.Start = start
		}
		open.add(v)
	}
	return out
}

// Open returns the newest candle of an interval; it has no trades where there is none.
func (c *Candles) Open(interval Interval) Candle {
	for i, known := range Intervals() {
		if known == interval {
			return c.open[i]
		}
	}
	return Candle{}
}

// All returns the newest candle of each interval.
func (c *Candles) All() []Candle { return append([]Candle(nil), c.open[:]...) }
