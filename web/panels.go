package web

import (
	"net/http"
	"slices"
	"strings"

	"strongroom/money"
	"strongroom/trading"
	"strongroom/web/site"
)

const shownFills = 20

type orderRow struct {
	ID, Time, Market, Side, Type, Price, Stop, Quantity, Filled, State string
	Here                                                               bool // in this market
}

type ordersView struct {
	visitor
	Name    string
	Rows    []orderRow
	Problem string
}

type fillRow struct{ Time, Market, Side, Price, Quantity, Fee, Role string }

type fillsView struct {
	Rows    []fillRow
	Problem string
}

type balanceRow struct{ Asset, Available, Reserved, Funding string }

// transferView is what became of a posted transfer.
type transferView struct {
	Asset, Amount, Direction string
	Wrong                    *complaint
	Notice                   string
	Key                      string
}

type balancesView struct {
	visitor
	Name     string
	Rows     []balanceRow
	Funding  bool
	Problem  string
	Transfer transferView
}

// panel is a part of the page that is shown again when the stream says so.
func (p *Pages) panel(w http.ResponseWriter, r request) {
	if r.Customer == "" {
		w.Header().Set("Hx-Refresh", "true")
		return
	}
	switch r.PathValue("panel") {
	case "orders":
		p.render(w, r.Request, http.StatusOK, "orders.html", p.orders(r, ""))
	case "fills":
		p.render(w, r.Request, http.StatusOK, "fills.html", p.fills(r))
	case "balances":
		p.render(w, r.Request, http.StatusOK, "balances-list.html", p.balances(r, transferView{}))
	default:
		p.fault(w, r.Request, http.StatusNotFound, "There is no such part.", "Load the trade page again.")
	}
}

// orders are those of all markets, newest first.
func (p *Pages) orders(r request, problem string) ordersView {
	v := ordersView{visitor: r.visitor, Name: r.market.Name, Problem: problem}
	list, _, err := p.cfg.Orders.Open(r.Context(), r.Customer, "")
	if err != nil {
		p.unknown(r, "read open orders", err)
		v.Problem = "Open orders cannot be read now. They are shown again as soon as they can."
		return v
	}
	for _, o := range slices.Backward(list) {
		v.Rows = append(v.Rows, orderRow{
			ID: o.ID, Time: o.CreatedAt.UTC().Format("15:04:05"), Market: o.Market, Side: o.Side, Type: strings.ReplaceAll(string(o.Type), "_", " "),
			Price: o.Price, Stop: o.StopPrice, Quantity: o.Quantity, Filled: o.Filled, State: string(o.State), Here: o.Market == r.market.Name,
		})
	}
	return v
}

func (p *Pages) fills(r request) fillsView {
	v := fillsView{}
	list, _, err := p.cfg.Log.Fills(r.Context(), trading.LogQuery{Customer: r.Customer, Limit: shownFills})
	if err != nil {
		p.unknown(r, "read fills", err)
		v.Problem = "Fills cannot be read now. They are shown again as soon as they can."
		return v
	}
	for i := range list {
		f, role := &list[i], "taker"
		if f.Maker {
			role = "maker"
		}
		v.Rows = append(v.Rows, fillRow{f.Time.UTC().Format("15:04:05"), f.Market, f.Side, f.Price, f.Quantity, f.Fee + " " + f.FeeAsset, role})
	}
	return v
}

// balances are those of every asset that trades, with or without any of it.
func (p *Pages) balances(r request, t transferView) balancesView {
	v := balancesView{visitor: r.visitor, Name: r.market.Name, Transfer: t, Funding: p.cfg.Funding != nil}
	if v.Transfer.Key == "" {
		v.Transfer.Key = site.NewToken()
	}
	list, _, err := p.cfg.Orders.Balances(r.Context(), r.Customer)
	var funding map[string]money.Units
	if err == nil && p.cfg.Funding != nil {
		funding, err = p.cfg.Funding.Available(r.Context(), r.Customer)
	}
	if err != nil {
		p.unknown(r, "read balances", err)
		v.Problem = "Balances cannot be read now. They are shown again as soon as they can."
	}
	for _, asset := range p.assets() {
		row := balanceRow{Asset: asset.Code, Available: "0", Reserved: "0", Funding: asset.Format(funding[asset.Code])}
		for _, b := range list {
			if b.Asset == asset.Code {
				row.Available, row.Reserved = asset.Format(b.Available), asset.Format(b.Reserved)
			}
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}

// assets are those that trade, by code.
func (p *Pages) assets() []money.Asset {
	var list []money.Asset
	for _, m := range p.cfg.Catalog.All() {
		list = append(list, m.Base, m.Quote)
	}
	slices.SortFunc(list, func(a, b money.Asset) int { return strings.Compare(a.Code, b.Code) })
	return slices.Compact(list)
}
