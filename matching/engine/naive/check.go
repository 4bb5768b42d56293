package naive

import "strongroom/matching/engine"

// nsPerDay is the length of a day of log time.
const nsPerDay = 24 * 60 * 60 * 1_000_000_000

// rests reports whether a limit order with this time in force may wait.
func rests(t engine.TimeInForce) bool {
	return t == engine.GTC || t == engine.GTD || t == engine.DAY
}

// kindKnown reports whether the values exist and the type has the time in force.
func kindKnown(c *engine.Command) bool {
	if c.Side > engine.Sell || c.STP > engine.STPDecrement || c.TIF > engine.DAY {
		return false
	}
	switch c.Type {
	case engine.Limit:
		return true
	case engine.Market, engine.MarketQuote:
		return c.TIF == engine.GTC || c.TIF == engine.IOC
	case engine.Stop, engine.StopLimit, engine.Trailing, engine.Peg, engine.OCO:
		return rests(c.TIF)
	default:
		return false
	}
}

func flagsFit(c *engine.Command) bool {
	has := func(f engine.Flags) bool { return c.Flags&f != 0 }
	const known = engine.PostOnly | engine.Slide | engine.MMP | engine.OnDisconnect | engine.PegMid | engine.Bracket
	restingLimit := c.Type == engine.Limit && rests(c.TIF)
	switch {
	case has(^known):
	case has(engine.Slide) && !has(engine.PostOnly):
	case has(engine.PostOnly) && !restingLimit:
	case has(engine.PegMid) && c.Type != engine.Peg:
	case has(engine.OnDisconnect) && c.Session == 0:
	case has(engine.Bracket) && c.Type != engine.Limit && c.Type != engine.Market:
	default:
		return true
	}
	return false
}

// takes reports whether the state lets such an order in.
func (m *market) takes(t engine.Type, tif engine.TimeInForce, f engine.Flags) bool {
	switch m.state {
	case engine.Open:
		return true
	case engine.Auction:
		return t == engine.Limit && rests(tif) && f&engine.PostOnly == 0
	case engine.PostOnlyState:
		return t == engine.Limit && f&engine.PostOnly != 0
	case engine.Closed, engine.CancelOnly, engine.Halted:
		return false
	}
	return false
}

// figures are the checks of what the command says by itself.
func (e *Engine) figures(c *engine.Command, m *market) engine.Code {
	switch {
	case !qtyFits(c, m):
		return engine.CodeBadQty
	case hasLimit(c.Type) != (c.Price != 0) || c.Price < 0:
		return engine.CodeBadPrice
	case !triggerFits(c) || !bracketFits(c):
		return engine.CodeBadTrigger
	case !offsetFits(c):
		return engine.CodeBadOffset
	case c.Display != 0 && (c.Type != engine.Limit || !rests(c.TIF) || !m.showable(c.Display, c.Qty)):
		return engine.CodeBadDisplay
	case c.TIF == engine.GTD && c.Expires <= e.clock || c.TIF != engine.GTD && c.Expires != 0:
		return engine.CodeBadExpiry
	case (c.Type == engine.MarketQuote) == c.Amount.IsZero():
		return engine.CodeBadAmount
	}
	return engine.CodeNone
}

func hasLimit(t engine.Type) bool {
	return t == engine.Limit || t == engine.StopLimit || t == engine.Peg || t == engine.OCO
}

func qtyFits(c *engine.Command, m *market) bool {
	if c.Type == engine.MarketQuote {
		return c.Qty == 0
	}
	return c.Qty >= m.cfg.MinQty && c.Qty <= m.cfg.MaxQty
}

func triggerFits(c *engine.Command) bool {
	switch c.Type {
	case engine.OCO:
		apart := c.Price > c.Trigger
		if c.Side == engine.Buy {
			apart = c.Price < c.Trigger
		}
		return c.Trigger > 0 && c.TriggerLimit >= 0 && apart
	case engine.Stop, engine.StopLimit:
		return c.Trigger > 0 && c.TriggerLimit == 0
	default:
		return c.Trigger == 0 && c.TriggerLimit == 0
	}
}

func bracketFits(c *engine.Command) bool {
	if c.Flags&engine.Bracket == 0 {
		return c.TakeProfit == 0 && c.StopLoss == 0 && c.StopLossLimit == 0
	}
	apart := c.TakeProfit > c.StopLoss
	if c.Side == engine.Sell {
		apart = c.TakeProfit < c.StopLoss
	}
	return c.TakeProfit > 0 && c.StopLoss > 0 && c.StopLossLimit >= 0 && apart
}

func offsetFits(c *engine.Command) bool {
	switch c.Type {
	case engine.Trailing:
		return c.Offset > 0
	case engine.Market, engine.MarketQuote, engine.Peg:
		return c.Offset >= 0
	default:
		return c.Offset == 0
	}
}

// showable reports whether an iceberg of so many lots may show so few.
func (m *market) showable(display, qty int64) bool {
	return display >= m.cfg.MinQty && product(whole(display), whole(1000)).Cmp(whole(qty)) >= 0
}

func (m *market) inStaticBand(price int64) bool {
	return price >= m.cfg.StaticLow && (m.cfg.StaticHigh == 0 || price <= m.cfg.StaticHigh)
}

// hasRoom reports whether the shard and the market have rows for o.
func (e *Engine) hasRoom(o *order) bool {
	rows := o.rows()
	if o.sibling != nil {
		rows++
	}
	inShard, inMarket, pegs, trailing := rows, rows, 0, 0
	for _, other := range e.orders {
		inShard += other.rows()
		if other.market != o.market {
			continue
		}
		inMarket += other.rows()
		if other.isPeg() {
			pegs++
		}
		if other.typ == engine.Trailing && other.waitsForPrice() {
			trailing++
		}
	}
	cfg := &o.market.cfg
	switch {
	case !e.hasPages(o.pages()):
		return false
	case inShard > int(e.cfg.Orders), inMarket > int(cfg.MaxOrders):
		return false
	case o.isPeg():
		return pegs < int(cfg.MaxPegs)
	case o.typ == engine.Trailing:
		return trailing < int(cfg.MaxTrailing)
	}
	return true
}
