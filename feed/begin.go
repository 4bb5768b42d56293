package feed

import "strongroom/matching/engine"

// Standing is how a market stood behind an event: its book need not be made from the
// first event on.
type Standing struct {
	Seq    uint64 // of the last event that counts
	Time   int64  // log time, ns
	State  engine.State
	Until  int64 // when the state ends; zero for not by itself
	Orders []Order
}

// Order is what others see of an order in a book, in ticks and lots.
type Order struct {
	ID           engine.OrderID
	Side         engine.Side
	Price, Shown int64
}

// Past is what was kept of a market's trades.
type Past struct {
	Candles []Candle // the newest of each interval, in the order of Intervals; nil for none
	Minutes []Candle // of one minute, of the last day, oldest first
	Trades  []Trade  // the newest, oldest first
}

// Begin puts the book and the state of s in the place of those that were. Events up to
// s.Seq that come afterwards change neither of them, but trades and candles: those have
// numbers of their own. Readers find everything new. It is for the goroutine that
// takes.
func (m *Market) Begin(s *Standing) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.book, m.best = NewBook(), best{}
	for _, o := range s.Orders {
		m.scratch = m.book.set(o.ID, resting{o.Side, o.Price, o.Shown}, m.scratch[:0])
	}
	m.state, m.until, m.base, m.seq, m.time = s.State, s.Until, s.Seq, s.Seq, s.Time
	m.entries, m.dropped = nil, 0
	m.renew()
}

// Recall puts what was kept of trades in the place of what is known of them, and
// readers find everything new. It is for the goroutine that takes.
func (m *Market) Recall(p *Past) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.candles, m.ticker = NewCandles(p.Candles), NewTicker(p.Minutes)
	m.trades = append([]Trade(nil), p.Trades...)
	m.renew()
}

// Renew lets readers find everything new: after events of before Begin they know
// neither all trades nor the candles. It is for the goroutine that takes.
func (m *Market) Renew() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.renew()
}

func (m *Market) renew() {
	m.age++
	close(m.changed)
	m.changed = make(chan struct{})
}

// Open returns the newest candle of an interval; it has no trades where there is none.
func (m *Market) Open(interval Interval) Candle {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.candles.Open(interval)
}
