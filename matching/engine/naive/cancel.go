package naive

import (
	"math/big"

	"strongroom/matching/engine"
)

// cancel ends o with an event, and its sibling after it.
func (e *Engine) cancel(o *order, code engine.Code) {
	v := engine.Event{
		Kind: engine.EventCancelled, Market: o.market.id, Order: o.id, Account: o.account.id, Key: o.key,
		Side: o.side, Price: o.limit, Qty: o.qty + o.lost, Code: code,
	}
	if o.waitsForPrice() {
		v.Price = o.trigger
	}
	if o.quote != nil {
		v.Qty, v.Amount = 0, toAmount(o.quote)
	}
	e.emit(v)
	e.end(o)
}

// end gives back what o has reserved and its row.
func (e *Engine) end(o *order) {
	sibling := o.sibling
	o.ended = true
	o.inBook = false
	e.reserveNeeds(o)
	for i := range e.orders {
		if e.orders[i] == o {
			e.orders = append(e.orders[:i:i], e.orders[i+1:]...)
			break
		}
	}
	delete(e.byID, o.id)
	e.returned = append(e.returned, o.id+1<<32)
	if o.flags&engine.Bracket != 0 && o.filled > 0 && !o.bare {
		o.market.parents = append(o.market.parents, ended{order: o, lots: o.received()})
	}
	if sibling != nil {
		e.divorce(o)
		e.cancel(sibling, engine.CodeBySibling)
	}
}

// received is what o has got or given, in whole lots: what its bracket is for.
func (o *order) received() *big.Int {
	if o.side == engine.Sell {
		return whole(o.filled)
	}
	return ratioDown(minus(o.market.base(o.filled), o.feeBase), o.market.base(1))
}

// divorce makes one order of an OCO stand alone.
func (e *Engine) divorce(o *order) {
	o.sibling.sibling = nil
	o.sibling = nil
}

// dropSibling cancels the other half of an OCO.
func (e *Engine) dropSibling(o *order) {
	if o.sibling == nil {
		return
	}
	sibling := o.sibling
	e.divorce(o)
	e.cancel(sibling, engine.CodeBySibling)
}

// find is the waiting order that a command names, by id or by client id.
func (e *Engine) find(c *engine.Command) (*order, engine.Code) {
	switch {
	case e.market(c.Market) == nil:
		return nil, engine.CodeUnknownMarket
	case e.trader(c.Account) == nil:
		return nil, engine.CodeUnknownAccount
	}
	id := c.Order
	if id == 0 {
		if k := e.key(c.Account, c.Key); k != nil {
			id = k.order
		}
	}
	o := e.byID[id]
	if o == nil || o.account.id != c.Account || o.market.id != c.Market {
		return nil, engine.CodeUnknownOrder
	}
	return o, engine.CodeNone
}

func (e *Engine) cancelOne(c *engine.Command) {
	o, code := e.find(c)
	if o == nil {
		e.reject(c, code)
		return
	}
	e.cancel(o, engine.CodeByClient)
}

// cancelEach cancels what matches, oldest first, and says how many orders ended.
func (e *Engine) cancelEach(match func(*order) bool, code engine.Code) int64 {
	before := len(e.orders)
	for _, o := range append([]*order(nil), e.orders...) {
		if !o.ended && match(o) {
			o.bare = code == engine.CodeByMassCancel || code == engine.CodeByKill
			e.cancel(o, code)
		}
	}
	return int64(before - len(e.orders))
}

func (e *Engine) massCancel(c *engine.Command) {
	a := e.trader(c.Account)
	switch {
	case a == nil:
		e.reject(c, engine.CodeUnknownAccount)
	case c.Flags&^(engine.ScopeMarket|engine.ScopeSide) != 0, c.Flags&engine.ScopeSide != 0 && c.Side > engine.Sell:
		e.reject(c, engine.CodeBadType)
	case c.Flags&engine.ScopeMarket != 0 && e.market(c.Market) == nil:
		e.reject(c, engine.CodeUnknownMarket)
	default:
		n := e.cancelEach(func(o *order) bool {
			return o.account == a && (c.Flags&engine.ScopeMarket == 0 || o.market.id == c.Market) &&
				(c.Flags&engine.ScopeSide == 0 || o.side == c.Side)
		}, engine.CodeByMassCancel)
		e.emit(engine.Event{Kind: engine.EventAccount, Account: a.id, Qty: n})
	}
}

func (e *Engine) kill(c *engine.Command) {
	a := e.trader(c.Account)
	if a == nil {
		e.reject(c, engine.CodeUnknownAccount)
		return
	}
	a.killed = c.Op == engine.OpKill
	var n int64
	if a.killed {
		n = e.cancelEach(func(o *order) bool { return o.account == a }, engine.CodeByKill)
	}
	e.emit(engine.Event{Kind: engine.EventAccount, Account: a.id, Qty: n})
}

func (e *Engine) disconnect(c *engine.Command) {
	e.cancelEach(func(o *order) bool {
		return o.flags&engine.OnDisconnect != 0 && o.session == c.Session
	}, engine.CodeByDisconnect)
}
