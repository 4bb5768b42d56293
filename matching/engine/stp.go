package engine

// meet is what happens where a taker would trade with an order of its own group. It
// says whether the taker is over.
func (e *Engine) meet(m *market, p, mp uint32, price int64, t *taker) bool {
	switch t.stp {
	case STPCancelTaker:
		return true
	case STPCancelMaker:
		e.cancel(mp, CodeSelfTrade)
	case STPCancelBoth:
		e.cancel(mp, CodeSelfTrade)
		return true
	case STPDecrement:
		return e.decrement(m, p, mp, price, t)
	case STPNone:
	}
	return false
}

// decrement takes the smaller quantity from both.
func (e *Engine) decrement(m *market, p, mp uint32, price int64, t *taker) bool {
	o := &e.rows[p]
	qty := min(t.left, e.rows[mp].qty)
	e.shrink(m, mp, qty)
	if t.byQuote {
		return e.decrementQuote(m, p, price, qty, t)
	}
	if qty == t.left {
		return true
	}
	amount, b := e.pledge(m, o, qty)
	b.unlock(amount)
	t.left -= qty
	o.qty = t.left
	e.tell(EventReduced, p, o)
	if sibling := e.sever(m, o); sibling != 0 {
		t.hold = t.limit
		e.cancel(sibling, CodeBySibling)
	}
	return false
}

func (e *Engine) decrementQuote(m *market, p uint32, price, qty int64, t *taker) bool {
	o := &e.rows[p]
	cost, _ := costOf(price, qty, m.cfg.TickUnits)
	if t.quote.Less(cost) {
		cost = t.quote
	}
	if t.side == Buy {
		e.balance(o.account, m.cfg.Quote).unlock(cost)
	} else {
		e.balance(o.account, m.cfg.Base).unlock(lotsOf(qty, m.cfg.LotUnits))
	}
	e.spend(o, t, cost, qty)
	if t.quote.IsZero() {
		return true
	}
	e.tell(EventReduced, p, o).Qty = 0
	return false
}

// shrink takes lots from an order in the book, hidden ones first; one that has no
// more is cancelled.
func (e *Engine) shrink(m *market, p uint32, qty int64) {
	o := &e.rows[p]
	if qty == o.qty {
		e.cancel(p, CodeSelfTrade)
		return
	}
	e.reduce(m, p, o, qty)
	if sibling := e.sever(m, o); sibling != 0 {
		e.cancel(sibling, CodeBySibling)
	}
}

// reduce takes lots from an order that keeps its place, hidden ones first.
func (e *Engine) reduce(m *market, p uint32, o *order, qty int64) {
	amount, b := e.pledge(m, o, qty)
	b.unlock(amount)
	before := e.shown(o)
	o.qty -= qty
	after := o.qty
	if o.extra != 0 {
		if x := &e.extras[o.extra]; x.display != 0 {
			x.shown = min(x.shown, x.display, o.qty)
			after = x.shown
		}
	}
	l := &m.book[o.side()]
	l.at(o.price ^ l.flip).qty -= before - after
	e.tellShown(EventReduced, p, o)
}

// fills says whether a FOK order would trade whole.
func (e *Engine) fills(m *market, c *Command) bool {
	opp := &m.book[1-c.Side]
	limit := c.Price ^ opp.flip
	need, first := c.Qty, m.first
	if first != 0 && e.now-m.start >= m.cfg.BreakerWindow {
		first = 0
	}
	for rank, ok := opp.best, opp.n != 0; ok && rank >= limit; rank, ok = opp.below(rank) {
		price := rank ^ opp.flip
		if price < m.low || price > m.high {
			return false
		}
		trips := m.cfg.BreakerPPM != 0 && first != 0 && m.trips(first, price)
		if first == 0 {
			first = price
		}
		left, more := e.fillsLevel(opp.at(rank), c, need, trips)
		if !more || left <= 0 {
			return left <= 0
		}
		need = left
	}
	return false
}

// fillsLevel counts one level; more is false where matching would end in it.
func (e *Engine) fillsLevel(lv *level, c *Command, need int64, trips bool) (left int64, more bool) {
	seen := need
	for p := lv.head; p != 0; p = e.rows[p].next {
		o := &e.rows[p]
		if c.STP != STPNone && e.related(uint32(c.Account), o.account) {
			if c.STP == STPCancelMaker {
				continue
			}
			return seen, false
		}
		if trips {
			return need - e.shown(o), false
		}
		need -= o.qty
		seen -= e.shown(o)
	}
	return need, true
}
