package naive

import (
	"math/big"

	"strongroom/matching/engine"
)

// move is a credit or a debit. An id that was used is answered as the first time.
func (e *Engine) move(c *engine.Command) {
	if code := e.checkMove(c); code != engine.CodeNone {
		e.sayMoved(e.answer(c, code))
		return
	}
	for _, t := range e.transfers {
		if t.key == c.Key {
			if t.code == engine.CodeNone {
				t.code = engine.CodeDuplicate
			}
			e.sayMoved(t)
			return
		}
	}
	if len(e.transfers) >= int(e.cfg.Transfers) {
		e.sayMoved(e.answer(c, engine.CodeTooManyKeys))
		return
	}
	t := e.answer(c, e.moveNow(c))
	e.transfers = append(e.transfers, t)
	e.sayMoved(t)
}

// answer repeats the command, with what is available now.
func (e *Engine) answer(c *engine.Command, code engine.Code) transfer {
	t := transfer{key: c.Key, code: code, account: c.Account, asset: c.Asset, amount: c.Amount}
	if e.accounts[c.Account] != nil && uint16(c.Asset) < e.cfg.Assets {
		t.available = toAmount(e.balance(c.Account, c.Asset).available)
	}
	return t
}

func (e *Engine) sayMoved(t transfer) {
	e.emit(engine.Event{
		Kind: engine.EventTransfer, Account: t.account, Asset: t.asset, Amount: t.amount, Key: t.key,
		Balance: t.available, Code: t.code,
	})
}

func (e *Engine) checkMove(c *engine.Command) engine.Code {
	switch {
	case e.accounts[c.Account] == nil:
		return engine.CodeUnknownAccount
	case uint16(c.Asset) >= e.cfg.Assets:
		return engine.CodeUnknownAsset
	case c.Amount.IsZero(), c.Key == engine.Key{}:
		return engine.CodeBadAmount
	}
	return engine.CodeNone
}

func (e *Engine) moveNow(c *engine.Command) engine.Code {
	b, amount := e.balance(c.Account, c.Asset), fromAmount(c.Amount)
	if c.Op == engine.OpDebit {
		if b.available.Cmp(amount) < 0 {
			return engine.CodeInsufficient
		}
		b.available = minus(b.available, amount)
		return engine.CodeNone
	}
	if !fits(plus(e.sum(c.Asset), amount)) {
		return engine.CodeOverflow
	}
	b.available = plus(b.available, amount)
	return engine.CodeNone
}

// sum is all that accounts have of an asset.
func (e *Engine) sum(asset engine.AssetID) *big.Int {
	total := new(big.Int)
	for at, b := range e.balances {
		if at.asset == asset {
			total = plus(total, plus(b.available, b.reserved))
		}
	}
	return total
}

func (e *Engine) setAccount(c *engine.Command) {
	switch {
	case c.Account == 0 || uint32(c.Account) >= e.cfg.Accounts:
		e.reject(c, engine.CodeUnknownAccount)
		return
	case c.Tier >= engine.Tiers:
		e.reject(c, engine.CodeBadConfig)
		return
	}
	a := e.accounts[c.Account]
	if a == nil {
		a = &account{id: c.Account}
		e.accounts[c.Account] = a
	}
	a.tier, a.group = c.Tier, c.Group
	e.emit(engine.Event{Kind: engine.EventAccount, Account: a.id})
}

func (e *Engine) protection(c *engine.Command) {
	m, a := e.market(c.Market), e.trader(c.Account)
	switch {
	case m == nil:
		e.reject(c, engine.CodeUnknownMarket)
		return
	case a == nil:
		e.reject(c, engine.CodeUnknownAccount)
		return
	case c.Window == 0 && c.Qty == 0 && c.Count == 0:
		delete(m.guards, a.id)
	case c.Window <= 0, c.Qty < 0, c.Qty == 0 && c.Count == 0:
		e.reject(c, engine.CodeBadConfig)
		return
	default:
		m.guards[a.id] = &protection{window: c.Window, maxLots: c.Qty, maxTrades: c.Count, lots: new(big.Int)}
	}
	e.emit(engine.Event{Kind: engine.EventAccount, Account: a.id, Market: m.id})
}

// count notes a trade of a marked order for its account's protection.
func (e *Engine) count(o *order, lots int64) {
	p := o.market.guards[o.account.id]
	if o.flags&engine.MMP == 0 || p == nil || p.protected {
		return
	}
	if !p.running || e.clock >= later(p.began, p.window) {
		p.running, p.began, p.lots, p.trades = true, e.clock, new(big.Int), 0
	}
	p.lots = plus(p.lots, whole(lots))
	p.trades++
	byLots := p.maxLots > 0 && p.lots.Cmp(whole(p.maxLots)) >= 0
	byTrades := p.maxTrades > 0 && p.trades >= p.maxTrades
	if byLots || byTrades {
		p.protected = true
		o.market.reached = append(o.market.reached, o.account)
	}
}

// protect cancels the marked orders of accounts that reached a bound.
func (e *Engine) protect(m *market) bool {
	if len(m.reached) == 0 {
		return false
	}
	a := m.reached[0]
	m.reached = m.reached[1:]
	e.cancelEach(func(o *order) bool { return o.market == m && o.account == a && o.flags&engine.MMP != 0 },
		engine.CodeByProtection)
	return true
}
