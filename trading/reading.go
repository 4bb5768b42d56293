package trading

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"time"

	"strongroom/matching/engine"
	"strongroom/money"
)

// Bounds of a file of markets.
const (
	maxTermsBytes = 1 << 20
	maxMarkets    = 1024
	maxPause      = 24 * time.Hour // of a breaker's window, a halt
)

// ReadTerms reads a file of markets: a JSON list of Terms without unknown fields, each
// name and number once. What the numbers mean is looked at by NewCatalog. Errors: ErrTerms.
func ReadTerms(r io.Reader) ([]Terms, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxTermsBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read markets: %w", err)
	}
	if len(data) > maxTermsBytes {
		return nil, fmt.Errorf("%w: the file has more than %d bytes", ErrTerms, maxTermsBytes)
	}
	var list []Terms
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf("%w: market %d of the file: %w", ErrTerms, len(list)+1, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the list of markets; there is one list", ErrTerms)
	}
	return list, checkList(list)
}

func checkList(list []Terms) error {
	if len(list) == 0 || len(list) > maxMarkets {
		return fmt.Errorf("%w: %d markets; there are 1 to %d", ErrTerms, len(list), maxMarkets)
	}
	names, ids := map[string]bool{}, map[uint16]bool{}
	for i := range list {
		t := &list[i]
		switch {
		case !isCode(t.Base) || !isCode(t.Quote):
			return t.wrong("base", "%.20q trades for %.20q", "give two codes of assets, 1 to 16 of A-Z and 0-9", t.Base, t.Quote)
		case t.Base == t.Quote:
			return t.wrong("quote", "%s trades for itself", "give another asset", t.Base)
		case t.Name != t.Base+"-"+t.Quote:
			return t.wrong("name", "%.40q is not base-quote", "call it "+t.Base+"-"+t.Quote, t.Name)
		case names[t.Name]:
			return t.wrong("name", "it stands there twice", "take one away")
		case ids[t.ID]:
			return t.wrong("id", "%d is another market's", "give it a number that none had before", t.ID)
		}
		names[t.Name], ids[t.ID] = true, true
	}
	return nil
}

func isCode(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 16
}

// wrong reports a field of a market.
func (t *Terms) wrong(field, format, fix string, args ...any) error {
	return fmt.Errorf("%w: %.40s: %s: %s; %s", ErrTerms, t.Name, field, fmt.Sprintf(format, args...), fix)
}

// reader converts fields one after the other; the first fault stays.
type reader struct {
	terms  *Terms
	market *Market
	err    error
}

// market converts terms exactly.
func (t *Terms) market(base, quote money.Asset, baseNo, quoteNo engine.AssetID) (*Market, error) {
	cfg := engine.MarketConfig{
		Base: baseNo, Quote: quoteNo, DynamicPPM: t.DynamicBandPPM, BreakerPPM: t.BreakerPPM,
		MaxOrders: t.MaxOrders, MaxPegs: t.MaxPegs, MaxTrailing: t.MaxTrailing,
	}
	var err error
	if cfg.LotUnits, cfg.TickUnits, err = t.units(base, quote); err != nil {
		return nil, err
	}
	m, err := NewMarket(t.Name, engine.MarketID(t.ID), base, quote, cfg)
	if err != nil {
		return nil, err
	}
	r := &reader{terms: t, market: m}
	c := &m.Config
	c.MinQty, c.MaxQty = r.lots("minQuantity", t.MinQuantity), r.lots("maxQuantity", t.MaxQuantity)
	c.MinNotional, c.MaxNotional = r.amount("minNotional", t.MinNotional), r.amount("maxNotional", t.MaxNotional)
	c.StaticLow, c.StaticHigh = r.ticks("lowPrice", t.LowPrice, true), r.ticks("highPrice", t.HighPrice, true)
	c.Reference, c.MaxSlippage = r.ticks("reference", t.Reference, true), r.ticks("maxSlippage", t.MaxSlippage, false)
	c.BreakerWindow, c.HaltFor = r.pause("breakerWindow", t.BreakerWindow, maxPause), r.pause("haltFor", t.HaltFor, maxPause)
	c.DayEnd = r.pause("dayEnd", t.DayEnd, 24*time.Hour-1)
	r.tiers()
	r.relations()
	return m, r.err
}

