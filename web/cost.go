package web

import (
	"log/slog"
	"net/http"

	"strongroom/matching/engine"
	"strongroom/money"
	"strongroom/trading"
)

// costView is what an order would cost, as far as that is known before.
type costView struct {
	Label, Amount, Fee, Note string
}

// cost shows what the form's order would cost, and its fee at the customer's tier. Each
// trade's fee is rounded up by itself, so that many small ones cost some units more.
func (p *Pages) cost(w http.ResponseWriter, r request) {
	query := r.URL.Query()
	p.render(w, r.Request, http.StatusOK, "cost.html", p.estimate(r.market, p.fees(r), read(query.Get)))
}

// fees are the customer's on a market: those of tier 0, which everybody begins with, for
// who is nobody yet, and where the tier cannot be read.
func (p *Pages) fees(r request) engine.Fees {
	tier := 0
	if p.cfg.Tiers != nil && r.Customer != "" {
		var err error
		if tier, err = p.cfg.Tiers.Tier(r.Context(), r.Customer); err != nil {
			p.cfg.Logger.WarnContext(r.Context(), "a customer's tier of fees cannot be read", slog.Any("error", err))
			tier = 0
		}
	}
	return r.market.Config.Tiers[min(max(tier, 0), engine.Tiers-1)]
}

// estimate is exact for a limit; what has none is reckoned by the book as it is now. It is
// empty where the form is not complete.
func (p *Pages) estimate(m *trading.Market, fees engine.Fees, v values) costView {
	lots, err := m.Lots(v.Quantity)
	if err != nil {
		return costView{}
	}
	side := engine.Buy
	if v.Side == "sell" {
		side = engine.Sell
	}
	limit := v.Price
	if trading.OrderType(v.Type) == trading.TypeStop {
		limit = v.StopPrice
	}
	out := costView{}
	var quote money.Units
	if trading.OrderType(v.Type) == trading.TypeMarket {
		var all bool
		quote, all, err = p.walk(m, side, lots)
		out.Note = "by the book as it is now"
		if !all {
			out.Note = "the book holds less than that"
		}
	} else {
		ticks, bad := m.Ticks(limit)
		if bad != nil {
			return costView{}
		}
		quote, err = m.Cost(ticks, lots)
	}
	if err != nil {
		return costView{}
	}
	rate := fees.Taker
	if v.PostOnly {
		rate = fees.Maker
	}
	return out.with(m, side, lots, quote, rate)
}

// with fills in amounts and the fee, a part of what the side receives: rate is in parts
// per million.
func (c costView) with(m *trading.Market, side engine.Side, lots int64, quote money.Units, rate uint32) costView {
	c.Label = "You pay"
	received, asset := quote, m.Quote
	if side == engine.Buy {
		base, err := m.Base.Parse(m.Quantity(lots))
		if err != nil {
			return costView{}
		}
		received, asset = base, m.Base
	} else {
		c.Label = "You receive"
	}
	fee, err := received.MulDiv(money.FromUint64(uint64(rate)), money.FromUint64(engine.PPM), money.Up)
	if err != nil {
		return costView{}
	}
	c.Amount, c.Fee = m.Quote.Format(quote)+" "+m.Quote.Code, asset.Format(fee)+" "+asset.Code
	return c
}

// walk is what lots would trade for against the book, and whether it holds so many.
func (p *Pages) walk(m *trading.Market, side engine.Side, lots int64) (sum money.Units, all bool, err error) {
	f := p.cfg.Data.Feed(m.Name)
	if f == nil {
		return sum, false, nil
	}
	now := f.Whole()
	levels := now.Asks
	if opposite(side) == engine.Buy {
		levels = now.Bids
	}
	for _, l := range levels {
		var part money.Units
		if part, err = m.Cost(l.Price, min(lots, l.Qty)); err != nil {
			return sum, false, err
		}
		if sum, err = sum.Add(part); err != nil {
			return sum, false, err
		}
		if lots -= min(lots, l.Qty); lots == 0 {
			return sum, true, nil
		}
	}
	return sum, false, nil
}
