package engine

// amend changes a limit order: in its place, or as a new order with the same id.
func (e *Engine) amend(c *Command) Code {
	p, code := e.lookup(c)
	if code != CodeNone {
		return code
	}
	o := &e.rows[p]
	m := &e.markets[o.market]
	a := amendment{price: c.Price, qty: c.Qty, display: c.Display}
	code, keeps := e.amends(m, o, &a)
	if code != CodeNone {
		return code
	}
	if keeps {
		if a.display != 0 {
			e.displayOf(p, o, a.display)
		}
		e.reduce(m, p, o, o.qty-a.qty)
		return CodeNone
	}
	e.lift(m, o)
	old, b := e.pledge(m, o, o.qty)
	b.unlock(old)
	b.reserve(a.need)
	o.price, o.qty = a.price, a.qty
	if a.display != 0 {
		e.displayOf(p, o, a.display)
	}
	if o.extra != 0 {
		e.extras[o.extra].hold = a.price
	}
	e.announceAmended(o, p)
	t := taker{limit: a.price, hold: a.price, left: a.qty, side: o.side(), stp: o.stp(), rests: true, event: EventReplaced}
	e.run(m, p, &t)
	return CodeNone
}

// limitOf is the limit of an order wherever it stands.
func (e *Engine) limitOf(o *order) int64 {
	if o.extra != 0 && e.extras[o.extra].limit != 0 {
		return e.extras[o.extra].limit
	}
	return o.price
}

// amendable says whether a state lets an order be amended.
func (m *market) amendable(post, keeps bool) bool {
	switch m.state {
	case Open:
		return true
	case Auction:
		return !post
	case PostOnlyState:
		return post || keeps
	case Closed, CancelOnly, Halted:
	}
	return false
}

// announceAmended tells that an order is as good as new.
func (e *Engine) announceAmended(o *order, p uint32) {
	ev := e.tell(EventAccepted, p, o)
	ev.Type, ev.Key = Limit, e.keyOf(o)
}

// amendment is what an order is to become.
type amendment struct {
	price, qty, display int64
	need                Amount
}

// amends checks an amend, fills in what stays, and says whether the order keeps its place.
func (e *Engine) amends(m *market, o *order, a *amendment) (code Code, keeps bool) {
	limit := e.limitOf(o)
	keeps = (a.price == 0 || a.price == limit) && a.qty <= o.qty
	if !m.amendable(o.bits&bitPost != 0, keeps) {
		return CodeMarketState, false
	}
	var display int64
	if o.extra != 0 {
		x := &e.extras[o.extra]
		if x.sibling != 0 {
			return CodeBadType, false
		}
		display = x.display
	}
	if o.kind() != Limit {
		return CodeBadType, false
	}
	if code = a.fill(m, o, display); code != CodeNone {
		return code, false
	}
	if !keeps {
		return e.amendsPlace(m, o, a), false
	}
	return a.reduces(m, o), true
}

// reduces checks an amend that leaves the order in its place.
func (a *amendment) reduces(m *market, o *order) Code {
	if a.qty >= o.qty {
		return CodeNone
	}
	cost, _ := costOf(a.price, a.qty, m.cfg.TickUnits)
	if code := m.notional(cost); code != CodeNone {
		return code
	}
	if m.outside(a.price) {
		return CodeBeyondBand
	}
	return CodeNone
}

// fill takes over what an amend leaves as it is and checks the rest by itself.
func (a *amendment) fill(m *market, o *order, display int64) Code {
	if a.qty != 0 && (a.qty < m.cfg.MinQty || a.qty > m.cfg.MaxQty) {
		return CodeBadQty
	}
	if a.price < 0 {
		return CodeBadPrice
	}
	if a.qty == 0 {
		a.qty = o.qty
	}
	if a.price == 0 {
		a.price = o.price
	}
	if a.display != 0 {
		display = a.display
	} else if a.qty <= o.qty {
		return CodeNone
	}
	if display != 0 && !displays(m, display, a.qty) {
		return CodeBadDisplay
	}
	return CodeNone
}

// amendsPlace checks an amend that gives the order a new place.
func (e *Engine) amendsPlace(m *market, o *order, a *amendment) Code {
	if o.bits&bitPost != 0 {
		if code := m.slide(o.side(), o.bits&bitSlide != 0, &a.price); code != CodeNone {
			return code
		}
	}
	if a.price == o.price && a.qty == o.qty {
		a.need, _ = e.pledge(m, o, o.qty)
		return CodeNone
	}
	if code := m.worth(o.side(), a.price, a.qty, &a.need); code != CodeNone {
		return code
	}
	if m.outside(a.price) {
		return CodeBeyondBand
	}
	if a.price != o.price && !e.pagesFor(1) {
		return CodeTooManyOrders
	}
	old, b := e.pledge(m, o, o.qty)
	have := b.available
	have.add(old)
	if have.Less(a.need) {
		return CodeInsufficient
	}
	return CodeNone
}

// displayOf makes an order an iceberg or changes what it shows next.
func (e *Engine) displayOf(p uint32, o *order, display int64) {
	if o.extra == 0 {
		e.lend(p).hold = o.price
	}
	x := &e.extras[o.extra]
	if x.display == 0 {
		x.shown = o.qty
	}
	x.display = display
}
