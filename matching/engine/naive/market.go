package naive

import (
	"sort"

	"strongroom/matching/engine"
)

func (e *Engine) configure(c *engine.Command, cfg *engine.MarketConfig) {
	if c.Market >= engine.MarketID(e.cfg.Markets) {
		e.reject(c, engine.CodeUnknownMarket)
		return
	}
	m := e.market(c.Market)
	if cfg == nil || !e.configFits(cfg) || m != nil && !sameGoods(cfg, &m.cfg) {
		e.reject(c, engine.CodeBadConfig)
		return
	}
	if m == nil {
		m = &market{id: c.Market, guards: map[engine.AccountID]*protection{}}
		e.markets = append(e.markets, m)
		sort.Slice(e.markets, func(i, j int) bool { return e.markets[i].id < e.markets[j].id })
	}
	m.cfg = *cfg
	if !m.traded {
		m.last, m.reference = cfg.Reference, cfg.Reference
	}
	e.emit(engine.Event{Kind: engine.EventState, Market: m.id, State: m.state, Until: m.until})
}

func sameGoods(a, b *engine.MarketConfig) bool {
	return a.Base == b.Base && a.Quote == b.Quote && a.LotUnits == b.LotUnits && a.TickUnits == b.TickUnits
}

func (e *Engine) configFits(c *engine.MarketConfig) bool {
	most := fromAmount(c.MaxNotional)
	switch {
	case c.Base == c.Quote, uint16(c.Base) >= e.cfg.Assets, uint16(c.Quote) >= e.cfg.Assets:
	case c.LotUnits == 0, c.TickUnits == 0:
	case c.MinQty < 1, c.MinQty > c.MaxQty, c.MaxQty > engine.MaxLots:
	case most.Sign() > 0 && fromAmount(c.MinNotional).Cmp(most) > 0:
	case c.StaticLow < 0, c.StaticHigh < 0, c.StaticHigh > 0 && c.StaticLow > c.StaticHigh:
	case c.BreakerWindow < 0, c.HaltFor < 0, c.MaxSlippage < 0, c.Reference < 0:
	case c.BreakerPPM > 0 && c.BreakerWindow == 0:
	case c.DayEnd < 0, c.DayEnd >= nsPerDay:
	default:
		for _, t := range c.Tiers {
			if t.Maker > engine.PPM || t.Taker > engine.PPM {
				return false
			}
		}
		return true
	}
	return false
}

func (e *Engine) changeState(c *engine.Command) {
	m := e.market(c.Market)
	switch {
	case m == nil:
		e.reject(c, engine.CodeUnknownMarket)
		return
	case c.State > engine.Halted:
		e.reject(c, engine.CodeBadType)
		return
	case c.Until != 0 && (c.State != engine.Auction && c.State != engine.Halted || c.Until <= e.clock):
		e.reject(c, engine.CodeBadExpiry)
		return
	}
	next := engine.Open
	if c.Flags&engine.Closing != 0 {
		next = engine.Closed
	}
	e.setState(m, c.State, next, c.Until, engine.CodeByOperator)
}

// setState changes the state of a market, and trades first what crosses where orders
// can come in again or an auction closes.
func (e *Engine) setState(m *market, s, next engine.State, until int64, why engine.Code) {
	opens := s == engine.Open || s == engine.PostOnlyState
	wasOpen := m.state == engine.Open || m.state == engine.PostOnlyState
	if opens && !wasOpen || m.state == engine.Auction && s == engine.Closed {
		e.uncross(m)
	}
	if s != engine.Auction {
		next = engine.Closed // of no meaning
	}
	m.state, m.next, m.until = s, next, until
	e.emit(engine.Event{Kind: engine.EventState, Market: m.id, State: s, Code: why, Until: until})
}

// haltEnd is when a halt that begins now ends; zero is never.
func (e *Engine) haltEnd(m *market) int64 {
	if m.cfg.HaltFor == 0 {
		return 0
	}
	return later(e.clock, m.cfg.HaltFor)
}

func (e *Engine) haltByBand(m *market) {
	state := engine.Auction
	if m.cfg.HaltFor == 0 {
		state = engine.Halted
	}
	e.setState(m, state, engine.Open, e.haltEnd(m), engine.CodeDynamicBand)
}

// endOfState is what happens at the end of an auction or a halt.
func (e *Engine) endOfState(m *market) {
	switch {
	case m.state == engine.Auction:
		e.setState(m, m.next, engine.Closed, 0, engine.CodeAuctionEnd)
	case m.cfg.HaltFor == 0:
		e.setState(m, engine.Open, engine.Closed, 0, engine.CodeHaltEnd)
	default:
		e.setState(m, engine.Auction, engine.Open, e.haltEnd(m), engine.CodeHaltEnd)
	}
}

// breakCircuit halts a market whose price moved too far within the window.
func (e *Engine) breakCircuit(m *market) {
	if m.cfg.BreakerPPM != 0 && m.windowOpen && moved(m.last, m.windowFirst, m.cfg.BreakerPPM, true) {
		e.setState(m, engine.Halted, engine.Closed, e.haltEnd(m), engine.CodeBreaker)
	}
}
