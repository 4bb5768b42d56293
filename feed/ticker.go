package feed

import (
	"math/bits"
	"time"

	"strongroom/matching/engine"
)

const (
	day    = int64(24 * time.Hour)
	bucket = int64(time.Minute)
)

// Ticker is a market over the last 24 hours, to the minute.
type Ticker struct {
	minutes []Candle // oldest first
}

// NewTicker goes on with candles of one minute that were kept, oldest first.
func NewTicker(kept []Candle) *Ticker { return &Ticker{minutes: append([]Candle(nil), kept...)} }

// Trade takes a trade in. One that was taken before changes nothing.
func (t *Ticker) Trade(v *engine.Event) {
	start := v.Time - v.Time%bucket
	n := len(t.minutes)
	if n > 0 && v.Seq <= t.minutes[n-1].Seq {
		return
	}
	if n == 0 || t.minutes[n-1].Start < start {
		t.minutes = append(t.minutes, Candle{Start: start})
		n++
	}
	t.minutes[n-1].add(v)
	t.forget(v.Time)
}

func (t *Ticker) forget(now int64) {
	n := 0
	for n < len(t.minutes) && t.minutes[n].Start <= now-day {
		n++
	}
	t.minutes = t.minutes[n:]
}

// Last24Hours is one candle over the minutes that began in the 24 hours before now.
func (t *Ticker) Last24Hours(now int64) Candle {
	sum := Candle{Start: now - day}
	for i := range t.minutes {
		if m := &t.minutes[i]; m.Start > now-day && m.Start <= now {
			sum.merge(m)
		}
	}
	return sum
}

// notional is price times quantity of a trade.
func notional(v *engine.Event) engine.Amount {
	hi, lo := bits.Mul64(uint64(v.Price), uint64(v.Qty)) //nolint:gosec // both are above zero
	return engine.Amount{Hi: hi, Lo: lo}
}
