package naive

import "strongroom/matching/engine"

// preventSelfTrade does what mode says to orders that would trade with each other; the
// mode is the taker's.
func (e *Engine) preventSelfTrade(taker, maker *order, mode engine.STP) {
	switch mode {
	case engine.STPCancelTaker:
		e.cancel(taker, engine.CodeSelfTrade)
	case engine.STPCancelMaker:
		e.cancel(maker, engine.CodeSelfTrade)
	case engine.STPCancelBoth:
		e.cancel(maker, engine.CodeSelfTrade)
		e.cancel(taker, engine.CodeSelfTrade)
	case engine.STPDecrement:
		price, lots := maker.at, taker.wants(maker.at, maker.qty)
		e.decrement(maker, price, lots)
		e.decrement(taker, price, lots)
	case engine.STPNone:
	}
}

// decrement takes lots from o without a trade, hidden ones first.
func (e *Engine) decrement(o *order, price, lots int64) {
	o.reduce(price, lots)
	if o.done() {
		o.lost = lots
		e.cancel(o, engine.CodeSelfTrade)
		return
	}
	o.shown = min(o.shown, o.qty)
	e.reserveNeeds(o)
	e.sayReduced(o)
	e.dropSibling(o)
}
