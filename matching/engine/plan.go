package engine

import "math"

// dayLength is a day of log time.
const dayLength = 86_400_000_000_000

// prepare finds the prices of a new order and what it reserves, from references to
// bands.
func (e *Engine) prepare(m *market, c *Command, p *plan) Code { //nolint:cyclop // a list of rules
	p.limit, p.lots, p.places = c.Price, c.Qty, 1
	if c.Type != Limit {
		if code := m.preparePrices(c, p); code != CodeNone {
			return code
		}
	} else if c.Flags&PostOnly != 0 {
		if code := m.slide(c.Side, c.Flags&Slide != 0, &p.limit); code != CodeNone {
			return code
		}
	}
	if p.hold == 0 {
		p.hold = p.limit
	}
	switch c.TIF {
	case GTD:
		p.expires = c.Expires
	case DAY:
		p.expires = nextDayEnd(e.now, m.cfg.DayEnd)
	case GTC, IOC, FOK:
	}
	if c.Type == MarketQuote {
		return m.prepareQuote(c, p)
	}
	if code := m.worth(c.Side, p.hold, c.Qty, &p.need); code != CodeNone {
		return code
	}
	if m.outside(p.limit) || c.Type == OCO && m.outside(c.Price) {
		return CodeBeyondBand
	}
	return CodeNone
}

// slide brings a post-only order behind the best opposite one, or refuses it.
func (m *market) slide(side Side, may bool, price *int64) Code {
	if !m.crosses(side, *price) {
		return CodeNone
	}
	to, ok := m.behind(side)
	if !may || !ok {
		return CodeWouldTake
	}
	*price = to
	return CodeNone
}

// worth holds an order's price and quantity to what fits and to the market's bounds,
// and says what it reserves.
func (m *market) worth(side Side, price, qty int64, need *Amount) Code {
	cost, ok := costOf(price, qty, m.cfg.TickUnits)
	if !ok {
		return CodeOverflow
	}
	*need = cost
	if side == Sell {
		*need = lotsOf(qty, m.cfg.LotUnits)
	}
	return m.notional(cost)
}

func (m *market) notional(cost Amount) Code {
	if cost.Less(m.cfg.MinNotional) || !m.cfg.MaxNotional.IsZero() && m.cfg.MaxNotional.Less(cost) {
		return CodeNotional
	}
	return CodeNone
}

func (m *market) preparePrices(c *Command, p *plan) Code {
	switch c.Type {
	case Market, MarketQuote:
		opp := &m.book[1-c.Side]
		if opp.n == 0 {
			return CodeNoLiquidity
		}
		by := m.cfg.MaxSlippage
		if c.Offset != 0 {
			by = min(by, c.Offset)
		}
		p.limit = m.bound(c.Side, opp.price(), by)
	case Trailing:
		if m.last == 0 {
			return CodeNoReference
		}
		var ok bool
		if p.trigger, ok = trail(c.Side, m.last, c.Offset); !ok {
			return CodeBadOffset
		}
		p.limit = m.bound(c.Side, p.trigger, m.cfg.MaxSlippage)
	case Stop, StopLimit, OCO:
		return m.prepareStop(c, p)
	case Limit, Peg:
	}
	return CodeNone
}

func (m *market) prepareStop(c *Command, p *plan) Code {
	p.trigger = c.Trigger
	if m.reached(c.Side, c.Trigger) {
		return CodeWouldTrigger
	}
	switch {
	case c.Type == Stop, c.Type == OCO && c.TriggerLimit == 0:
		p.limit = m.bound(c.Side, c.Trigger, m.cfg.MaxSlippage)
	case c.Type == OCO:
		p.limit = c.TriggerLimit
	}
	if c.Type == OCO {
		p.places = 2
		p.hold = max(p.limit, c.Price)
	}
	return CodeNone
}

// trail returns the stop price of a trailing stop.
func trail(side Side, last, offset int64) (int64, bool) {
	if side == Sell {
		return last - offset, last > offset
	}
	if last > math.MaxInt64-offset {
		return 0, false
	}
	return last + offset, true
}

// prepareQuote finds how many lots a sell by quote amount takes at its bound.
func (m *market) prepareQuote(c *Command, p *plan) Code {
	p.need = c.Amount
	if c.Side == Sell {
		each, ok := costOf(p.limit, 1, m.cfg.TickUnits)
		if !ok {
			return CodeOverflow
		}
		lots, rest := c.Amount.over(each, MaxLots+1)
		if rest {
			lots++
		}
		if lots > MaxLots {
			return CodeOverflow
		}
		p.lots = lots
		p.need = lotsOf(lots, m.cfg.LotUnits)
	}
	if code := m.notional(c.Amount); code != CodeNone {
		return code
	}
	if m.outside(p.limit) {
		return CodeBeyondBand
	}
	return CodeNone
}

// nextDayEnd returns the first end of a day after now.
func nextDayEnd(now, end int64) int64 {
	t := now - now%dayLength + end
	if t <= now {
		if t > math.MaxInt64-dayLength {
			return math.MaxInt64
		}
		t += dayLength
	}
	return t
}

// room holds an order to the numbers that a market and the shard may have.
func (e *Engine) room(m *market, c *Command, p *plan) Code {
	if c.Flags&Bracket != 0 {
		p.places = 2
	}
	if m.waiting+p.places > m.cfg.MaxOrders || e.live+e.kept+p.places > e.cfg.Orders ||
		c.Type == Peg && uint64(len(m.pegs)) >= uint64(m.cfg.MaxPegs) ||
		c.Type == Trailing && uint64(len(m.trails)) >= uint64(m.cfg.MaxTrailing) || !e.pagesFor(c.pages()) {
		return CodeTooManyOrders
	}
	if !c.Key.isZero() && e.keys.full() {
		return CodeTooManyKeys
	}
	return CodeNone
}

// pagesFor says whether so many more orders may stand at prices of their own. Pages are
// counted that are in use, and one for each order that may move to another price by
// itself, two for the OCO of a bracket: so that there is one wherever it goes.
func (e *Engine) pagesFor(n uint64) bool {
	return e.cfg.Pages == 0 || n == 0 ||
		uint64(e.pagesUsed)+uint64(e.movers)+2*uint64(e.kept)+n <= uint64(e.cfg.Pages)
}

// pages is how many pages a new order may come to need.
func (c *Command) pages() (n uint64) {
	switch c.Type {
	case Limit:
		if c.TIF != IOC && c.TIF != FOK {
			n = 1
		}
	case Stop, StopLimit, Trailing, Peg:
		n = 1
	case OCO:
		n = 2
	case Market, MarketQuote:
	}
	if c.Flags&Bracket != 0 {
		n += 2
	}
	return n
}
