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
