package engine

// tell emits an event about an order: what remains of it, where, whose.
func (e *Engine) tell(kind EventKind, p uint32, o *order) *Event {
	ev := e.emit(kind)
	ev.Market, ev.Order, ev.Account, ev.Side = MarketID(o.market), o.id(p), AccountID(o.account), o.side()
	ev.Price, ev.Qty = o.price, o.qty
	return ev
}

// tellShown is tell for an order in the book, with what it shows.
func (e *Engine) tellShown(kind EventKind, p uint32, o *order) {
	shown := e.shown(o)
	e.tell(kind, p, o).Shown = shown
}

// keyOf is the client id of an order.
func (e *Engine) keyOf(o *order) Key {
	if o.key == 0 {
		return Key{}
	}
	return e.keys.list[o.key].key
}

// rest lets what is left of an order wait in the book.
func (e *Engine) rest(m *market, p uint32, kind EventKind) {
	o := &e.rows[p]
	shown := o.qty
	if o.extra != 0 {
		if x := &e.extras[o.extra]; x.display != 0 {
			x.shown = min(x.display, o.qty)
			shown = x.shown
		}
	}
	o.bits |= bitBook
	e.push(&m.book[o.side()], p, o, o.price, shown)
	e.tell(kind, p, o).Shown = shown
	if len(m.pegs) != 0 {
		e.touch(m)
	}
}

// lift takes an order out of the book or from the stops.
func (e *Engine) lift(m *market, o *order) {
	switch {
	case o.bits&bitBook != 0:
		e.pull(&m.book[o.side()], o, o.price, e.shown(o))
		o.bits &^= bitBook
		if len(m.pegs) != 0 {
			e.touch(m)
		}
	case o.bits&bitStop != 0:
		e.pull(&m.stops[o.side()], o, o.price, 0)
		o.bits &^= bitStop
	}
}

// cancel ends an order with what remains of it, and then its sibling.
func (e *Engine) cancel(p uint32, code Code) {
	o := &e.rows[p]
	m := &e.markets[o.market]
	ev := e.tell(EventCancelled, p, o)
	ev.Code = code
	if o.extra != 0 {
		x := &e.extras[o.extra]
		if o.kind() == Peg {
			ev.Price = x.limit
		}
		if code == CodeByMassCancel || code == CodeByKill {
			x.received = Amount{}
		}
	}
	ev.Key = e.keyOf(o)
	e.lift(m, o)
	amount, b := e.pledge(m, o, o.qty)
	b.unlock(amount)
	if sibling := e.drop(m, p); sibling != 0 {
		e.cancel(sibling, CodeBySibling)
	}
}

// drop forgets an order that has ended and is in no queue, and returns its sibling,
// which has none then.
func (e *Engine) drop(m *market, p uint32) (sibling uint32) {
	o := &e.rows[p]
	m.waiting--
	if o.extra != 0 {
		sibling = e.dropExtra(m, p, o)
	}
	if o.key != 0 {
		e.keys.ended(o.key)
	}
	e.delist(o)
	e.freePlace(p)
	return sibling
}

func (e *Engine) dropExtra(m *market, p uint32, o *order) uint32 {
	i := o.extra
	x := &e.extras[i]
	sibling := x.sibling
	if sibling != 0 {
		e.extras[e.rows[sibling].extra].sibling = 0
	}
	if x.heap != 0 {
		e.removeEnd(x.heap - 1)
	}
	if x.session != 0 {
		e.leave(x)
	}
	switch o.kind() { //nolint:exhaustive // only these are listed
	case Peg:
		e.movers--
		m.pegs = e.without(m.pegs, p)
	case Trailing:
		e.movers--
		m.trails = e.without(m.trails, p)
	case Stop, StopLimit:
		e.movers--
	default:
	}
	if x.takeProfit != 0 {
		e.kept--
		m.waiting--
		e.endBracket(m, p, o, x)
	}
	x.sesNext = e.extraFree
	e.extraFree = i
	return sibling
}

// within puts p into a list of places by id, and without takes it out.
func (e *Engine) within(list []uint32, p uint32) []uint32 {
	id := e.rows[p].id(p)
	list = append(list, p)
	i := len(list) - 1
	for ; i > 0 && e.rows[list[i-1]].id(list[i-1]) > id; i-- {
		list[i] = list[i-1]
	}
	list[i] = p
	return list
}

func (*Engine) without(list []uint32, p uint32) []uint32 {
	for i, q := range list {
		if q == p {
			return append(list[:i], list[i+1:]...)
		}
	}
	return list
}

// lookup finds the order that a command names by id or client id.
func (e *Engine) lookup(c *Command) (uint32, Code) {
	if e.known(c.Market) == nil {
		return 0, CodeUnknownMarket
	}
	if e.trader(c.Account) == nil {
		return 0, CodeUnknownAccount
	}
	id := c.Order
	if id == 0 {
		k := e.keys.find(uint32(c.Account), c.Key)
		if k == nil {
			return 0, CodeUnknownOrder
		}
		id = k.order
	}
	p := uint32(id)
	if uint64(p) >= uint64(len(e.rows)) {
		return 0, CodeUnknownOrder
	}
	o := &e.rows[p]
	if o.bits&bitLive == 0 || o.gen != uint32(id>>32) || o.account != uint32(c.Account) || o.market != uint16(c.Market) {
		return 0, CodeUnknownOrder
	}
	return p, CodeNone
}

func (e *Engine) cancelOne(c *Command) Code {
	p, code := e.lookup(c)
	if code == CodeNone {
		e.cancel(p, CodeByClient)
	}
	return code
}

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
func (e *Engine) amends(m *market, o *order, a *amendment) (code Code, keeps bool) { //nolint:cyclop // a list of checks
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
	if keeps && a.qty < o.qty {
		cost, _ := costOf(a.price, a.qty, m.cfg.TickUnits)
		if code = m.notional(cost); code == CodeNone && m.outside(a.price) {
			code = CodeBeyondBand
		}
	}
	if !keeps {
		code = e.amendsPlace(m, o, a)
	}
	return code, keeps
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
