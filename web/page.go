package web

import (
	"encoding/json"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"strongroom/feed"
	"strongroom/matching/engine"
	"strongroom/money"
	"strongroom/trading"
)

const (
	ladderRows = 14 // of each side
	tapeRows   = 30
)

// request is one of a market and who asks.
type request struct {
	*http.Request
	visitor
	market *trading.Market
}

// market finds the market of a path and the visitor.
func (p *Pages) market(who func(*http.Request) visitor, next func(http.ResponseWriter, request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		m := p.cfg.Catalog.Market(r.PathValue("market"))
		if m == nil {
			p.fault(w, r, http.StatusNotFound, "There is no such market.", "Choose one on the trade page.")
			return
		}
		next(w, request{Request: r, visitor: who(r), market: m})
	}
}

type ladderRow struct{ Price, Quantity string }

type tapeRow struct{ Time, Price, Quantity, Side string }

type tickerView struct {
	Last, Change, Direction, High, Low, Volume, Turnover, State string
}

type marketLink struct {
	Name string
	Here bool
}

type pageView struct {
	visitor
	Static                     string
	Name, Base, Quote          string
	Tick, Lot, Minimum         string
	PriceDecimals, LotDecimals int
	Markets                    []marketLink
	Ticker                     tickerView
	Asks, Bids                 []ladderRow
	Spread                     string
	Tape                       []tapeRow
	Intervals                  []string
	Form                       formView
	Orders                     ordersView
	Fills                      fillsView
	Balances                   balancesView
}

func (p *Pages) page(w http.ResponseWriter, r request) {
	p.showPage(w, r, http.StatusOK, p.newForm(r))
}

// showPage renders the whole page with what an order form came to.
func (p *Pages) showPage(w http.ResponseWriter, r request, status int, form formView) {
	m := r.market
	v := pageView{
		visitor: r.visitor, Static: p.static.Base, Name: m.Name, Base: m.Base.Code, Quote: m.Quote.Code,
		Tick: m.Price(1), Lot: m.Quantity(1), Minimum: m.Quantity(m.Config.MinQty), Form: form,
		PriceDecimals: decimals(m.Price(1)), LotDecimals: decimals(m.Quantity(1)),
	}
	for _, each := range p.cfg.Catalog.All() {
		v.Markets = append(v.Markets, marketLink{each.Name, each == m})
	}
	for _, interval := range feed.Intervals() {
		v.Intervals = append(v.Intervals, intervalName(interval))
	}
	v.look(m, p.cfg.Data.Feed(m.Name))
	if r.Customer != "" {
		v.Orders, v.Fills, v.Balances = p.orders(r, ""), p.fills(r), p.balances(r, transferView{})
	}
	p.render(w, r.Request, status, "page.html", v)
}

// look fills in what the market shows now, so that the first paint waits for no script.
func (v *pageView) look(m *trading.Market, f *feed.Market) {
	v.Asks, v.Bids = make([]ladderRow, ladderRows), make([]ladderRow, ladderRows)
	if f == nil {
		return
	}
	now := f.Whole()
	for i, level := range now.Asks[:min(len(now.Asks), ladderRows)] {
		v.Asks[ladderRows-1-i] = v.row(m, level)
	}
	for i, level := range now.Bids[:min(len(now.Bids), ladderRows)] {
		v.Bids[i] = v.row(m, level)
	}
	if len(now.Asks) > 0 && len(now.Bids) > 0 {
		v.Spread = padded(m.Price(max(0, now.Asks[0].Price-now.Bids[0].Price)), v.PriceDecimals)
	}
	for _, t := range slices.Backward(now.Trades[max(0, len(now.Trades)-tapeRows):]) {
		v.Tape = append(v.Tape, tapeRow{
			time.Unix(0, t.Time).UTC().Format("15:04:05"), padded(m.Price(t.Price), v.PriceDecimals),
			padded(m.Quantity(t.Qty), v.LotDecimals), trading.SideName(t.Taker),
		})
	}
	v.Ticker = ticker(m, &now, v.PriceDecimals)
}

func (v *pageView) row(m *trading.Market, l feed.Level) ladderRow {
	return ladderRow{padded(m.Price(l.Price), v.PriceDecimals), padded(m.Quantity(l.Qty), v.LotDecimals)}
}

func ticker(m *trading.Market, now *feed.Message, places int) tickerView {
	t := tickerView{State: trading.StateName(now.State)}
	if n := len(now.Trades); n > 0 {
		t.Last = padded(m.Price(now.Trades[n-1].Price), places)
	}
	day := now.Day
	if day.Trades == 0 {
		return t
	}
	t.High, t.Low = padded(m.Price(day.High), places), padded(m.Price(day.Low), places)
	t.Volume = m.Quantity(day.Volume)
	if turnover, err := m.Turnover(day.Turnover, 1); err == nil {
		t.Turnover = rounded(m.Quote, turnover)
	}
	t.Change, t.Direction = change(day.Open, day.Close)
	return t
}

// change is how far a price has come, in hundredths of a percent.
func change(from, to int64) (text, direction string) {
	if from <= 0 {
		return "", ""
	}
	moved := new(big.Int).Mul(big.NewInt(to-from), big.NewInt(10_000))
	moved.Quo(moved, big.NewInt(from))
	sign, direction := "+", "up"
	switch moved.Sign() {
	case -1:
		sign, direction = "−", "down"
	case 0:
		sign, direction = "", ""
	}
	digits := moved.Abs(moved).String()
	digits = strings.Repeat("0", max(0, 3-len(digits))) + digits
	return sign + digits[:len(digits)-2] + "." + digits[len(digits)-2:] + " %", direction
}

// decimals is how many digits a number has behind its point.
func decimals(number string) int {
	_, behind, _ := strings.Cut(number, ".")
	return len(behind)
}

// padded gives a number so many decimals, so that columns line up.
func padded(number string, places int) string {
	missing := places - decimals(number)
	if missing <= 0 {
		return number
	}
	if !strings.Contains(number, ".") {
		number += "."
	}
	return number + strings.Repeat("0", missing)
}

// rounded is an amount to the whole, for figures that move no value.
func rounded(a money.Asset, u money.Units) string {
	whole, _, _ := strings.Cut(a.Format(u), ".")
	return whole
}

func intervalName(i feed.Interval) string {
	text := time.Duration(i).String()
	text = strings.TrimSuffix(strings.TrimSuffix(text, "0s"), "0m")
	switch {
	case time.Duration(i) == 24*time.Hour:
		return "1d"
	case text == "":
		return time.Duration(i).String()
	}
	return text
}

// ageView is how old what the pages show is.
type ageView struct {
	Milliseconds int64 `json:"milliseconds"`
	Live         bool  `json:"live"`
}

// age tells the script whether the shard is heard: a socket alone does not say so.
func (p *Pages) age(w http.ResponseWriter, _ request) {
	age, live := p.cfg.Data.Behind()
	p.json(w, ageView{age.Milliseconds(), live})
}

func (p *Pages) json(w http.ResponseWriter, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "This cannot be shown now. Try again.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(data) // the reader is gone where this fails
}

func opposite(s engine.Side) engine.Side {
	if s == engine.Buy {
		return engine.Sell
	}
	return engine.Buy
}
