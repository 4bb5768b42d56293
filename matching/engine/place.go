package engine

// taker is what an order that is being matched has beside its row.
type taker struct {
	limit   int64
	hold    int64 // price at which its reserve is taken in a trade
	left    int64
	quote   Amount // what is left of a quote amount
	side    Side
	stp     STP
	byQuote bool
	rests   bool // may wait with what is left
	event   EventKind
}

// place takes a new order in.
func (e *Engine) place(c *Command) Code {
	m := e.known(c.Market)
	if m == nil {
		return CodeUnknownMarket
	}
	a := e.trader(c.Account)
	if a == nil {
		return CodeUnknownAccount
	}
	if !c.Key.isZero() {
		if first := e.keys.find(uint32(c.Account), c.Key); first != nil {
			ev := e.emit(EventRejected)
			ev.Market, ev.Account, ev.Order, ev.Key, ev.Code = c.Market, c.Account, first.order, c.Key, CodeDuplicate
			return CodeNone
		}
	}
	if a.killed {
		return CodeKilled
	}
	var p plan
	if code := e.check(m, c, &p); code != CodeNone {
		return code
	}
	funds := e.balance(uint32(c.Account), m.cfg.Base)
	if c.Side == Buy {
		funds = e.balance(uint32(c.Account), m.cfg.Quote)
	}
	if funds.available.Less(p.need) {
		return CodeInsufficient
	}
	if c.TIF == FOK && !e.fills(m, c) {
		return CodeWouldNotFill
	}
	funds.reserve(p.need)
	e.enter(m, c, &p)
	return CodeNone
}

// check is all checks that need neither account nor depth.
func (e *Engine) check(m *market, c *Command, p *plan) Code {
	if code := e.checkInput(m, c); code != CodeNone {
		return code
	}
	if code := e.prepare(m, c, p); code != CodeNone {
		return code
	}
	if c.Flags&MMP != 0 && e.guarded(guardID{uint32(c.Account), m.id}) {
		return CodeProtected
	}
	return e.room(m, c, p)
}

// checkInput is the checks of a command's fields and of the market's state.
func (e *Engine) checkInput(m *market, c *Command) Code {
	plain := c.plain()
	if !plain {
		if code := checkKind(c); code != CodeNone {
			return code
		}
	}
	if m.state != Open {
		if code := checkState(m.state, c); code != CodeNone {
			return code
		}
	}
	switch {
	case !plain:
		return e.checkFields(m, c)
	case c.Qty < m.cfg.MinQty || c.Qty > m.cfg.MaxQty:
		return CodeBadQty
	case c.Price <= 0:
		return CodeBadPrice
	}
	return CodeNone
}

// plain says whether an order is a limit order without anything else, as most are: of
// such only quantity and price can be wrong.
func (c *Command) plain() bool {
	return uint16(c.Type)|uint16(c.Flags) == 0 && c.Side <= Sell && c.TIF <= FOK && c.STP <= STPDecrement &&
		c.Display|c.Trigger|c.TriggerLimit|c.Offset|c.Expires == 0 &&
		c.TakeProfit|c.StopLoss|c.StopLossLimit == 0 && c.Amount.IsZero()
}

// open makes the row of a new order.
func (e *Engine) open(m *market, c *Command, kind Type, price, qty int64) (uint32, *order) {
	p := e.alloc()
	o := &e.rows[p]
	e.ages++
	o.price, o.qty, o.age = price, qty, e.ages
	o.account, o.market = uint32(c.Account), uint16(m.id)
	o.extra, o.key = 0, 0
	o.bits = orderBits(c, kind)
	e.enlist(p, o)
	m.waiting++
	return p, o
}

// announce tells that an order came in.
func (e *Engine) announce(o *order, p uint32, c *Command, kind Type, price int64) {
	ev := e.emit(EventAccepted)
	ev.Market, ev.Account, ev.Order, ev.Key = MarketID(o.market), AccountID(o.account), o.id(p), c.Key
	ev.Side, ev.Type, ev.Price, ev.Qty = c.Side, kind, price, c.Qty
}

