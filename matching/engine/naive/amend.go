package naive

import "strongroom/matching/engine"

func (e *Engine) amend(c *engine.Command) {
	o, code := e.find(c)
	if o == nil {
		e.reject(c, code)
		return
	}
	next := *o
	next.limit, next.qty, next.display = given(c.Price, o.limit), given(c.Qty, o.qty), given(c.Display, o.display)
	keeps := next.limit == o.limit && next.qty <= o.qty
	if code := e.amendCode(c, o, &next, keeps); code != engine.CodeNone {
		e.reject(c, code)
		return
	}
	o.limit, o.qty, o.display = next.limit, next.qty, next.display
	if keeps {
		e.shrink(o)
		return
	}
	o.inBook = false
	e.reserveNeeds(o)
	e.sayAccepted(o, engine.Limit)
	e.enter(o, engine.EventReplaced)
}

// given is what a command says, or what was, where it says nothing.
func given(now, before int64) int64 {
	if now == 0 {
		return before
	}
	return now
}

// shrink lets o show no more than before, and no more than it may.
func (e *Engine) shrink(o *order) {
	o.shown = min(o.shown, o.qty)
	if o.display != 0 {
		o.shown = min(o.shown, o.display)
	}
	e.reserveNeeds(o)
	e.sayReduced(o)
}

// amendCode checks an amend by which o becomes next.
func (e *Engine) amendCode(c *engine.Command, o, next *order, keeps bool) engine.Code {
	m := o.market
	switch {
	case !m.takes(engine.Limit, o.tif, o.flags) && (!keeps || m.state != engine.PostOnlyState):
		return engine.CodeMarketState
	case !o.isLimit() || o.sibling != nil:
		return engine.CodeBadType
	case c.Qty != 0 && (c.Qty < m.cfg.MinQty || c.Qty > m.cfg.MaxQty):
		return engine.CodeBadQty
	case c.Price < 0:
		return engine.CodeBadPrice
	case next.display != 0 && (c.Display != 0 || next.qty > o.qty) && !m.showable(next.display, next.qty):
		return engine.CodeBadDisplay
	}
	if !keeps {
		if code := e.postOnly(next); code != engine.CodeNone {
			return code
		}
	}
	if next.limit == o.limit && next.qty == o.qty {
		return engine.CodeNone
	}
	if code := worthCode(next); code != engine.CodeNone {
		return code
	}
	switch {
	case !m.inStaticBand(next.limit):
		return engine.CodeBeyondBand
	case !keeps && next.limit != o.limit && !e.hasPages(1):
		return engine.CodeTooManyOrders
	case !e.covered(o, next.needs(), o.reserved):
		return engine.CodeInsufficient
	}
	return engine.CodeNone
}
