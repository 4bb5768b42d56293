package engine

import "math"

// maxSlices is into how many parts an iceberg may be cut: each is an event of whoever
// sweeps it.
const maxSlices = 1000

// plan is what the checks of a new order have found out.
type plan struct {
	limit   int64 // price in the book, or bound; of a stop what it will have
	hold    int64 // price at which a buy reserves
	trigger int64
	lots    int64  // quantity reserved by a sell
	need    Amount // to reserve
	expires int64
	places  uint32
}

// flagsOf are the flags that an order of a type may have, TIF apart.
func flagsOf(t Type) Flags {
	switch t {
	case Limit:
		return MMP | OnDisconnect | PostOnly | Slide | Bracket
	case Market:
		return MMP | OnDisconnect | Bracket
	case Peg:
		return MMP | OnDisconnect | PegMid
	case MarketQuote, Stop, StopLimit, Trailing, OCO:
	}
	return MMP | OnDisconnect
}

func checkKind(c *Command) Code { //nolint:cyclop // a list of checks
	if c.Side > Sell || c.Type > OCO || c.TIF > DAY || c.STP > STPDecrement {
		return CodeBadType
	}
	rests := c.TIF != IOC && c.TIF != FOK
	switch c.Type {
	case Limit:
	case Market, MarketQuote:
		if c.TIF > IOC {
			return CodeBadType
		}
	case Stop, StopLimit, Trailing, Peg, OCO:
		if !rests {
			return CodeBadType
		}
	}
	if c.Flags == 0 {
		return CodeNone
	}
	if c.Flags&^flagsOf(c.Type) != 0 || c.Flags&(PostOnly|Slide) == Slide || c.Flags&PostOnly != 0 && !rests ||
		c.Flags&OnDisconnect != 0 && c.Session == 0 {
		return CodeBadType
	}
	return CodeNone
}

func checkState(s State, c *Command) Code {
	ok := false
	switch s {
	case Open:
		return CodeNone
	case Auction:
		ok = c.Type == Limit && c.TIF != IOC && c.TIF != FOK && c.Flags&PostOnly == 0
	case PostOnlyState:
		ok = c.Flags&PostOnly != 0
	case Closed, CancelOnly, Halted:
	}
	if ok {
		return CodeNone
	}
	return CodeMarketState
}

// checkFields looks at each field by itself.
func (e *Engine) checkFields(m *market, c *Command) Code { //nolint:cyclop // a list of checks
	priced := c.Type == Limit || c.Type == StopLimit || c.Type == Peg || c.Type == OCO
	if c.Type == MarketQuote {
		if c.Qty != 0 {
			return CodeBadQty
		}
	} else if c.Qty < m.cfg.MinQty || c.Qty > m.cfg.MaxQty {
		return CodeBadQty
	}
	if priced && c.Price <= 0 || !priced && c.Price != 0 {
		return CodeBadPrice
	}
	if code := checkTrigger(c); code != CodeNone {
		return code
	}
	if code := checkOffset(c); code != CodeNone {
		return code
	}
	if c.Display != 0 && (c.Type != Limit || c.TIF == IOC || c.TIF == FOK || !displays(m, c.Display, c.Qty)) {
		return CodeBadDisplay
	}
	if c.TIF == GTD && c.Expires <= e.now || c.TIF != GTD && c.Expires != 0 {
		return CodeBadExpiry
	}
	if (c.Type == MarketQuote) == c.Amount.IsZero() {
		return CodeBadAmount
	}
	return CodeNone
}

func displays(m *market, display, qty int64) bool {
	return display > 0 && display >= m.cfg.MinQty && (qty-1)/display < maxSlices
}

func checkTrigger(c *Command) Code { //nolint:cyclop // a list of checks
	stops := c.Type == Stop || c.Type == StopLimit || c.Type == OCO
	if stops && c.Trigger <= 0 || !stops && c.Trigger != 0 ||
		c.TriggerLimit < 0 || c.Type != OCO && c.TriggerLimit != 0 {
		return CodeBadTrigger
	}
	if c.Type == OCO && (c.Side == Buy && c.Price >= c.Trigger || c.Side == Sell && c.Price <= c.Trigger) {
		return CodeBadTrigger
	}
	if c.Flags&Bracket == 0 {
		if c.TakeProfit|c.StopLoss|c.StopLossLimit != 0 {
			return CodeBadTrigger
		}
		return CodeNone
	}
	if c.TakeProfit <= 0 || c.StopLoss <= 0 || c.StopLossLimit < 0 ||
		c.Side == Buy && c.StopLoss >= c.TakeProfit || c.Side == Sell && c.StopLoss <= c.TakeProfit {
		return CodeBadTrigger
	}
	return CodeNone
}

func checkOffset(c *Command) Code {
	ok := c.Offset == 0
	switch c.Type {
	case Trailing:
		ok = c.Offset > 0
	case Peg, Market, MarketQuote:
		ok = c.Offset >= 0
	case Limit, Stop, StopLimit, OCO:
	}
	if ok {
		return CodeNone
	}
	return CodeBadOffset
}

// bound returns from plus (a buy) or minus (a sell) by ticks, within the price limits.
func (m *market) bound(side Side, from, by int64) int64 {
	p := from
	if side == Buy {
		if p > math.MaxInt64-by {
			p = math.MaxInt64
		} else {
			p += by
		}
	} else {
		p -= by // both are positive: this does not wrap
	}
	if m.cfg.StaticHigh != 0 {
		p = min(p, m.cfg.StaticHigh)
	}
	return max(p, m.cfg.StaticLow, 1)
}

func (m *market) outside(p int64) bool {
	return p < m.cfg.StaticLow || m.cfg.StaticHigh != 0 && p > m.cfg.StaticHigh
}

// reached says whether the last trade has triggered a stop.
func (m *market) reached(side Side, trigger int64) bool {
	if m.last == 0 {
		return false
	}
	return side == Buy && m.last >= trigger || side == Sell && m.last <= trigger
}

// crosses says whether an order at price would trade at once.
func (m *market) crosses(side Side, price int64) bool {
	l := &m.book[1-side]
	return l.n != 0 && l.best >= price^l.flip
}

// behind returns the price one tick behind the best opposite one; ok is false where
// there is no such price.
func (m *market) behind(side Side) (price int64, ok bool) {
	best := m.book[1-side].price()
	if side == Buy {
		return best - 1, best > 1
	}
	return best + 1, best < math.MaxInt64
}
