package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"strongroom/identity"
	"strongroom/money"
	"strongroom/trading"
)

// Catalog is the markets there are; trading.Catalog is one.
type Catalog interface {
	// Market returns nil where there is none of that name.
	Market(name string) *trading.Market
	All() []*trading.Market
}

// Tiers tells what a customer's tier of fees is, from 0.
type Tiers interface {
	Tier(ctx context.Context, customer string) (int, error)
}

// Trading is what the paths of trading ask. All of it is required unless said otherwise.
type Trading struct {
	Orders    trading.Orders
	Log       trading.Log
	Data      trading.MarketData
	Transfers trading.Transfers
	// Endings tells owners when transfers end; nil where nobody does.
	Endings trading.Endings
	Catalog Catalog
	// Tiers is nil where all customers have tier 0.
	Tiers Tiers
}

func (t *Trading) check() error {
	if t == nil {
		return nil
	}
	if t.Orders == nil || t.Log == nil || t.Data == nil || t.Transfers == nil || t.Catalog == nil {
		return errors.New("api: a collaborator of trading is missing")
	}
	return nil
}

// routeTrading adds the paths of trading where the platform trades.
func (s *Server) routeTrading() {
	if s.cfg.Trading == nil {
		return
	}
	s.routeMarkets()
	s.routeFees()
	s.routeOrders()
	s.routeOwnOrders()
	s.routeTransfers()
	s.routeStream()
}

// enterPath is where browsers log in: one of the pages'.
const enterPath = "/trade/enter"

// routePages hands the trade page's paths on. Its answers have headers of its own.
func (s *Server) routePages() {
	if s.cfg.Pages == nil {
		return
	}
	serve := func(c *gin.Context) {
		for _, name := range guards() {
			c.Writer.Header().Del(name)
		}
		s.cfg.Pages.ServeHTTP(c.Writer, c.Request)
	}
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		s.engine.Handle(method, "/trade", serve)
		s.engine.Handle(method, "/trade/*rest", serve)
		s.engine.Handle(method, "/static/*rest", serve)
	}
}

// refused is the problem of an order that was not taken.
func refused(r *trading.Refusal) *Problem {
	if r.Code == "unknown_order" {
		return newProblem(codeNotFound, r.Text)
	}
	var fields []FieldProblem
	switch r.Field {
	case "":
		if r.Fix != "" {
			fields = []FieldProblem{{"body", r.Text, r.Fix}}
		}
	case "id":
		fields = []FieldProblem{{"path.id", r.Text, r.Fix}}
	default:
		fields = []FieldProblem{{"body." + r.Field, r.Text, r.Fix}}
	}
	p := newProblem(codeOrder, r.Text, fields...)
	if r.Code != "" {
		p.Type += ":" + strings.ReplaceAll(r.Code, "_", "-")
	}
	return p
}

// market finds a market of a path.
func (s *Server) market(name string) (*trading.Market, error) {
	if m := s.cfg.Trading.Catalog.Market(name); m != nil {
		return m, nil
	}
	return nil, newProblem(codeMarket, "there is no market "+name, FieldProblem{"path.market", "is not a market", "use one of " + s.marketNames()})
}

// marketFilter checks the market of a query, which may be missing.
func (s *Server) marketFilter(name string) error {
	if name == "" || s.cfg.Trading.Catalog.Market(name) != nil {
		return nil
	}
	return newProblem(codeInvalid, "query.market: there is no market "+name, FieldProblem{"query.market", "is not a market", "use one of " + s.marketNames()})
}

func (s *Server) marketNames() string {
	list := s.cfg.Trading.Catalog.All()
	names := make([]string, len(list))
	for i, m := range list {
		names[i] = m.Name
	}
	return strings.Join(names, ", ")
}

// mayTrade refuses customers who are frozen.
func mayTrade(p identity.Principal) error {
	if p.State == identity.Frozen {
		return newProblem(codeFrozen, "the operator has frozen this customer")
	}
	return nil
}

// moment is a time of the log, zero for none.
func moment(ns int64) *time.Time {
	if ns == 0 {
		return nil
	}
	t := time.Unix(0, ns).UTC()
	return &t
}

// given is a time, nil where it is zero.
func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// addTrading completes balances with what is in trading. Where that cannot be read, the
// members stay away: what is in funding is as true without them.
func (s *Server) addTrading(ctx context.Context, customer string, out *balancesOutput) error {
	if s.cfg.Trading == nil {
		return nil
	}
	list, _, err := s.cfg.Trading.Orders.Balances(ctx, customer)
	if err != nil {
		trailOf(ctx).cause = err
		return nil //nolint:nilerr // it is in the log
	}
	format, err := s.formats(ctx)
	if err != nil {
		return err
	}
	for _, b := range list {
		item := assetItem(out, b.Asset)
		if item == nil {
			zero := format(b.Asset, money.Units{})
			out.Body.Items = append(out.Body.Items, AssetBalance{Asset: b.Asset, Available: zero, Held: zero, Maturing: zero, Debt: zero})
			item = &out.Body.Items[len(out.Body.Items)-1]
		}
		item.Trading, item.Reserved = format(b.Asset, b.Available), format(b.Asset, b.Reserved)
	}
	return nil
}

func assetItem(out *balancesOutput, asset string) *AssetBalance {
	for i := range out.Body.Items {
		if out.Body.Items[i].Asset == asset {
			return &out.Body.Items[i]
		}
	}
	return nil
}
