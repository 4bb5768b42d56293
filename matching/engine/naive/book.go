package naive

import (
	"sort"

	"strongroom/matching/engine"
)

func opposite(s engine.Side) engine.Side {
	if s == engine.Buy {
		return engine.Sell
	}
	return engine.Buy
}

// before reports whether a stands before b in the queue of their side.
func before(a, b *order) bool {
	if a.at != b.at {
		return (a.at > b.at) == (a.side == engine.Buy)
	}
	return a.queued < b.queued
}

// best is the order of a side that trades first.
func (e *Engine) best(m *market, side engine.Side) *order {
	return e.bestOf(m, side, func(*order) bool { return true })
}

func (e *Engine) bestOf(m *market, side engine.Side, match func(*order) bool) *order {
	var best *order
	for _, o := range e.orders {
		if o.market == m && o.side == side && o.inBook && match(o) && (best == nil || before(o, best)) {
			best = o
		}
	}
	return best
}

// queue is a side of the book, the order that trades first at its head.
func (e *Engine) queue(m *market, side engine.Side) []*order {
	var all []*order
	for _, o := range e.orders {
		if o.market == m && o.side == side && o.inBook {
			all = append(all, o)
		}
	}
	sort.Slice(all, func(i, j int) bool { return before(all[i], all[j]) })
	return all
}

// crosses reports whether o would trade at a price of the other side.
func (o *order) crosses(price int64) bool {
	if o.side == engine.Buy {
		return price <= o.limit
	}
	return price >= o.limit
}

// stand puts o into the book, behind all others of its price.
func (e *Engine) stand(o *order, at int64, kind engine.EventKind) {
	o.inBook, o.at = true, at
	e.requeue(o)
	e.sayStands(o, kind)
}

// requeue shows o anew at the end of its price's queue.
func (e *Engine) requeue(o *order) {
	e.queued++
	o.queued = e.queued
	o.show()
}

// show makes the next part of an iceberg visible.
func (o *order) show() {
	o.shown = o.qty
	if o.display != 0 {
		o.shown = min(o.display, o.qty)
	}
}

func (e *Engine) sayStands(o *order, kind engine.EventKind) {
	e.emit(engine.Event{
		Kind: kind, Market: o.market.id, Order: o.id, Account: o.account.id, Side: o.side,
		Price: o.at, Qty: o.qty, Shown: o.shown,
	})
}

func (e *Engine) sayReduced(o *order) {
	v := engine.Event{
		Kind: engine.EventReduced, Market: o.market.id, Order: o.id, Account: o.account.id, Side: o.side,
		Price: o.limit, Qty: o.qty,
	}
	if o.quote != nil {
		v.Qty = 0
	}
	if o.inBook {
		v.Price, v.Shown = o.at, o.shown
	}
	e.emit(v)
}
