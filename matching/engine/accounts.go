package engine

func (e *Engine) applyAccount(c *Command) Code {
	switch c.Op { //nolint:exhaustive // Apply sends only these
	case OpAccount:
		return e.setAccount(c)
	case OpMassCancel:
		return e.massCancel(c)
	case OpKill, OpRevive:
		return e.kill(c)
	case OpDisconnect:
		e.disconnect(uint32(c.Session))
		return CodeNone
	default:
		return e.protection(c)
	}
}

// setAccount makes an account or changes it.
func (e *Engine) setAccount(c *Command) Code {
	if c.Account == 0 || uint64(c.Account) >= uint64(len(e.accounts)) {
		return CodeUnknownAccount
	}
	if c.Tier >= Tiers {
		return CodeBadConfig
	}
	a := &e.accounts[c.Account]
	a.made, a.tier, a.group = true, c.Tier, c.Group
	e.emit(EventAccount).Account = c.Account
	return CodeNone
}

// massCancel cancels an account's orders, of one market or side where it says so.
func (e *Engine) massCancel(c *Command) Code {
	if e.trader(c.Account) == nil {
		return CodeUnknownAccount
	}
	if c.Flags&^(ScopeMarket|ScopeSide) != 0 || c.Flags&ScopeSide != 0 && c.Side > Sell {
		return CodeBadType
	}
	if c.Flags&ScopeMarket != 0 && e.known(c.Market) == nil {
		return CodeUnknownMarket
	}
	n := e.sweep(c, CodeByMassCancel)
	ev := e.emit(EventAccount)
	ev.Account, ev.Qty = c.Account, n
	return CodeNone
}

// sweep cancels the orders of an account by age and says how many ended.
func (e *Engine) sweep(c *Command, code Code) int64 {
	before := e.live
	for p := e.accounts[c.Account].head; p != 0; {
		o := &e.rows[p]
		next := o.accNext
		if (c.Flags&ScopeMarket == 0 || o.market == uint16(c.Market)) && (c.Flags&ScopeSide == 0 || o.side() == c.Side) {
			// The stop of an OCO is younger, and mostly the very next.
			if o.extra != 0 && e.extras[o.extra].sibling == next && next != 0 {
				next = e.rows[next].accNext
			}
			e.cancel(p, code)
		}
		p = next
	}
	return int64(before - e.live)
}

// kill throws an account's switch, or lifts it.
func (e *Engine) kill(c *Command) Code {
	a := e.trader(c.Account)
	if a == nil {
		return CodeUnknownAccount
	}
	var n int64
	a.killed = c.Op == OpKill
	if a.killed {
		n = e.sweep(&Command{Account: c.Account}, CodeByKill)
	}
	ev := e.emit(EventAccount)
	ev.Account, ev.Qty = c.Account, n
	return CodeNone
}

// guardID names the market-maker protection of an account in a market.
type guardID struct {
	account uint32
	market  MarketID
}

func (g guardID) less(h guardID) bool {
	return g.account < h.account || g.account == h.account && g.market < h.market
}

// guard is market-maker protection and what it has counted.
type guard struct {
	guardID
	tripped           bool
	maxTrades, trades uint32
	window, start     int64
	maxLots, lots     int64
}

// findGuard returns where a guard is, or belongs.
func (e *Engine) findGuard(id guardID) (int, bool) {
	lo, hi := 0, len(e.guards)
	for lo < hi {
		mid := (lo + hi) / 2
		if e.guards[mid].less(id) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < len(e.guards) && e.guards[lo].guardID == id
}

// guarded says whether protection has tripped.
func (e *Engine) guarded(id guardID) bool {
	i, ok := e.findGuard(id)
	return ok && e.guards[i].tripped
}

// protection sets or resets market-maker protection.
func (e *Engine) protection(c *Command) Code {
	if e.known(c.Market) == nil {
		return CodeUnknownMarket
	}
	if e.trader(c.Account) == nil {
		return CodeUnknownAccount
	}
	none := c.Window == 0 && c.Qty == 0 && c.Count == 0
	if !none && !c.protects() {
		return CodeBadConfig
	}
	id := guardID{uint32(c.Account), c.Market}
	i, ok := e.findGuard(id)
	switch {
	case none && ok:
		e.guards = append(e.guards[:i], e.guards[i+1:]...)
	case !none && !ok:
		e.guards = append(e.guards, guard{})
		copy(e.guards[i+1:], e.guards[i:])
	}
	if !none {
		e.guards[i] = guard{guardID: id, window: c.Window, maxLots: c.Qty, maxTrades: c.Count}
	}
	ev := e.emit(EventAccount)
	ev.Account, ev.Market = c.Account, c.Market
	return CodeNone
}

// protects says whether a command sets bounds that protection can have.
func (c *Command) protects() bool {
	return c.Window > 0 && c.Qty >= 0 && (c.Qty != 0 || c.Count != 0)
}

// count counts a trade of marked orders, the first one's account first.
func (e *Engine) count(m *market, o, mk *order, qty int64) {
	if o.bits&bitMMP != 0 {
		e.countOne(guardID{o.account, m.id}, qty)
	}
	if mk.bits&bitMMP != 0 {
		e.countOne(guardID{mk.account, m.id}, qty)
	}
}

func (e *Engine) countOne(id guardID, qty int64) {
	i, ok := e.findGuard(id)
	if !ok || e.guards[i].tripped {
		return
	}
	g := &e.guards[i]
	if g.trades == 0 || e.now-g.start >= g.window {
		g.start, g.lots, g.trades = e.now, 0, 0
	}
	g.lots += qty
	g.trades++
	if g.maxLots != 0 && g.lots >= g.maxLots || g.maxTrades != 0 && g.trades >= g.maxTrades {
		g.tripped = true
		e.tripped = append(e.tripped, id)
	}
}

// protect cancels the marked orders of an account in a market.
func (e *Engine) protect(id guardID) {
	for p := e.accounts[id.account].head; p != 0; {
		o := &e.rows[p]
		next := o.accNext
		if o.market == uint16(id.market) && o.bits&bitMMP != 0 {
			if o.extra != 0 && e.extras[o.extra].sibling == next && next != 0 {
				next = e.rows[next].accNext
			}
			e.cancel(p, CodeByProtection)
		}
		p = next
	}
}
