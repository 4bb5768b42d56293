package naive

import (
	"math/big"

	"strongroom/matching/engine"
)

func (e *Engine) newOrder(c *engine.Command) {
	m, a := e.market(c.Market), e.trader(c.Account)
	if m == nil {
		e.reject(c, engine.CodeUnknownMarket)
		return
	}
	if a == nil {
		e.reject(c, engine.CodeUnknownAccount)
		return
	}
	if k := e.key(a.id, c.Key); k != nil {
		again := *c
		again.Order = k.order
		e.reject(&again, engine.CodeDuplicate)
		return
	}
	o, code := e.accept(c, m, a)
	if code != engine.CodeNone {
		e.reject(c, code)
		return
	}
	e.admit(o)
}

// accept makes the order of a command that passes all checks.
func (e *Engine) accept(c *engine.Command, m *market, a *account) (*order, engine.Code) {
	switch {
	case a.killed:
		return nil, engine.CodeKilled
	case !kindKnown(c) || !flagsFit(c):
		return nil, engine.CodeBadType
	case !m.takes(c.Type, c.TIF, c.Flags):
		return nil, engine.CodeMarketState
	}
	if code := e.figures(c, m); code != engine.CodeNone {
		return nil, code
	}
	o := e.draft(c, m, a)
	if code := e.priced(o); code != engine.CodeNone {
		return nil, code
	}
	if code := worthCode(o); code != engine.CodeNone {
		return nil, code
	}
	return o, e.placeable(o)
}

// placeable are the checks of an order whose prices are known.
func (e *Engine) placeable(o *order) engine.Code {
	m := o.market
	guard := m.guards[o.account.id]
	switch {
	case !m.inStaticBand(o.limit) || o.sibling != nil && !m.inStaticBand(o.sibling.limit):
		return engine.CodeBeyondBand
	case o.flags&engine.MMP != 0 && guard != nil && guard.protected:
		return engine.CodeProtected
	case !e.hasRoom(o):
		return engine.CodeTooManyOrders
	case o.key != engine.Key{} && e.keysFull():
		return engine.CodeTooManyKeys
	case !e.covered(o, o.needsInAll(), whole(0)):
		return engine.CodeInsufficient
	case o.tif == engine.FOK && !e.fillsWhole(o):
		return engine.CodeWouldNotFill
	}
	return engine.CodeNone
}

// admit gives o and its sibling rows and lets it trade.
func (e *Engine) admit(o *order) {
	stop := o.sibling
	e.take(o)
	e.keepKey(o)
	if stop != nil {
		e.take(stop)
	}
	e.enter(o, engine.EventRested)
}

// needsInAll is the cover of o and its sibling.
func (o *order) needsInAll() *big.Int {
	if o.sibling == nil {
		return o.needsAlone()
	}
	return plus(o.needsAlone(), o.sibling.needs())
}

// draft is the order as the command says it, not known to the shard yet.
func (e *Engine) draft(c *engine.Command, m *market, a *account) *order {
	o := &order{
		key: c.Key, market: m, account: a, session: c.Session, flags: c.Flags, side: c.Side, typ: c.Type,
		tif: c.TIF, stp: c.STP, limit: c.Price, qty: c.Qty, display: c.Display, trigger: c.Trigger, offset: c.Offset,
		expires: c.Expires, reserved: new(big.Int), feeBase: new(big.Int),
		takeProfit: c.TakeProfit, stopLoss: c.StopLoss, stopLossLimit: c.StopLossLimit,
	}
	if o.flags&engine.OnDisconnect == 0 {
		o.session = 0
	}
	if c.TIF == engine.DAY {
		o.expires = nextDayEnd(e.clock, m.cfg.DayEnd)
	}
	if c.Type == engine.OCO {
		o.trigger = 0
		stop := *o
		stop.key, stop.typ, stop.limit, stop.trigger = engine.Key{}, engine.StopLimit, c.TriggerLimit, c.Trigger
		stop.reserved, stop.feeBase = new(big.Int), new(big.Int)
		if c.TriggerLimit == 0 {
			stop.typ = engine.Stop
		}
		o.sibling, stop.sibling = &stop, o
	}
	if c.Type == engine.MarketQuote {
		o.quote = fromAmount(c.Amount)
	}
	return o
}

func nextDayEnd(now, dayEnd int64) int64 {
	end := now - now%nsPerDay + dayEnd
	if end > now {
		return end
	}
	return later(now-now%nsPerDay, nsPerDay+dayEnd)
}

