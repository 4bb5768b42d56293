package desk

import (
	"sync"

	"strongroom/matching/engine"
	"strongroom/trading"
)

// Bounds of what is remembered of orders: those that wait, as long as there is room, and
// the newest that have ended.
const (
	maxOpen  = 1 << 19
	maxEnded = 1 << 13
)

// memory is orders as the events of one session tell them. A customer's answer is taken
// from it, since an order's events come before its result.
type memory struct {
	catalog *trading.Catalog

	mu     sync.Mutex
	open   map[engine.OrderID]*live
	ended  map[engine.OrderID]*live
	ring   []engine.OrderID // of ended, the oldest at next
	next   int
	keys   map[placedKey]engine.OrderID // of those that wait
	placed map[placedKey]*placed
	swept  map[engine.AccountID]*swept
	oco    *live // accepted with the last event: its stop comes next
}

// placedKey is an order that somebody waits for.
type placedKey struct {
	account engine.AccountID
	key     engine.Key
}

// placed is what is known of it beside its events.
type placed struct {
	waiters  int
	clientID string
	trigger  int64
	expires  int64
	order    *live
}

func newMemory(catalog *trading.Catalog) *memory {
	m := &memory{catalog: catalog, placed: map[placedKey]*placed{}, swept: map[engine.AccountID]*swept{}}
	m.clear()
	return m
}

// clear drops all orders: events were missed.
func (m *memory) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys = map[placedKey]engine.OrderID{}
	m.open, m.ended, m.ring, m.next, m.oco = map[engine.OrderID]*live{}, map[engine.OrderID]*live{}, nil, 0, nil
	for _, p := range m.placed {
		p.order = nil
	}
}

// expect notes that the caller gives an order in; it calls the result when it has its
// answer.
func (m *memory) expect(k placedKey, o placed) (done func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.placed[k]
	if p == nil {
		p = &o
		m.placed[k] = p
	}
	p.waiters++
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if p.waiters--; p.waiters == 0 {
			delete(m.placed, k)
		}
	}
}

// accepted returns the order that was expected, false where its events were not seen.
func (m *memory) accepted(k placedKey, id engine.OrderID) (live, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.placed[k]; p != nil && p.order != nil && p.order.id == id {
		return *p.order, true
	}
	return live{}, false
}

// order returns an order that waits or has just ended.
func (m *memory) order(account engine.AccountID, id engine.OrderID) (live, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.open[id]
	if l == nil {
		l = m.ended[id]
	}
	if l == nil || l.account != account {
		return live{}, false
	}
	return *l, true
}

// byKey returns the id of an order that waits.
func (m *memory) byKey(k placedKey) (engine.OrderID, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id, ok := m.keys[k]
	return id, ok
}

// swept is what mass cancels of an account have answered while somebody waits.
type swept struct {
	waiters int
	counts  map[uint64]int64 // by the number of the event
}

// expectSweep notes that the caller cancels all of an account. count tells how many
// orders ended, false where the event was missed; it is called once, with the result.
func (m *memory) expectSweep(account engine.AccountID) (count func(seq uint64) (int, bool)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.swept[account]
	if s == nil {
		s = &swept{counts: map[uint64]int64{}}
		m.swept[account] = s
	}
	s.waiters++
	return func(seq uint64) (int, bool) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if s.waiters--; s.waiters == 0 {
			delete(m.swept, account)
		}
		n, ok := s.counts[seq]
		return int(n), ok
	}
}

// take notes an event and adds the orders that it changed to touched. The lock is held.
func (m *memory) take(ev *engine.Event, touched []*live) []*live {
	if s := m.swept[ev.Account]; s != nil && ev.Kind == engine.EventAccount {
		s.counts[ev.Seq] = ev.Qty
	}
	market := m.catalog.ByID(ev.Market)
	if market == nil {
		return touched
	}
	switch ev.Kind { //nolint:exhaustive // all others are about no order
	case engine.EventAccepted:
		return append(touched, m.enter(market, ev))
	case engine.EventTrade:
		return m.trade(market, ev, touched)
	case engine.EventRested, engine.EventReplaced, engine.EventReduced, engine.EventTriggered, engine.EventCancelled:
		l := m.find(market, ev)
		l.tell(ev)
		m.keep(l)
		return append(touched, l)
	default:
		return touched
	}
}

// find returns the order of an event, a new one where its beginning was not seen.
func (m *memory) find(market *trading.Market, ev *engine.Event) *live {
	l := m.open[ev.Order]
	if l == nil {
		l = m.ended[ev.Order] // by quote amount: each trade may be the last
	}
	if l == nil {
		l = begin(market, ev)
		m.keep(l)
	}
	return l
}

// enter notes an acceptance.
func (m *memory) enter(market *trading.Market, ev *engine.Event) *live {
	before := m.oco
	m.oco = nil
	if l := m.open[ev.Order]; l != nil {
		l.tell(ev)
		return l
	}
	l := begin(market, ev)
	if p := m.placed[placedKey{ev.Account, ev.Key}]; p != nil && ev.Key != (engine.Key{}) {
		l.clientID, l.expires = p.clientID, p.expires
		if ev.Type != engine.OCO {
			l.trigger = p.trigger
		}
		p.order = l
	}
	if before != nil && before.seq+1 == ev.Seq && before.account == ev.Account {
		l.sibling, before.sibling, l.expires = before.id, l.id, before.expires
		if p := m.placed[placedKey{before.account, before.key}]; p != nil && p.order == before {
			l.trigger = p.trigger
		}
	}
	if ev.Type == engine.OCO {
		m.oco = l
	}
	m.keep(l)
	return l
}

func (m *memory) trade(market *trading.Market, ev *engine.Event, touched []*live) []*live {
	side := *ev
	side.Price, side.Qty = 0, ev.TakerLeft
	taker := m.find(market, &side)
	side.Order, side.Account, side.Side, side.Price, side.Qty = ev.Maker, ev.MakerAccount, 1-ev.Side, ev.Price, ev.Left
	maker := m.find(market, &side)
	taker.traded(ev, ev.TakerLeft)
	maker.traded(ev, ev.Left)
	m.keep(taker)
	m.keep(maker)
	return append(touched, taker, maker)
}

// keep remembers an order where it belongs now.
func (m *memory) keep(l *live) {
	if !l.ended() {
		if m.open[l.id] == nil && len(m.open) < maxOpen {
			m.open[l.id] = l
			if l.key != (engine.Key{}) {
				m.keys[placedKey{l.account, l.key}] = l.id
			}
		}
		return
	}
	delete(m.open, l.id)
	if k := (placedKey{l.account, l.key}); m.keys[k] == l.id {
		delete(m.keys, k)
	}
	if m.ended[l.id] != nil {
		return
	}
	if len(m.ring) < maxEnded {
		m.ring = append(m.ring, l.id)
	} else {
		delete(m.ended, m.ring[m.next])
		m.ring[m.next] = l.id
		m.next = (m.next + 1) % maxEnded
	}
	m.ended[l.id] = l
}
