package naive

import (
	"math/big"

	"strongroom/matching/engine"
)

// enter lets an order that came in trade, and what is left wait or end.
func (e *Engine) enter(o *order, rested engine.EventKind) {
	if o.isPeg() || o.waitsForPrice() {
		return
	}
	halted := e.match(o)
	switch {
	case o.ended:
	case o.done():
		e.end(o)
	case halted && !o.mayRest():
		e.cancel(o, engine.CodeByHalt)
	case !o.mayRest():
		e.cancel(o, engine.CodeUnfilled)
	default:
		e.stand(o, o.limit, rested)
	}
}

// done reports whether o has all it wanted.
func (o *order) done() bool {
	if o.quote != nil {
		return o.quote.Sign() == 0
	}
	return o.qty == 0
}

// match trades o with the other side for as long as it may; true where the dynamic band
// or the breaker stopped it.
func (e *Engine) match(o *order) bool {
	m := o.market
	for m.matches() && !o.ended && !o.done() {
		maker := e.best(m, opposite(o.side))
		if maker == nil || !o.crosses(maker.at) || o.wants(maker.at, maker.qty) == 0 {
			return false
		}
		switch {
		case m.outsideDynamicBand(maker.at):
			e.haltByBand(m)
			return true
		case o.stp != engine.STPNone && o.account.together(maker.account):
			e.preventSelfTrade(o, maker, o.stp)
		default:
			e.trade(o, maker, maker.at, o.wants(maker.at, maker.shown), false)
			e.breakCircuit(m)
		}
	}
	return !m.matches()
}

// wants is how many of the offered lots o takes at a price.
func (o *order) wants(price, offered int64) int64 {
	if o.quote == nil {
		return min(o.qty, offered)
	}
	lots := ratioDown(o.quote, o.market.quote(price, 1))
	if o.side == engine.Sell {
		lots = ratioUp(o.quote, o.market.quote(price, 1))
	}
	if lots.Cmp(whole(offered)) > 0 {
		return offered
	}
	return lots.Int64()
}

func (m *market) outsideDynamicBand(price int64) bool {
	return m.cfg.DynamicPPM != 0 && m.reference != 0 && moved(price, m.reference, m.cfg.DynamicPPM, false)
}

// trade moves what two orders exchange. In an auction the buyer is the taker, both pay
// the maker's rate, and an iceberg trades whole at its place.
func (e *Engine) trade(taker, maker *order, price, lots int64, auction bool) {
	m := taker.market
	takerFee := e.deliver(taker, price, lots, !auction)
	makerFee := e.deliver(maker, price, lots, false)
	taker.reduce(price, lots)
	maker.reduce(price, lots)
	v := engine.Event{
		Kind: engine.EventTrade, Market: m.id, Price: price, Qty: lots, Order: taker.id, Maker: maker.id,
		Account: taker.account.id, MakerAccount: maker.account.id, Side: taker.side, Left: maker.qty,
		TakerLeft: taker.qty, Amount: toAmount(takerFee), Balance: toAmount(makerFee),
	}
	if taker.quote != nil {
		v.TakerLeft = 0
	}
	e.emit(v)
	m.traded, m.last = true, price
	if !auction && m.cfg.BreakerPPM != 0 {
		m.note(e.clock, price)
	}
	e.count(maker, lots)
	e.count(taker, lots)
	e.reserveNeeds(maker)
	e.reserveNeeds(taker)
	e.afterTake(maker, lots, auction)
	e.dropSibling(maker)
	e.dropSibling(taker)
	if auction {
		e.afterTake(taker, lots, auction)
	}
}

// deliver pays what o owes out of its reservation and credits what it receives, less the fee.
func (e *Engine) deliver(o *order, price, lots int64, taking bool) *big.Int {
	m := o.market
	gives, gets, asset := m.base(lots), m.quote(price, lots), m.cfg.Quote
	if o.side == engine.Buy {
		gives, gets, asset = gets, gives, m.cfg.Base
	}
	rate := m.cfg.Tiers[o.account.tier].Maker
	if taking {
		rate = m.cfg.Tiers[o.account.tier].Taker
	}
	charge := fee(gets, rate)
	from := e.balance(o.account.id, o.pays())
	from.reserved = minus(from.reserved, gives)
	o.reserved = minus(o.reserved, gives)
	to := e.balance(o.account.id, asset)
	to.available = plus(to.available, minus(gets, charge))
	house := e.balance(0, asset)
	house.available = plus(house.available, charge)
	o.filled += lots
	if o.side == engine.Buy {
		o.feeBase = plus(o.feeBase, charge)
	}
	return charge
}

// reduce takes lots from what remains of o.
func (o *order) reduce(price, lots int64) {
	if o.quote != nil {
		o.quote = minus(o.quote, o.market.quote(price, lots))
		if o.quote.Sign() < 0 {
			o.quote = whole(0)
		}
	}
	if o.quote == nil || o.side == engine.Sell {
		o.qty -= lots
	}
}

// note begins a new window of the breaker where the last one is over.
func (m *market) note(now, price int64) {
	if !m.windowOpen || now >= later(m.windowBegan, m.cfg.BreakerWindow) {
		m.windowOpen, m.windowBegan, m.windowFirst = true, now, price
	}
}

// afterTake is what becomes of an order in the book from which lots were taken.
func (e *Engine) afterTake(o *order, lots int64, auction bool) {
	usedUp := lots >= o.shown
	switch {
	case o.qty == 0:
		e.end(o)
	case !usedUp:
		o.shown -= lots
	case auction:
		o.show()
		e.sayReduced(o)
	default:
		e.requeue(o)
		e.sayStands(o, engine.EventReplaced)
	}
}

// fillsWhole reports whether the book has what a fill-or-kill order wants.
func (e *Engine) fillsWhole(o *order) bool {
	m := o.market
	better, level, shown, at := new(big.Int), new(big.Int), new(big.Int), int64(0)
	enough := func(lots *big.Int) bool { return plus(better, lots).Cmp(whole(o.qty)) >= 0 }
	first := m.windowFirst
	if !m.windowOpen || e.clock >= later(m.windowBegan, m.cfg.BreakerWindow) {
		first = 0
	}
	for _, maker := range e.queue(m, opposite(o.side)) {
		if !o.crosses(maker.at) || m.outsideDynamicBand(maker.at) {
			break
		}
		if maker.at != at {
			better, level, shown, at = plus(better, level), new(big.Int), new(big.Int), maker.at
		}
		if o.stp != engine.STPNone && o.account.together(maker.account) {
			if o.stp == engine.STPCancelMaker {
				continue
			}
			return enough(shown)
		}
		if first == 0 {
			first = maker.at
		}
		if m.cfg.BreakerPPM != 0 && moved(maker.at, first, m.cfg.BreakerPPM, true) {
			return enough(whole(maker.shown))
		}
		level, shown = plus(level, whole(maker.qty)), plus(shown, whole(maker.shown))
	}
	return enough(level)
}

// matches reports whether orders that come in may trade. In post-only none would, but
// an OCO that a bracket places.
func (m *market) matches() bool {
	return m.state == engine.Open || m.state == engine.PostOnlyState
}