// units finds what a lot and a tick are in base units, exactly.
func (t *Terms) units(base, quote money.Asset) (lot, tick uint64, err error) {
	lots, err := base.Parse(t.Lot)
	if err != nil || lots.IsZero() {
		return 0, 0, t.wrong("lot", "%.48q is none of %s (%v)", "give a quantity above zero", t.Lot, base.Code, err)
	}
	step, err := price().Parse(t.Tick)
	if err != nil || step.IsZero() {
		return 0, 0, t.wrong("tick", "%.48q is none (%v)", "give a price above zero", t.Tick, err)
	}
	// step/10^18 quotes a base × lots/10^base bases a lot × 10^quote units a quote.
	worth := new(big.Int).Mul(step.Big(), lots.Big())
	worth.Mul(worth, pow10(int(quote.Scale)))
	worth, rest := worth.QuoRem(worth, pow10(priceScale+int(base.Scale)), new(big.Int))
	if rest.Sign() != 0 {
		return 0, 0, t.wrong("lot", "a lot of %s at a tick of %s costs no whole unit of %s", "make lot or tick ten times as large until it does", t.Lot, t.Tick, quote.Code)
	}
	lot, fits := lots.Uint64()
	if !fits || !worth.IsUint64() {
		return 0, 0, t.wrong("lot", "a lot of %s at a tick of %s does not fit 64 bits", "make it smaller", t.Lot, t.Tick)
	}
	return lot, worth.Uint64(), nil
}

func (r *reader) fail(field, format, fix string, args ...any) {
	if r.err == nil {
		r.err = r.terms.wrong(field, format, fix, args...)
	}
}

func (r *reader) lots(field, text string) int64 {
	n, err := r.market.Lots(text)
	if err != nil {
		r.fail(field, "%v", "give a multiple of the lot", err)
	}
	return n
}

func (r *reader) ticks(field, text string, optional bool) int64 {
	if text == "" && optional {
		return 0
	}
	n, err := r.market.Ticks(text)
	if err != nil {
		r.fail(field, "%v", "give a multiple of the tick", err)
	}
	return n
}

func (r *reader) amount(field, text string) engine.Amount {
	if text == "" {
		return engine.Amount{}
	}
	a, err := r.market.QuoteAmount(text)
	if err != nil {
		r.fail(field, "%v", "give an amount of "+r.market.Quote.Code+", or leave it out", err)
	}
	return a
}

func (r *reader) pause(field, text string, most time.Duration) int64 {
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > most {
		r.fail(field, "%.48q is no time of 0s to %s", "write it as 5m or 30s", text, most)
	}
	return d.Nanoseconds()
}

// tiers fills in the fees; an account of a tier that is not there pays as the last one.
func (r *reader) tiers() {
	list := r.terms.Tiers
	if len(list) == 0 || len(list) > engine.Tiers {
		r.fail("tiers", "there are %d", fmt.Sprintf("give 1 to %d", engine.Tiers), len(list))
		return
	}
	for i := range r.market.Config.Tiers {
		f := list[min(i, len(list)-1)]
		if f.MakerPPM > engine.PPM || f.TakerPPM > engine.PPM {
			r.fail("tiers", "tier %d takes more than everything", fmt.Sprintf("give at most %d parts per million", engine.PPM), i)
		}
		r.market.Config.Tiers[i] = engine.Fees{Maker: f.MakerPPM, Taker: f.TakerPPM}
	}
}

// relations looks at fields that bound each other.
func (r *reader) relations() { //nolint:cyclop // a list of checks
	c, t := &r.market.Config, r.terms
	high := c.StaticHigh
	if high == 0 {
		high = math.MaxInt64
	}
	switch {
	case c.MaxQty < c.MinQty:
		r.fail("maxQuantity", "%s is below the least quantity", "give at least "+t.MinQuantity, t.MaxQuantity)
	case !c.MaxNotional.IsZero() && c.MaxNotional.Less(c.MinNotional):
		r.fail("maxNotional", "%s is below the least", "give at least "+t.MinNotional, t.MaxNotional)
	case high < c.StaticLow:
		r.fail("highPrice", "%s is below the lowest price", "give at least "+t.LowPrice, t.HighPrice)
	case c.Reference != 0 && (c.Reference < c.StaticLow || c.Reference > high):
		r.fail("reference", "%s is outside the bounds of prices", "give one inside", t.Reference)
	case c.BreakerPPM != 0 && c.BreakerWindow == 0:
		r.fail("breakerWindow", "the breaker has none", "give one, such as 5m")
	case c.MaxOrders == 0 || c.MaxOrders > engine.MaxRows:
		r.fail("maxOrders", "there are %d", fmt.Sprintf("give 1 to %d", engine.MaxRows), c.MaxOrders)
	}
}
