package engine

import "math/bits"

// run matches an order as a taker where the market's state lets it, and ends it or
// lets it wait.
func (e *Engine) run(m *market, p uint32, t *taker) {
	code := CodeNone
	if m.state == Open || m.state == PostOnlyState {
		code = e.match(m, p, t)
	}
	if t.byQuote {
		e.endQuote(m, p, t, code)
		return
	}
	switch {
	case t.left == 0:
		e.drop(m, p)
	case code == CodeSelfTrade:
		e.cancel(p, code)
	case t.rests:
		e.rest(m, p, t.event)
	case code == CodeNone:
		e.cancel(p, CodeUnfilled)
	default:
		e.cancel(p, code)
	}
}

// endQuote ends an order by quote amount.
func (e *Engine) endQuote(m *market, p uint32, t *taker, code Code) {
	o := &e.rows[p]
	if t.side == Buy {
		e.balance(o.account, m.cfg.Quote).unlock(t.quote)
	} else {
		e.balance(o.account, m.cfg.Base).unlock(lotsOf(o.qty, m.cfg.LotUnits))
	}
	if !t.quote.IsZero() || code == CodeSelfTrade {
		if code == CodeNone {
			code = CodeUnfilled
		}
		ev := e.tell(EventCancelled, p, o)
		ev.Qty, ev.Code, ev.Amount, ev.Key = 0, code, t.quote, e.keyOf(o)
	}
	e.drop(m, p)
}

// match trades an order with the other side as far as it goes. It returns
// CodeSelfTrade where the order is over by self-trade prevention, CodeByHalt where the
// market has left the state in which it matches, CodeNone otherwise.
func (e *Engine) match(m *market, p uint32, t *taker) Code {
	opp := &m.book[1-t.side]
	limit := t.limit ^ opp.flip
	account := e.rows[p].account
	for t.left > 0 && opp.n != 0 && opp.best >= limit {
		price := opp.price()
		if t.byQuote && !e.quoteLots(m, p, t, price) {
			break
		}
		if price < m.low || price > m.high {
			e.halt(m, CodeDynamicBand)
			return CodeByHalt
		}
		mp := opp.top().head
		mk := &e.rows[mp]
		if t.stp != STPNone && e.related(account, mk.account) {
			if e.meet(m, p, mp, price, t) {
				return CodeSelfTrade
			}
			continue
		}
		if e.trade(m, p, mp, min(t.left, e.shown(mk)), t) {
			e.halt(m, CodeBreaker)
			return CodeByHalt
		}
	}
	return CodeNone
}

// quoteLots finds how many lots what is left of a quote amount takes at price.
func (e *Engine) quoteLots(m *market, p uint32, t *taker, price int64) bool {
	each, _ := costOf(price, 1, m.cfg.TickUnits)
	lots, rest := t.quote.over(each, MaxLots)
	if t.side == Sell {
		if rest {
			lots++
		}
		lots = min(lots, e.rows[p].qty)
	}
	t.left = lots
	return lots > 0
}

// related says whether orders of two accounts are kept from trading with each other.
func (e *Engine) related(a, b uint32) bool {
	return a == b || e.accounts[a].group != 0 && e.accounts[a].group == e.accounts[b].group
}

// trade lets a taker trade with the first of the best level. It says whether that
// tripped the breaker.
func (e *Engine) trade(m *market, p, mp uint32, qty int64, t *taker) bool {
	o, mk := &e.rows[p], &e.rows[mp]
	opp := &m.book[1-t.side]
	d := deal{price: opp.price(), qty: qty}
	takes := m.cfg.Tiers[e.accounts[o.account].tier%Tiers].Taker
	makes := m.cfg.Tiers[e.accounts[mk.account].tier%Tiers].Maker
	if t.side == Buy {
		d.buyer, d.seller, d.buyRate, d.sellRate, d.hold = o.account, mk.account, takes, makes, t.hold
		if t.byQuote {
			d.hold = d.price
		}
	} else {
		d.buyer, d.seller, d.buyRate, d.sellRate = mk.account, o.account, makes, takes
		d.hold, _ = e.hold(mk)
	}
	e.settle(m, &d)
	t.left -= qty
	mk.qty -= qty
	ev := e.emit(EventTrade)
	ev.Market, ev.Price, ev.Qty, ev.Side = m.id, d.price, qty, t.side
	ev.Order, ev.Account, ev.Maker, ev.MakerAccount = o.id(p), AccountID(o.account), mk.id(mp), AccountID(mk.account)
	ev.Left, ev.TakerLeft = mk.qty, t.left
	ev.Amount, ev.Balance = d.sellFee, d.buyFee
	if t.side == Buy {
		ev.Amount, ev.Balance = d.buyFee, d.sellFee
	}
	if t.byQuote {
		ev.TakerLeft = 0
		e.spend(o, t, d.cost, qty)
	} else {
		o.qty = t.left
	}
	m.last, m.traded = d.price, true
	if !m.touched {
		e.touch(m)
	}
	if (o.bits|mk.bits)&bitMMP != 0 {
		e.count(m, mk, o, qty)
	}
	opp.top().qty -= qty
	if mk.extra|o.extra != 0 {
		e.tradedExtra(m, opp, p, mp, qty, &d, t)
	} else if mk.qty == 0 {
		e.pull(opp, mk, d.price, 0)
		e.drop(m, mp)
	}
	return m.cfg.BreakerPPM != 0 && e.moved(m, d.price)
}

