package flow

import "strongroom/matching/engine"

// price is some whole steps from the middle.
func (a *Any) price() int64 { return a.mid + a.steps(-anyReach, anyReach) }

func (a *Any) steps(low, high int64) int64 { return a.step * a.dice.between(low, high) }

func (a *Any) qty() int64 { return a.dice.between(1, 20) }

// order is a new order of any type that the features have.
func (a *Any) order() engine.Command {
	c := engine.Command{
		Op: engine.OpNew, Market: a.marketID(), Account: a.account(), Side: engine.Side(a.dice.below(2)), Qty: a.qty(),
	}
	if a.has(SelfTrades) {
		c.STP = engine.STP(a.dice.below(5))
	}
	if a.has(Keyed) && a.dice.percent(40) {
		c.Key = engine.Key{Hi: 1, Lo: uint64(a.dice.between(1, anyKeys))}
	}
	if a.has(Guards) && a.dice.percent(40) {
		c.Flags |= engine.MMP
	}
	if a.has(Masses) && a.dice.percent(25) {
		c.Flags |= engine.OnDisconnect
		c.Session = engine.SessionID(a.dice.between(1, 3))
	}
	switch roll := a.dice.below(100); {
	case roll < 10 && a.has(Markets):
		a.marketOrder(&c)
	case roll < 25 && a.has(Stops):
		a.stop(&c)
	case roll < 30 && a.has(Trails):
		c.Type, c.Offset = engine.Trailing, a.steps(1, 6)
		a.lifetime(&c)
	case roll < 36 && a.has(Pegs):
		a.peg(&c)
	case roll < 44 && a.has(Pairs):
		a.pair(&c)
	default:
		a.limit(&c)
	}
	if a.has(Pairs) && a.dice.percent(8) {
		a.bracket(&c)
	}
	return c
}

func (a *Any) lifetime(c *engine.Command) {
	if !a.has(Expiries) {
		return
	}
	switch a.dice.below(6) {
	case 0, 1:
		c.TIF, c.Expires = engine.GTD, a.clock+a.dice.between(0, 300)
	case 2:
		c.TIF = engine.DAY
	}
}

func (a *Any) limit(c *engine.Command) {
	c.Price = a.price()
	a.lifetime(c)
	if a.has(Takers) && c.TIF == engine.GTC {
		c.TIF = pick(&a.dice, engine.GTC, engine.GTC, engine.GTC, engine.IOC, engine.FOK)
	}
	if a.has(Takers) && a.dice.percent(15) {
		c.Flags |= engine.PostOnly
		if a.dice.percent(50) {
			c.Flags |= engine.Slide
		}
	}
	if a.has(Icebergs) && a.dice.percent(25) {
		c.Qty, c.Display = a.dice.between(5, 50), a.dice.between(1, 6)
	}
}

func (a *Any) marketOrder(c *engine.Command) {
	c.Type, c.TIF, c.Offset = engine.Market, pick(&a.dice, engine.IOC, engine.GTC), a.steps(0, 8)
	if a.dice.percent(40) {
		c.Type, c.Qty, c.Amount.Lo = engine.MarketQuote, 0, uint64(a.dice.between(1, 90*a.mid))
	}
}

func (a *Any) stop(c *engine.Command) {
	c.Type, c.Trigger = engine.Stop, a.price()
	if a.dice.percent(50) {
		c.Type, c.Price = engine.StopLimit, c.Trigger+a.steps(-4, 4)
	}
	a.lifetime(c)
}

func (a *Any) peg(c *engine.Command) {
	c.Type, c.Price, c.Offset = engine.Peg, a.price(), a.steps(0, 2)
	if a.dice.percent(50) {
		c.Flags |= engine.PegMid
	}
	a.lifetime(c)
}

func (a *Any) pair(c *engine.Command) {
	c.Type, c.Price, c.Trigger = engine.OCO, a.price(), a.price()
	if (c.Price > c.Trigger) != (c.Side == engine.Sell) {
		c.Price, c.Trigger = c.Trigger, c.Price
	}
	if a.dice.percent(50) {
		c.TriggerLimit = c.Trigger + a.steps(-4, 4)
	}
	a.lifetime(c)
}

func (a *Any) bracket(c *engine.Command) {
	c.Flags |= engine.Bracket
	c.TakeProfit, c.StopLoss = a.price(), a.price()
	if (c.TakeProfit > c.StopLoss) != (c.Side == engine.Buy) {
		c.TakeProfit, c.StopLoss = c.StopLoss, c.TakeProfit
	}
	if a.dice.percent(50) {
		c.StopLossLimit = c.StopLoss + a.steps(-3, 3)
	}
}

// one is an order that waits, sometimes one that waits no more.
func (a *Any) one() live {
	from := a.book.orders
	if len(from) == 0 || a.dice.percent(4) {
		from = a.book.ended
	}
	if len(from) == 0 {
		return live{id: engine.OrderID(a.dice.below(100)), account: 1}
	}
	return from[a.dice.below(int64(len(from)))]
}

func (a *Any) named(op engine.Op) (engine.Command, live) {
	o := a.one()
	c := engine.Command{Op: op, Market: o.market, Account: o.account, Order: o.id}
	switch {
	case a.has(Keyed) && a.dice.percent(15):
		c.Order, c.Key = 0, engine.Key{Hi: 1, Lo: uint64(a.dice.between(1, anyKeys))}
	case a.dice.percent(2):
		c.Account = a.account()
	case a.dice.percent(3):
		c.Market = a.marketID()
	case a.dice.percent(1):
		c.Order ^= 1 << pick(&a.dice, 0, 32, 63)
	}
	return c, o
}

func (a *Any) cancel() engine.Command {
	c, _ := a.named(engine.OpCancel)
	return c
}

func (a *Any) amend() engine.Command {
	c, o := a.named(engine.OpAmend)
	if a.dice.percent(70) {
		c.Qty = a.qty()
		if o.qty > 1 && a.dice.percent(60) {
			c.Qty = a.dice.between(1, o.qty)
		}
	}
	if a.dice.percent(50) {
		c.Price = a.price()
	}
	if a.has(Icebergs) && a.dice.percent(25) {
		c.Display = a.dice.between(1, 8)
	}
	return c
}

// spoil writes nonsense into one field.
func (a *Any) spoil(c *engine.Command) {
	wide := []*int64{
		&c.Price, &c.Qty, &c.Display, &c.Trigger, &c.TriggerLimit, &c.Offset, &c.Expires, &c.TakeProfit, &c.StopLoss,
		&c.StopLossLimit, &c.Until, &c.Window,
	}
	roll := a.dice.below(int64(len(wide)) + 12)
	if roll < int64(len(wide)) {
		*wide[roll] = a.odd()
		return
	}
	any8 := uint8(a.dice.below(20))
	switch roll - int64(len(wide)) {
	case 0:
		c.Flags ^= 1 << a.dice.below(16)
	case 1:
		c.Op = engine.Op(any8)
	case 2:
		c.Side = engine.Side(any8)
	case 3:
		c.Type = engine.Type(any8)
	case 4:
		c.TIF = engine.TimeInForce(any8)
	case 5:
		c.STP = engine.STP(any8)
	case 6:
		c.State = engine.State(any8)
	case 7:
		c.Amount = engine.Amount{Hi: uint64(a.odd()), Lo: uint64(a.odd())}
	case 8:
		c.Session = engine.SessionID(any8)
	case 9:
		c.Key = engine.Key{}
	case 10:
		c.Order = engine.OrderID(any8)
	default:
		c.Tier, c.Asset = any8, engine.AssetID(any8)
	}
}