// enter makes an accepted order and lets it do what it does.
func (e *Engine) enter(m *market, c *Command, pl *plan) {
	if c.Type == OCO {
		e.enterOCO(m, c, pl)
		return
	}
	p, o := e.open(m, c, c.Type, pl.limit, pl.lots)
	if !c.Key.isZero() {
		o.key = e.keys.add(o.account, c.Key, o.id(p), e.now)
	}
	e.equip(m, p, o, c, pl)
	switch c.Type {
	case Stop, StopLimit, Trailing:
		e.movers++
		e.announce(o, p, c, c.Type, pl.limit)
		e.arm(m, p, o, pl)
	case Peg:
		e.movers++
		e.announce(o, p, c, Peg, c.Price)
		e.addPeg(m, p, o)
	case Limit, Market, MarketQuote, OCO:
		e.announce(o, p, c, c.Type, pl.limit)
		t := taker{
			limit: pl.limit, hold: pl.limit, left: pl.lots, quote: c.Amount, side: c.Side, stp: c.STP,
			byQuote: c.Type == MarketQuote, rests: c.Type == Limit && c.TIF != IOC && c.TIF != FOK, event: EventRested,
		}
		if t.byQuote {
			t.left = 1 // found at each price
		}
		e.run(m, p, &t)
	}
}

// equip gives a new order an extra where it needs one.
func (e *Engine) equip(m *market, p uint32, o *order, c *Command, pl *plan) {
	plain := c.Type == Limit || c.Type == Market || c.Type == MarketQuote
	if plain && c.Display == 0 && pl.expires == 0 && c.Flags&(OnDisconnect|Bracket) == 0 {
		return
	}
	x := e.lend(p)
	x.display, x.offset, x.hold, x.expires = c.Display, c.Offset, pl.hold, pl.expires
	if plain {
		x.offset = 0
	} else {
		x.limit = pl.limit
	}
	if c.Flags&Bracket != 0 {
		x.takeProfit, x.stopLoss, x.stopLossLimit = c.TakeProfit, c.StopLoss, c.StopLossLimit
		e.kept++
		m.waiting++
	}
	e.schedule(p, o, c)
}

// schedule puts an order into the heap of ends and its session's list.
func (e *Engine) schedule(p uint32, o *order, c *Command) {
	x := &e.extras[o.extra]
	if x.expires != 0 {
		e.pushEnd(p)
	}
	if c.Flags&OnDisconnect != 0 {
		e.join(p, x, uint32(c.Session))
	}
}

func (e *Engine) enterOCO(m *market, c *Command, pl *plan) {
	stop := StopLimit
	if c.TriggerLimit == 0 {
		stop = Stop
	}
	p, o := e.open(m, c, Limit, c.Price, c.Qty)
	if !c.Key.isZero() {
		o.key = e.keys.add(o.account, c.Key, o.id(p), e.now)
	}
	q, s := e.open(m, c, stop, pl.trigger, c.Qty)
	e.movers++
	x := e.lend(p)
	x.hold, x.expires, x.sibling = pl.hold, pl.expires, q
	y := e.lend(q)
	y.bare, y.expires, y.sibling, y.limit = true, pl.expires, p, pl.limit
	e.schedule(p, o, c)
	e.schedule(q, s, c)
	e.announce(o, p, c, OCO, c.Price)
	e.announce(s, q, &Command{Side: c.Side, Qty: c.Qty}, stop, pl.limit)
	e.arm(m, q, s, pl)
	t := taker{
		limit: c.Price, hold: pl.hold, left: c.Qty, side: c.Side, stp: c.STP, rests: true, event: EventRested,
	}
	e.run(m, p, &t)
}
