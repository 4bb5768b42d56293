package naive

import (
	"maps"
	"math/big"
	"slices"
	"sort"

	"strongroom/matching/engine"
)

// maxInt is the largest price and time there is.
const maxInt = 1<<63 - 1

func sorted(set map[int64]bool) []int64 { return slices.Sorted(maps.Keys(set)) }

func (e *Engine) settleAll() {
	for _, m := range e.markets {
		e.settle(m)
	}
}

// settle does what follows from a step until nothing follows any more.
func (e *Engine) settle(m *market) {
	for e.protect(m) || e.nextBracket(m) || e.nextStop(m) {
	}
	e.movePegs(m)
	m.reference = m.last
}

// nextBracket places what the first bracket whose order has ended asks for. It is not
// held to the bounds of a new order, only to cover.
func (e *Engine) nextBracket(m *market) bool {
	if len(m.parents) == 0 {
		return false
	}
	parent := m.parents[0]
	m.parents = m.parents[1:]
	if parent.lots.Sign() == 0 {
		return true
	}
	p := parent.order
	c := engine.Command{
		Market: m.id, Account: p.account.id, Order: p.id, Type: engine.OCO, Side: opposite(p.side), STP: p.stp,
		Flags: p.flags & (engine.MMP | engine.OnDisconnect), Session: p.session, Qty: parent.lots.Int64(),
		Price: p.takeProfit, Trigger: p.stopLoss, TriggerLimit: p.stopLossLimit,
	}
	o := e.draft(&c, m, p.account)
	o.sibling.limitFromTrigger()
	switch {
	case !fits(o.worth()) || !fits(o.sibling.worth()):
		e.reject(&c, engine.CodeOverflow)
	case !e.covered(o, o.needsInAll(), whole(0)):
		e.reject(&c, engine.CodeInsufficient)
	default:
		e.admit(o)
	}
	return true
}

// nextStop lets the next stop enter whose condition holds: of those that buy the lowest,
// else of those that sell the highest, at one price the one that waits there longest.
func (e *Engine) nextStop(m *market) bool {
	if m.state != engine.Open {
		return false
	}
	stops := e.stops(m)
	for _, o := range stops {
		e.follow(o)
	}
	var first *order
	for _, o := range stops {
		if m.triggers(o) && (first == nil || sooner(o, first)) {
			first = o
		}
	}
	if first != nil {
		e.trigger(first)
	}
	return first != nil
}

// stops are those that have not triggered, by id.
func (e *Engine) stops(m *market) []*order {
	var stops []*order
	for _, o := range e.orders {
		if o.market == m && o.waitsForPrice() {
			stops = append(stops, o)
		}
	}
	sort.Slice(stops, func(i, j int) bool { return stops[i].id < stops[j].id })
	return stops
}

func sooner(a, b *order) bool {
	switch {
	case a.side != b.side:
		return a.side == engine.Buy
	case a.trigger != b.trigger:
		return (a.trigger < b.trigger) == (a.side == engine.Buy)
	default:
		return a.queued < b.queued
	}
}

// triggers reports whether the condition of a stop holds.
func (m *market) triggers(o *order) bool {
	switch {
	case m.last == 0:
		return false
	case o.side == engine.Buy:
		return m.last >= o.trigger
	default:
		return m.last <= o.trigger
	}
}

// follow moves a trailing stop towards the last price, never away from it, behind those
// that wait at its new stop price.
func (e *Engine) follow(o *order) {
	last, next := o.market.last, o.trigger
	switch {
	case o.typ != engine.Trailing || last == 0:
	case o.side == engine.Sell:
		next = max(next, last-o.offset)
	case last <= maxInt-o.offset:
		next = min(next, last+o.offset)
	}
	if next != o.trigger {
		e.queued++
		o.trigger, o.queued = next, e.queued
	}
}

// trigger turns a stop into the order that it stands for.
func (e *Engine) trigger(o *order) {
	if o.typ != engine.StopLimit {
		o.limit, o.tif = o.boundNow(), engine.IOC
	}
	o.trigger = 0
	e.emit(engine.Event{
		Kind: engine.EventTriggered, Market: o.market.id, Order: o.id, Account: o.account.id, Side: o.side,
		Price: o.limit, Qty: o.qty,
	})
	e.dropSibling(o)
	e.reserveNeeds(o)
	e.enter(o, engine.EventRested)
}

// boundNow is the limit of a stop if it triggered now: never worse than what it reserved.
func (o *order) boundNow() int64 {
	if o.side == engine.Buy {
		return min(o.limit, o.bound(o.trigger))
	}
	return max(o.limit, o.bound(o.trigger))
}

// movePegs puts each peg where it belongs.
func (e *Engine) movePegs(m *market) {
	var pegs []*order
	for _, o := range e.orders {
		if o.market == m && o.isPeg() {
			pegs = append(pegs, o)
		}
	}
	sort.Slice(pegs, func(i, j int) bool { return pegs[i].id < pegs[j].id })
	for _, o := range pegs {
		e.movePeg(o)
	}
}

func (e *Engine) movePeg(o *order) {
	at := e.pegPrice(o)
	switch {
	case at == 0 && o.inBook:
		o.inBook, o.shown = false, 0
		e.emit(engine.Event{
			Kind: engine.EventReplaced, Market: o.market.id, Order: o.id, Account: o.account.id, Side: o.side, Qty: o.qty,
		})
	case at == 0, o.inBook && at == o.at:
	case o.inBook:
		e.stand(o, at, engine.EventReplaced)
	default:
		e.stand(o, at, engine.EventRested)
	}
}

// standing is where o is in the book; zero is nowhere.
func (o *order) standing() int64 {
	if o.inBook {
		return o.at
	}
	return 0
}

// pegPrice is where a peg belongs; zero is nowhere.
func (e *Engine) pegPrice(o *order) int64 {
	m := o.market
	if m.state != engine.Open && m.state != engine.PostOnlyState {
		return o.standing()
	}
	unpegged := func(o *order) bool { return !o.isPeg() }
	bid, ask := e.bestOf(m, engine.Buy, unpegged), e.bestOf(m, engine.Sell, unpegged)
	mid := o.flags&engine.PegMid != 0
	if mid && (bid == nil || ask == nil) || o.side == engine.Buy && bid == nil || o.side == engine.Sell && ask == nil {
		return 0
	}
	var price *big.Int
	switch {
	case mid:
		price = ratioDown(plus(whole(bid.at), whole(ask.at)), whole(2))
		if o.side == engine.Sell {
			price = plus(price, whole(1))
		}
	case o.side == engine.Buy:
		price = whole(bid.at)
	default:
		price = whole(ask.at)
	}
	if o.side == engine.Buy {
		price = minus(price, whole(o.offset))
	} else {
		price = plus(price, whole(o.offset))
	}
	if !price.IsInt64() {
		return 0
	}
	at := min(price.Int64(), o.limit)
	if o.side == engine.Sell {
		at = max(price.Int64(), o.limit)
	}
	if at < 1 || !m.inStaticBand(at) {
		return 0
	}
	return at
}
