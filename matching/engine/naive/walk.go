package naive

import (
	"cmp"
	"slices"

	"strongroom/matching/engine"
)

// Digest hashes the whole state.
func (e *Engine) Digest() uint64 {
	var d engine.Digester
	e.Walk(&d)
	return d.Sum()
}

// Walk shows the whole state in the order that engine.Visitor defines.
func (e *Engine) Walk(v engine.Visitor) {
	v.State(&engine.StateRow{Kind: engine.RowClock, Time: e.clock, Seq: e.seq, Ages: e.accepted})
	for _, m := range e.markets {
		e.walkMarket(m, v)
	}
	for _, id := range e.ids() {
		a := e.accounts[id]
		v.State(&engine.StateRow{Kind: engine.RowAccount, Account: id, Tier: a.tier, Group: a.group, Killed: a.killed})
		for _, m := range e.markets {
			if p := m.guards[id]; p != nil {
				v.State(p.row(id, m.id))
			}
		}
	}
	e.walkBalances(v)
	e.forgetKeys()
	for _, k := range e.keys {
		v.Money(&engine.MoneyRow{
			Kind: engine.RowKey, Account: k.account, Key: k.key, Order: k.order, Time: k.time,
		})
	}
	for i := range e.transfers {
		e.transfers[i].show(v)
	}
}

func (e *Engine) ids() []engine.AccountID {
	var ids []engine.AccountID
	for id := range e.accounts {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (p *protection) row(a engine.AccountID, m engine.MarketID) *engine.StateRow {
	return &engine.StateRow{
		Kind: engine.RowGuard, Account: a, Market: m, Window: p.window, MaxLots: p.maxLots, MaxTrades: p.maxTrades,
		Start: p.began, Lots: p.lots.Int64(), Trades: p.trades, Tripped: p.protected,
	}
}

func (t *transfer) show(v engine.Visitor) {
	v.Money(&engine.MoneyRow{
		Kind: engine.RowTransfer, Account: t.account, Asset: t.asset, Key: t.key, Amount: t.amount,
		Available: t.available, Code: t.code,
	})
}

func (e *Engine) walkBalances(v engine.Visitor) {
	var all []holding
	for at, b := range e.balances {
		if b.available.Sign() != 0 || b.reserved.Sign() != 0 {
			all = append(all, at)
		}
	}
	slices.SortFunc(all, func(a, b holding) int {
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.asset, b.asset))
	})
	for _, at := range all {
		b := e.balances[at]
		v.Money(&engine.MoneyRow{
			Kind: engine.RowBalance, Account: at.account, Asset: at.asset,
			Available: toAmount(b.available), Reserved: toAmount(b.reserved),
		})
	}
}

func (e *Engine) marketRow(m *market) *engine.StateRow {
	row := &engine.StateRow{
		Kind: engine.RowMarket, Market: m.id, Config: m.cfg, State: m.state, Next: m.next, Time: m.until, Last: m.last,
		Reference: m.reference, Traded: m.traded,
	}
	if m.windowOpen {
		row.Start, row.First = m.windowBegan, m.windowFirst
	}
	for _, o := range e.orders {
		if o.market == m {
			row.Waiting += uint32(o.rows())
		}
	}
	return row
}

func (e *Engine) walkMarket(m *market, v engine.Visitor) {
	v.State(e.marketRow(m))
	stops := map[engine.Side][]*order{}
	var unseen []*order
	for _, o := range e.orders {
		if o.market != m {
			continue
		}
		switch {
		case o.waitsForPrice():
			stops[o.side] = append(stops[o.side], o)
		case !o.inBook:
			unseen = append(unseen, o)
		}
	}
	slices.SortFunc(stops[engine.Buy], func(a, b *order) int {
		return cmp.Or(cmp.Compare(a.trigger, b.trigger), cmp.Compare(a.queued, b.queued))
	})
	slices.SortFunc(stops[engine.Sell], func(a, b *order) int {
		return cmp.Or(cmp.Compare(b.trigger, a.trigger), cmp.Compare(a.queued, b.queued))
	})
	slices.SortFunc(unseen, func(a, b *order) int { return cmp.Compare(a.id, b.id) })
	for _, part := range [][]*order{
		e.queue(m, engine.Buy), e.queue(m, engine.Sell), stops[engine.Buy], stops[engine.Sell], unseen,
	} {
		for _, o := range part {
			v.Order(o.row())
		}
	}
}

func (o *order) row() *engine.OrderRow {
	r := &engine.OrderRow{
		Order: o.id, Age: o.age, Key: o.key, Account: o.account.id, Market: o.market.id, Side: o.side, Type: o.typ,
		STP: o.stp, Flags: o.flags, Trigger: o.trigger, Qty: o.qty, Display: o.display,
		Hold: o.hold(), Expires: o.expires, Session: o.session,
	}
	switch {
	case o.isPeg():
		r.Limit, r.Offset = o.limit, o.offset
	case o.waitsForPrice():
		r.Limit = o.limit
		if o.typ != engine.StopLimit {
			r.Limit = o.boundNow()
		}
		if o.typ == engine.Trailing {
			r.Offset = o.offset
		}
	default:
		r.Type = engine.Limit
	}
	if o.inBook {
		r.Price, r.Shown = o.at, o.shown
	}
	if o.sibling != nil {
		r.Sibling = o.sibling.id
	}
	if o.flags&engine.Bracket != 0 {
		r.TakeProfit, r.StopLoss, r.StopLossLimit = o.takeProfit, o.stopLoss, o.stopLossLimit
		r.Received = toAmount(minus(o.market.base(o.filled), o.feeBase))
	}
	return r
}

// hold is the price at which a buy reserves; an OCO's is with its limit order.
func (o *order) hold() int64 {
	switch {
	case o.side == engine.Sell:
		return 0
	case o.sibling == nil:
		return o.limit
	case o.waitsForPrice():
		return 0
	default:
		return max(o.limit, o.sibling.limit)
	}
}