// priced gives o the prices that follow from the book and the last trade.
func (e *Engine) priced(o *order) engine.Code {
	m := o.market
	switch o.typ {
	case engine.Trailing:
		return o.trail()
	case engine.Stop, engine.StopLimit:
		if m.triggers(o) {
			return engine.CodeWouldTrigger
		}
		o.limitFromTrigger()
	case engine.OCO:
		if m.triggers(o.sibling) {
			return engine.CodeWouldTrigger
		}
		o.sibling.limitFromTrigger()
	case engine.Market, engine.MarketQuote:
		best := e.best(m, opposite(o.side))
		if best == nil {
			return engine.CodeNoLiquidity
		}
		o.limit = o.bound(best.at)
	case engine.Limit:
		return e.postOnly(o)
	case engine.Peg:
	}
	return engine.CodeNone
}

// trail gives a trailing stop its first stop price and bound.
func (o *order) trail() engine.Code {
	last := o.market.last
	if last == 0 {
		return engine.CodeNoReference
	}
	if o.side == engine.Sell {
		o.trigger = last - o.offset
	} else if o.offset <= maxInt-last {
		o.trigger = last + o.offset
	}
	if o.trigger < 1 {
		return engine.CodeBadOffset
	}
	o.limit = o.bound(o.trigger)
	return engine.CodeNone
}

// limitFromTrigger gives a stop that becomes a market order its bound.
func (o *order) limitFromTrigger() {
	if o.typ == engine.Stop {
		o.limit = o.bound(o.trigger)
	}
}

// bound is the limit of a market order that starts at a price.
func (o *order) bound(from int64) int64 {
	m, slip := o.market, o.market.cfg.MaxSlippage
	if !o.waitsForPrice() && o.offset != 0 {
		slip = min(slip, o.offset)
	}
	low, high := max(m.cfg.StaticLow, 1), m.cfg.StaticHigh
	if high == 0 {
		high = maxInt
	}
	if o.side == engine.Buy {
		return min(max(later(from, slip), low), high)
	}
	return min(max(from-slip, low), high)
}

// postOnly refuses or moves a post-only order that would trade.
func (e *Engine) postOnly(o *order) engine.Code {
	if o.flags&engine.PostOnly == 0 {
		return engine.CodeNone
	}
	best := e.best(o.market, opposite(o.side))
	if best == nil || !o.crosses(best.at) {
		return engine.CodeNone
	}
	if o.flags&engine.Slide == 0 {
		return engine.CodeWouldTake
	}
	behind := best.at - 1
	if o.side == engine.Sell {
		if best.at == maxInt {
			return engine.CodeWouldTake
		}
		behind = best.at + 1
	}
	if behind < 1 {
		return engine.CodeWouldTake
	}
	o.limit = behind
	return engine.CodeNone
}

// worthCode checks what o and its sibling are for, in units of the quote asset; of an
// OCO the larger counts.
func worthCode(o *order) engine.Code {
	if o.quote != nil && o.side == engine.Sell {
		lots := ratioUp(o.quote, o.market.quote(o.limit, 1))
		if lots.Cmp(whole(engine.MaxLots)) > 0 {
			return engine.CodeOverflow
		}
		o.qty = lots.Int64()
	}
	worth := o.worth()
	if o.sibling != nil && o.sibling.worth().Cmp(worth) > 0 {
		worth = o.sibling.worth()
	}
	least, most := fromAmount(o.market.cfg.MinNotional), fromAmount(o.market.cfg.MaxNotional)
	switch {
	case !fits(worth):
		return engine.CodeOverflow
	case worth.Cmp(least) < 0, most.Sign() > 0 && worth.Cmp(most) > 0:
		return engine.CodeNotional
	}
	return engine.CodeNone
}

// worth is what o is for at its limit.
func (o *order) worth() *big.Int {
	if o.quote != nil {
		return o.quote
	}
	return o.market.quote(o.limit, o.qty)
}

// take gives o a row and its cover, and says that it came in.
func (e *Engine) take(o *order) {
	if n := len(e.returned); n > 0 {
		o.id, e.returned = e.returned[n-1], e.returned[:n-1]
	} else {
		e.places++
		o.id = engine.OrderID(e.places)
	}
	e.accepted++
	e.queued++
	o.age, o.queued = e.accepted, e.queued
	e.orders = append(e.orders, o)
	e.byID[o.id] = o
	e.reserveNeeds(o)
	e.sayAccepted(o, o.typ)
}

func (e *Engine) sayAccepted(o *order, kind engine.Type) {
	qty := o.qty
	if o.quote != nil {
		qty = 0
	}
	e.emit(engine.Event{
		Kind: engine.EventAccepted, Market: o.market.id, Account: o.account.id, Order: o.id, Key: o.key,
		Side: o.side, Type: kind, Price: o.limit, Qty: qty,
	})
}
