package feed

import (
	"context"
	"sort"
	"sync"

	"strongroom/matching/engine"
)

// Bounds of what a market keeps for its readers.
const (
	// RecentTrades is how many trades a new reader is told of.
	RecentTrades = 200
	// keptEntries is how far a reader may be behind before it is sent the whole book
	// again.
	keptEntries = 1 << 14
)

// Trade is a trade as everybody may see it.
type Trade struct {
	Seq        uint64
	Time       int64 // ns since the Unix epoch
	Price, Qty int64
	Taker      engine.Side
}

// Message is what changed on a market since the message before, or where Whole is set
// everything that there is. A reader that was slow finds all in one message: of a level
// the newest quantity, and of the trades the newest RecentTrades.
type Message struct {
	Whole bool
	// Prev is the Seq of the message before, so that a gap shows; zero where Whole.
	Prev, Seq  uint64
	Time       int64
	State      engine.State
	Until      int64   // when the state ends; zero for not by itself
	Bids, Asks []Level // all, best first, where Whole; else those that changed, in no order
	Trades     []Trade // oldest first
	Day        Candle  // the last 24 hours
	Candles    []Candle
}

// Market follows one market. Take is for one goroutine; all else is safe for
// concurrent use.
type Market struct {
	mu      sync.Mutex
	book    *Book
	candles *Candles
	ticker  *Ticker
	state   engine.State
	until   int64
	base    uint64 // events up to here are in what Begin was told
	age     uint64 // how often readers have to begin anew
	seq     uint64
	time    int64
	trades  []Trade // the newest
	entries []entry // what readers may lack, oldest first
	dropped uint64  // seq of the newest entry that is no longer kept
	batches uint64  // how often events were taken
	served  Served
	changed chan struct{}
	scratch []Change
	best    best
}

// Served counts messages to readers of a market.
type Served struct {
	Messages  uint64
	Wholes    uint64 // of them with the whole book
	Conflated uint64 // of the others with the changes of several batches: the reader was slower
}

// entry is one change of the book. Trades are found by their own numbers.
type entry struct {
	seq uint64
	Change
}

// NewMarket returns a market of which nothing is known but the candles that were kept:
// the newest of each interval, and those of one minute for the last day.
func NewMarket(candles, minutes []Candle) *Market {
	m := &Market{book: NewBook(), changed: make(chan struct{})}
	m.candles, m.ticker = NewCandles(candles), NewTicker(minutes)
	return m
}

// Take takes the next events of the market in and appends the candles that they end to
// out. Readers see all of them or none: give it whole batches, so that nobody sees half
// of what one command did.
func (m *Market) Take(events []engine.Event, out []Closed) []Closed {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range events {
		out = m.take(&events[i], out)
	}
	m.trim()
	m.batches++
	m.best = best{}
	close(m.changed)
	m.changed = make(chan struct{})
	return out
}

func (m *Market) take(v *engine.Event, out []Closed) []Closed {
	if v.Kind == engine.EventTrade {
		out = m.trade(v, out)
	}
	if v.Seq <= m.base {
		return out
	}
	m.scratch = m.book.Apply(v, m.scratch[:0])
	for _, c := range m.scratch {
		m.entries = append(m.entries, entry{v.Seq, c})
	}
	if v.Kind == engine.EventState {
		m.state, m.until = v.State, v.Until
	}
	m.seq, m.time = v.Seq, v.Time
	return out
}

// trade takes a trade in, once: candles, day and trades each look at its number.
func (m *Market) trade(v *engine.Event, out []Closed) []Closed {
	if n := len(m.trades); n == 0 || m.trades[n-1].Seq < v.Seq {
		m.trades = append(m.trades, Trade{v.Seq, v.Time, v.Price, v.Qty, v.Side})
	}
	out = m.candles.Trade(v, out)
	m.ticker.Trade(v)
	return out
}

// trim forgets what no reader is told of any more.
func (m *Market) trim() {
	if len(m.entries) >= 2*keptEntries {
		rest := len(m.entries) - keptEntries
		m.dropped = m.entries[rest-1].seq
		m.entries = append(m.entries[:0], m.entries[rest:]...)
	}
	if len(m.trades) >= 2*RecentTrades {
		m.trades = append(m.trades[:0], m.trades[len(m.trades)-RecentTrades:]...)
	}
}

// Reader reads one market. It is for one goroutine.
type Reader struct {
	market *Market
	seq    uint64
	age    uint64
	begun  bool
	batch  uint64 // of the market, when it was read last
}

// Read returns a reader whose first message is everything.
func (m *Market) Read() *Reader { return &Reader{market: m} }

// Next waits until there is something new and returns all of it. The error is that of
// ctx.
func (r *Reader) Next(ctx context.Context) (Message, error) {
	for {
		message, changed := r.poll()
		if changed == nil {
			return message, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Message{}, ctx.Err() //nolint:wrapcheck // the caller's own
		}
	}
}

// poll returns what is new, or what is closed when there is something.
func (r *Reader) poll() (Message, <-chan struct{}) {
	m := r.market
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.begun && r.seq == m.seq && r.age == m.age {
		return Message{}, m.changed
	}
	message := Message{
		Prev: r.seq, Seq: m.seq, Time: m.time, State: m.state, Until: m.until,
		Day: m.ticker.Last24Hours(m.time), Candles: m.candles.All(),
	}
	if !r.begun || r.seq < m.dropped || r.age != m.age {
		r.seq = 0 // all trades too
		message.Whole, message.Prev = true, 0
		message.Bids, message.Asks = m.book.Top(engine.Buy, 0), m.book.Top(engine.Sell, 0)
	} else {
		message.Bids, message.Asks = m.since(r.seq)
	}
	from := sort.Search(len(m.trades), func(i int) bool { return m.trades[i].Seq > r.seq })
	from = max(from, len(m.trades)-RecentTrades)
	message.Trades = append([]Trade(nil), m.trades[from:]...)
	m.served.count(message.Whole, m.batches-r.batch > 1)
	r.begun, r.seq, r.age, r.batch = true, m.seq, m.age, m.batches
	return message, nil
}

// since returns the levels that changed after an event, each as it is now.
func (m *Market) since(seq uint64) (bids, asks []Level) {
	from := sort.Search(len(m.entries), func(i int) bool { return m.entries[i].seq > seq })
	var seen [2]map[int64]struct{}
	for i := len(m.entries) - 1; i >= from; i-- { // newest first: the first one counts
		c := &m.entries[i].Change
		if _, known := seen[c.Side][c.Price]; known {
			continue
		}
		if seen[c.Side] == nil {
			seen[c.Side] = map[int64]struct{}{}
		}
		seen[c.Side][c.Price] = struct{}{}
		if c.Side == engine.Buy {
			bids = append(bids, c.Level)
		} else {
			asks = append(asks, c.Level)
		}
	}
	return bids, asks
}

func (s *Served) count(whole, several bool) {
	s.Messages++
	switch {
	case whole:
		s.Wholes++
	case several:
		s.Conflated++
	}
}

// Served tells how many messages readers were given.
func (m *Market) Served() Served {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.served
}

// Whole returns everything that there is now.
func (m *Market) Whole() Message {
	message, _ := m.Read().poll()
	return message
}
