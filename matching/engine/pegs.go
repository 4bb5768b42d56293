package engine

import "math"

// unpegged returns the best price of a side at which an order stands that is no peg;
// zero for none.
func (e *Engine) unpegged(m *market, side Side) int64 {
	l := &m.book[side]
	for rank, ok := l.best, l.n != 0; ok; rank, ok = l.below(rank) {
		for p := l.at(rank).head; p != 0; p = e.rows[p].next {
			if e.rows[p].kind() != Peg {
				return rank ^ l.flip
			}
		}
	}
	return 0
}

// pegBase returns what a peg follows; zero for nothing.
func (m *market) pegBase(o *order) int64 {
	if o.bits&bitMid == 0 {
		if o.side() == Buy {
			return m.pegBid
		}
		return m.pegAsk
	}
	if m.pegBid == 0 || m.pegAsk == 0 {
		return 0
	}
	mid := m.pegBid + (m.pegAsk-m.pegBid)/2
	if o.side() == Buy {
		return mid
	}
	return mid + 1
}

// pegPrice returns where a peg is to stand; zero for nowhere.
func (m *market) pegPrice(o *order, x *extra) int64 {
	price := m.pegBase(o)
	if price == 0 {
		return 0
	}
	if o.side() == Buy {
		price = min(price-x.offset, x.limit)
	} else {
		if price > math.MaxInt64-x.offset {
			return 0
		}
		price = max(price+x.offset, x.limit)
	}
	if price < 1 || m.outside(price) {
		return 0
	}
	return price
}

// addPeg notes a new peg: it stands where it belongs at the end of the step.
func (e *Engine) addPeg(m *market, p uint32, o *order) {
	o.price = 0
	m.pegs = e.within(m.pegs, p)
	e.unsettlePegs(m)
}

// unsettlePegs has all pegs of a market looked at when the step ends.
func (e *Engine) unsettlePegs(m *market) {
	m.pegBid = -1
	e.touch(m)
}

// movePegs puts pegs where they belong, which follows from the best unpegged prices
// alone.
func (e *Engine) movePegs(m *market) {
	bid, ask := e.unpegged(m, Buy), e.unpegged(m, Sell)
	if bid == m.pegBid && ask == m.pegAsk {
		return
	}
	m.pegBid, m.pegAsk = bid, ask
	for _, p := range m.pegs {
		o := &e.rows[p]
		to := m.pegPrice(o, &e.extras[o.extra])
		if to == o.price {
			continue
		}
		kind := EventRested
		if o.bits&bitBook != 0 {
			kind = EventReplaced
			e.pull(&m.book[o.side()], o, o.price, o.qty)
			o.bits &^= bitBook
		}
		o.price = to
		if to == 0 {
			e.tell(kind, p, o)
			continue
		}
		o.bits |= bitBook
		e.push(&m.book[o.side()], p, o, to, o.qty)
		e.tell(kind, p, o).Shown = o.qty
	}
}
