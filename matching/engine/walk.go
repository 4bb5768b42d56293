package engine

// Walk shows the whole state to v, in the order that Visitor names.
func (e *Engine) Walk(v Visitor) {
	v.State(e.clockRow())
	var row OrderRow
	for i := range e.markets {
		if m := &e.markets[i]; m.made {
			e.walkMarket(v, m, &row)
		}
	}
	e.walkAccounts(v)
	e.walkMoney(v)
}

func (e *Engine) clockRow() *StateRow {
	return &StateRow{Kind: RowClock, Time: e.now, Seq: e.seq, Ages: e.ages}
}

func (m *market) row() *StateRow {
	return &StateRow{
		Kind: RowMarket, Market: m.id, Config: m.cfg, State: m.state, Next: m.next, Time: m.until,
		Last: m.last, Reference: m.ref, Traded: m.traded, Start: m.start, First: m.first, Waiting: m.waiting,
	}
}

func (e *Engine) walkMarket(v Visitor, m *market, row *OrderRow) {
	v.State(m.row())
	for _, l := range m.ladders() {
		for rank, ok := l.best, l.n != 0; ok; rank, ok = l.below(rank) {
			for p := l.at(rank).head; p != 0; p = e.rows[p].next {
				e.orderRow(p, row)
				v.Order(row)
			}
		}
	}
	for _, p := range m.pegs {
		if e.rows[p].bits&bitBook == 0 {
			e.orderRow(p, row)
			v.Order(row)
		}
	}
}

// orderRow fills the row of an order that waits.
func (e *Engine) orderRow(p uint32, r *OrderRow) {
	o := &e.rows[p]
	*r = OrderRow{
		Order: o.id(p), Age: o.age, Account: AccountID(o.account), Market: MarketID(o.market),
		Side: o.side(), Type: o.kind(), STP: o.stp(), Flags: o.flags(), Qty: o.qty,
	}
	if o.key != 0 {
		r.Key = e.keys.list[o.key].key
	}
	switch {
	case o.bits&bitStop != 0:
		r.Trigger = o.price
	case o.bits&bitBook != 0:
		r.Price, r.Shown = o.price, e.shown(o)
	}
	if o.side() == Buy {
		r.Hold, _ = e.hold(o)
	}
	if o.extra == 0 {
		return
	}
	x := &e.extras[o.extra]
	if o.bits&bitStop != 0 {
		r.Limit = e.stopLimit(&e.markets[o.market], o, x)
	} else {
		r.Limit = x.limit
	}
	r.Display, r.Offset, r.Expires = x.display, x.offset, x.expires
	if x.sibling != 0 {
		r.Sibling = e.rows[x.sibling].id(x.sibling)
	}
	r.Session = SessionID(x.session)
	if x.takeProfit != 0 {
		r.Flags |= Bracket
		r.TakeProfit, r.StopLoss, r.StopLossLimit, r.Received = x.takeProfit, x.stopLoss, x.stopLossLimit, x.received
	}
}

// flags are those that a command gave.
func (o *order) flags() Flags {
	var f Flags
	if o.bits&bitPost != 0 {
		f |= PostOnly
	}
	if o.bits&bitSlide != 0 {
		f |= Slide
	}
	if o.bits&bitMMP != 0 {
		f |= MMP
	}
	if o.bits&bitSession != 0 {
		f |= OnDisconnect
	}
	if o.bits&bitMid != 0 {
		f |= PegMid
	}
	return f
}

func (e *Engine) walkAccounts(v Visitor) {
	guards := e.guards
	for i := range e.accounts {
		a := &e.accounts[i]
		if !a.made {
			continue
		}
		id := AccountID(i)
		v.State(&StateRow{Kind: RowAccount, Account: id, Tier: a.tier, Group: a.group, Killed: a.killed})
		for len(guards) > 0 && guards[0].account == uint32(id) {
			g := &guards[0]
			v.State(&StateRow{
				Kind: RowGuard, Account: id, Market: g.market, Window: g.window, MaxLots: g.maxLots, MaxTrades: g.maxTrades,
				Start: g.start, Lots: g.lots, Trades: g.trades, Tripped: g.tripped,
			})
			guards = guards[1:]
		}
	}
}

func (e *Engine) walkMoney(v Visitor) {
	var row MoneyRow
	for i := range e.balances {
		if b := &e.balances[i]; *b != (balance{}) {
			row = MoneyRow{
				Kind: RowBalance, Account: AccountID(uint64(i) / uint64(e.cfg.Assets)),
				Asset: AssetID(uint64(i) % uint64(e.cfg.Assets)), Available: b.available, Reserved: b.reserved,
			}
			v.Money(&row)
		}
	}
	for i := e.keys.first; i != 0; i = e.keys.list[i].next {
		k := &e.keys.list[i]
		row = MoneyRow{Kind: RowKey, Account: AccountID(k.account), Key: k.key, Order: k.order, Time: k.time}
		v.Money(&row)
	}
	for i := range e.transfers.list {
		t := &e.transfers.list[i]
		row = MoneyRow{
			Kind: RowTransfer, Account: AccountID(t.account), Asset: t.asset, Key: t.key,
			Amount: t.amount, Available: t.balance, Code: t.code,
		}
		v.Money(&row)
	}
}

// Digest hashes the whole state by its walk.
func (e *Engine) Digest() uint64 {
	var d Digester
	e.Walk(&d)
	return d.Sum()
}
