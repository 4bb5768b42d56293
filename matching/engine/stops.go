package engine

// arm lets an order wait as a stop.
func (e *Engine) arm(m *market, p uint32, o *order, pl *plan) {
	o.price = pl.trigger
	e.extras[o.extra].limit = pl.limit
	o.bits |= bitStop
	e.push(&m.stops[o.side()], p, o, o.price, 0)
	if o.kind() == Trailing {
		m.trails = e.within(m.trails, p)
	}
}

// nextStop returns the first stop whose condition holds.
func (m *market) nextStop() uint32 {
	if m.last == 0 {
		return 0
	}
	if l := &m.stops[Buy]; l.n != 0 && l.price() <= m.last {
		return l.top().head
	}
	if l := &m.stops[Sell]; l.n != 0 && l.price() >= m.last {
		return l.top().head
	}
	return 0
}

// trigger makes a stop the order that it was to become.
func (e *Engine) trigger(m *market, p uint32) {
	o := &e.rows[p]
	e.lift(m, o)
	rests := o.kind() == StopLimit
	if o.kind() == Trailing {
		m.trails = e.without(m.trails, p)
	}
	x := &e.extras[o.extra]
	o.price, x.limit, x.offset = e.stopLimit(m, o, x), 0, 0
	o.setKind(Limit)
	e.movers--
	e.tell(EventTriggered, p, o)
	sibling := x.sibling
	if sibling != 0 {
		x.sibling = 0
		e.extras[e.rows[sibling].extra].sibling = 0
		e.cancel(sibling, CodeBySibling)
		x.bare, x.hold = false, o.price
		amount, b := e.pledge(m, o, o.qty)
		b.reserve(amount)
	} else {
		e.rehold(m, o, o.price)
	}
	t := taker{limit: o.price, hold: o.price, left: o.qty, side: o.side(), stp: o.stp(), rests: rests, event: EventRested}
	e.run(m, p, &t)
}

// stopLimit returns the limit of a stop if it triggered now: a bound from its trigger
// is never worse than the one it came with.
func (*Engine) stopLimit(m *market, o *order, x *extra) int64 {
	if o.kind() == StopLimit {
		return x.limit
	}
	bound := m.bound(o.side(), o.price, m.cfg.MaxSlippage)
	if o.side() == Buy {
		return min(x.limit, bound)
	}
	return max(x.limit, bound)
}

// moveTrails lets trailing stops follow the last trade.
func (e *Engine) moveTrails(m *market) {
	if m.last == 0 {
		return // a new configuration took the reference away: there is nothing to follow
	}
	for _, p := range m.trails {
		o := &e.rows[p]
		x := &e.extras[o.extra]
		to, ok := trail(o.side(), m.last, x.offset)
		if !ok || o.side() == Sell && to <= o.price || o.side() == Buy && to >= o.price {
			continue
		}
		l := &m.stops[o.side()]
		e.pull(l, o, o.price, 0)
		o.price = to
		e.push(l, p, o, to, 0)
	}
}

// takeAfter is an OCO that a bracket has left to place.
type takeAfter struct {
	parent  OrderID
	limit   int64
	stop    int64
	stopLim int64
	lots    int64
	account uint32
	session uint32
	market  MarketID
	bits    uint16 // of the order before it
}

// endBracket notes what a bracket has left to place.
func (e *Engine) endBracket(m *market, p uint32, o *order, x *extra) {
	lots, _ := x.received.over(Amount{0, m.cfg.LotUnits}, MaxLots)
	if lots == 0 {
		return
	}
	e.finished = append(e.finished, takeAfter{
		parent: o.id(p), limit: x.takeProfit, stop: x.stopLoss, stopLim: x.stopLossLimit, lots: lots,
		account: o.account, session: x.session, market: m.id, bits: o.bits,
	})
	e.touch(m)
}

// nextAfter takes out the first that is left to place in a market.
func (e *Engine) nextAfter(m *market) (takeAfter, bool) {
	for i := range e.finished {
		if e.finished[i].market == m.id {
			f := e.finished[i]
			e.finished = append(e.finished[:i], e.finished[i+1:]...)
			return f, true
		}
	}
	return takeAfter{}, false
}

// placeAfter places the OCO of an ended bracket.
func (e *Engine) placeAfter(m *market, f *takeAfter) {
	c := Command{
		Op: OpNew, Type: OCO, Market: m.id, Account: AccountID(f.account), Side: Sell - Side(f.bits&bitSell),
		Qty: f.lots, Price: f.limit, Trigger: f.stop, TriggerLimit: f.stopLim, STP: STP(f.bits >> shiftSTP & maskThree),
	}
	if f.bits&bitMMP != 0 {
		c.Flags |= MMP
	}
	if f.bits&bitSession != 0 {
		c.Flags |= OnDisconnect
		c.Session = SessionID(f.session)
	}
	pl := plan{limit: f.stopLim, trigger: f.stop, lots: f.lots}
	if pl.limit == 0 {
		pl.limit = m.bound(c.Side, f.stop, m.cfg.MaxSlippage)
	}
	pl.hold = max(pl.limit, f.limit)
	if code := e.coverAfter(m, &c, &pl); code != CodeNone {
		ev := e.emit(EventRejected)
		ev.Market, ev.Account, ev.Order, ev.Code = m.id, c.Account, f.parent, code
		return
	}
	e.enterOCO(m, &c, &pl)
}

// coverAfter reserves for the OCO of a bracket.
func (e *Engine) coverAfter(m *market, c *Command, pl *plan) Code {
	a := uint32(c.Account)
	need, ok := costOf(pl.hold, pl.lots, m.cfg.TickUnits)
	if !ok {
		return CodeOverflow
	}
	b := e.balance(a, m.cfg.Quote)
	if c.Side == Sell {
		need, b = lotsOf(pl.lots, m.cfg.LotUnits), e.balance(a, m.cfg.Base)
	}
	if b.available.Less(need) {
		return CodeInsufficient
	}
	b.reserve(need)
	return CodeNone
}