// spend takes what an order by quote amount has traded from what is left of it.
func (e *Engine) spend(o *order, t *taker, cost Amount, qty int64) {
	if t.quote.Less(cost) {
		cost = t.quote
	}
	t.quote.sub(cost)
	t.left = 0
	if !t.quote.IsZero() {
		t.left = 1 // found anew at the next price
	}
	if t.side == Sell {
		o.qty -= qty
		if o.qty == 0 {
			t.left = 0
		}
	}
}

// tradedExtra sees to what a trade does to an iceberg, an OCO and a bracket.
func (e *Engine) tradedExtra(m *market, opp *ladder, p, mp uint32, qty int64, d *deal, t *taker) {
	o, mk := &e.rows[p], &e.rows[mp]
	e.gain(o, d)
	e.gain(mk, d)
	sibling := e.sever(m, mk)
	if mk.qty == 0 {
		e.pull(opp, mk, d.price, 0)
		e.drop(m, mp)
	} else if mk.extra != 0 {
		e.reshow(opp, mp, mk, qty)
	}
	if sibling != 0 {
		e.cancel(sibling, CodeBySibling)
	}
	if o.extra == 0 {
		return
	}
	if sibling = e.sever(m, o); sibling != 0 {
		t.hold = t.limit
		e.cancel(sibling, CodeBySibling)
	}
}

// gain counts what the order of a bracket has bought or sold.
func (e *Engine) gain(o *order, d *deal) {
	if o.extra == 0 {
		return
	}
	x := &e.extras[o.extra]
	if x.takeProfit == 0 {
		return
	}
	if o.side() == Buy {
		x.received.add(d.gained)
	} else {
		x.received.add(d.base)
	}
}

// sever parts an order from its sibling, which it returns, and brings its reserve to
// its own price.
func (e *Engine) sever(m *market, o *order) uint32 {
	if o.extra == 0 {
		return 0
	}
	x := &e.extras[o.extra]
	sibling := x.sibling
	if sibling == 0 {
		return 0
	}
	x.sibling = 0
	e.extras[e.rows[sibling].extra].sibling = 0
	if !x.bare {
		e.rehold(m, o, o.price)
	}
	return sibling
}

// rehold lowers the price at which a buy with an extra reserves.
func (e *Engine) rehold(m *market, o *order, price int64) {
	x := &e.extras[o.extra]
	if o.side() == Buy && x.hold > price {
		more, b := e.pledge(m, o, o.qty)
		x.hold = price
		less, _ := e.pledge(m, o, o.qty)
		more.sub(less)
		b.unlock(more)
	}
	x.hold = price
}

// reshow takes traded lots from what an iceberg shows; when all are gone it shows the
// next ones at the end of its queue.
func (e *Engine) reshow(l *ladder, p uint32, o *order, qty int64) {
	x := &e.extras[o.extra]
	if x.display == 0 {
		return
	}
	if x.shown -= qty; x.shown > 0 {
		return
	}
	e.pull(l, o, o.price, 0)
	x.shown = min(x.display, o.qty)
	e.push(l, p, o, o.price, x.shown)
	e.tellShown(EventReplaced, p, o)
}

// moved counts a trade in the breaker's window and says whether it trips.
func (e *Engine) moved(m *market, price int64) bool {
	if m.first == 0 || e.now-m.start >= m.cfg.BreakerWindow {
		m.first, m.start = price, e.now
		return false
	}
	return m.trips(m.first, price)
}

// trips says whether a price is as far from first, the first of the window, as the breaker bears.
func (m *market) trips(first, price int64) bool {
	by := price - first
	if by < 0 {
		by = -by
	}
	hi, lo := bits.Mul64(uint64(by), PPM)
	boundHi, boundLo := bits.Mul64(uint64(first), uint64(m.cfg.BreakerPPM))
	return !(Amount{hi, lo}).Less(Amount{boundHi, boundLo})
}
