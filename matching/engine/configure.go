package engine

// configure makes a market or changes it.
func (e *Engine) configure(c *Command, cfg *MarketConfig) Code {
	if c.Op != OpMarket {
		return CodeUnknownOp
	}
	if int(c.Market) >= len(e.markets) {
		return CodeUnknownMarket
	}
	m := &e.markets[c.Market]
	old := &m.cfg
	if cfg == nil || !cfg.valid(&e.cfg) || m.made && (old.Base != cfg.Base || old.Quote != cfg.Quote ||
		old.LotUnits != cfg.LotUnits || old.TickUnits != cfg.TickUnits) {
		return CodeBadConfig
	}
	m.cfg = *cfg
	if !m.made {
		m.begin()
	}
	if !m.traded {
		m.last = cfg.Reference
	}
	m.refer()
	e.unsettlePegs(m)
	ev := e.emit(EventState)
	ev.Market, ev.State, ev.Until = m.id, m.state, m.until
	return CodeNone
}

// begin gives a market that is new its ladders.
func (m *market) begin() {
	m.made = true
	refs := make([]pageRef, len(m.ladders())*fewRefs)
	for i, l := range m.ladders() {
		l.refs = refs[i*fewRefs : i*fewRefs : (i+1)*fewRefs]
	}
}

// valid says whether a market may have a configuration in a shard.
func (c *MarketConfig) valid(shard *Config) bool {
	ok := c.Base != c.Quote && uint16(c.Base) < shard.Assets && uint16(c.Quote) < shard.Assets &&
		c.LotUnits != 0 && c.TickUnits != 0 &&
		c.MinQty >= 1 && c.MaxQty >= c.MinQty && c.MaxQty <= MaxLots &&
		(c.MaxNotional.IsZero() || !c.MaxNotional.Less(c.MinNotional))
	return ok && c.validBands() && c.validTimes()
}

func (c *MarketConfig) validBands() bool {
	return c.StaticLow >= 0 && c.StaticHigh >= 0 && (c.StaticHigh == 0 || c.StaticLow <= c.StaticHigh) &&
		c.MaxSlippage >= 0 && c.Reference >= 0 && (c.BreakerPPM == 0 || c.BreakerWindow > 0)
}

func (c *MarketConfig) validTimes() bool {
	for _, f := range c.Tiers {
		if f.Maker > PPM || f.Taker > PPM {
			return false
		}
	}
	return c.BreakerWindow >= 0 && c.HaltFor >= 0 && c.DayEnd >= 0 && c.DayEnd < dayLength
}
