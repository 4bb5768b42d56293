package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"strongroom/identity"
	"strongroom/trading"
)

// Fill is one trade of one of the caller's orders.
type Fill struct {
	Seq      uint64    `json:"seq" doc:"The trade's number"`
	Market   string    `json:"market"`
	OrderID  string    `json:"orderId"`
	Side     string    `json:"side"`
	Maker    bool      `json:"maker" doc:"The order was in the book before"`
	Price    string    `json:"price"`
	Quantity string    `json:"quantity"`
	Turnover string    `json:"turnover" doc:"In the quote asset"`
	Fee      string    `json:"fee"`
	FeeAsset string    `json:"feeAsset"`
	Time     time.Time `json:"time"`
}

func fillOf(f *trading.Fill) Fill {
	return Fill{
		Seq: f.Seq, Market: f.Market, OrderID: f.OrderID, Side: f.Side, Maker: f.Maker, Price: f.Price, Quantity: f.Quantity,
		Turnover: f.Turnover, Fee: f.Fee, FeeAsset: f.FeeAsset, Time: f.Time.UTC(),
	}
}

// TradingBalance is what the caller may trade with.
type TradingBalance struct {
	Asset     string `json:"asset"`
	Available string `json:"available"`
	Reserved  string `json:"reserved" doc:"By open orders"`
}

type (
	ordersInput struct {
		Page

		Market string `query:"market" maxLength:"33" doc:"Of this market only"`
		State  string `query:"state" enum:"open,closed" doc:"open: those that wait, by id; closed: those that have ended; both where missing"`
	}
	ordersOutput struct {
		Body struct {
			Items      []Order `json:"items" nullable:"false"`
			NextCursor string  `json:"nextCursor,omitempty"`
		}
	}
	fillsInput struct {
		Page

		Market  string `query:"market" maxLength:"33" doc:"Of this market only"`
		OrderID string `query:"orderId" maxLength:"20" pattern:"^[1-9][0-9]{0,19}$" patternDescription:"an order id" doc:"Of this order only"`
	}
	fillsOutput struct {
		Body struct {
			Items      []Fill `json:"items" nullable:"false"`
			NextCursor string `json:"nextCursor,omitempty"`
		}
	}
	tradingBalancesOutput struct {
		Body struct {
			Seq   uint64           `json:"seq" doc:"The event behind which these hold"`
			Items []TradingBalance `json:"items" nullable:"false"`
		}
	}
)

func (s *Server) routeOwnOrders() {
	const tag = "Orders"
	register(s, operation("list-orders", http.MethodGet, "/v1/orders", tag, "List orders",
		"Open ones are those of this moment. All others come from the history, newest first, which lags by moments; a page may hold fewer than limit."), identity.Read, s.listOrders)
	register(s, operation("get-order", http.MethodGet, "/v1/orders/{id}", tag, "Read an order",
		"By its id, or by client: and the client's own id. One that has just ended may be missing for a moment."), identity.Read,
		func(ctx context.Context, in *OrderPath) (*orderOutput, error) {
			o, err := s.order(ctx, principal(ctx).Customer, in.ID)
			if err != nil {
				return nil, err
			}
			return &orderOutput{orderOf(&o)}, nil
		})
	register(s, operation("list-fills", http.MethodGet, "/v1/fills", tag, "List fills", "Newest first; they lag by moments."), identity.Read, s.listFills)
	register(s, operation("list-trading-balances", http.MethodGet, "/v1/trading/balances", tag, "Read trading balances",
		"As matching has them at this moment."), identity.Read, s.tradingBalances)
}

// order finds an order: among those that wait, which are of this moment, then in the
// history.
func (s *Server) order(ctx context.Context, customer, ref string) (trading.Order, error) {
	clientID, named := strings.CutPrefix(ref, "client:")
	open, _, failed := s.cfg.Trading.Orders.Open(ctx, customer, "")
	for i := range open {
		if named && open[i].ClientID == clientID || !named && open[i].ID == ref {
			return open[i], nil
		}
	}
	var o trading.Order
	var err error
	if named {
		o, err = s.cfg.Trading.Log.OrderByClientID(ctx, customer, clientID)
	} else {
		o, err = s.cfg.Trading.Log.Order(ctx, customer, ref)
	}
	if err == nil && named { // one that waits may not know its name
		if at := slices.IndexFunc(open, func(l trading.Order) bool { return l.ID == o.ID }); at >= 0 {
			o = open[at]
			o.ClientID = clientID
		}
	}
	if errors.Is(err, trading.ErrNotFound) && failed != nil {
		return o, failed // it may wait
	}
	return o, err
}

func (s *Server) listOrders(ctx context.Context, in *ordersInput) (*ordersOutput, error) {
	customer := principal(ctx).Customer
	if err := s.marketFilter(in.Market); err != nil {
		return nil, err
	}
	scope := scopeOf("orders", customer, in.Market, in.State)
	cursor, err := s.cursors.open(scope, in.Cursor)
	if err != nil {
		return nil, err
	}
	var list []trading.Order
	var next string
	if in.State == "open" {
		list, next, err = s.openOrders(ctx, customer, in.Market, cursor, in.limit())
	} else {
		list, next, err = s.cfg.Trading.Log.Orders(ctx, trading.LogQuery{Customer: customer, Market: in.Market, Cursor: cursor, Limit: in.limit()})
	}
	if err != nil {
		return nil, err
	}
	out := &ordersOutput{}
	out.Body.NextCursor = s.cursors.seal(scope, next)
	out.Body.Items = make([]Order, 0, len(list))
	for i := range list {
		if in.State == "closed" && (list[i].State == trading.OrderOpen || list[i].State == trading.OrderWaiting) {
			continue
		}
		out.Body.Items = append(out.Body.Items, orderOf(&list[i]))
	}
	return out, nil
}

// openOrders is a page of the orders that wait: by id, so that pages stay in order while
// orders come and go.
func (s *Server) openOrders(ctx context.Context, customer, market, after string, limit int) ([]trading.Order, string, error) {
	list, _, err := s.cfg.Trading.Orders.Open(ctx, customer, market)
	if err != nil {
		return nil, "", err
	}
	slices.SortFunc(list, func(a, b trading.Order) int { return compareIDs(a.ID, b.ID) })
	from := 0
	for after != "" && from < len(list) && compareIDs(list[from].ID, after) <= 0 {
		from++
	}
	if list = list[from:]; len(list) <= limit {
		return list, "", nil
	}
	return list[:limit], list[limit-1].ID, nil
}

// compareIDs orders decimal numbers without leading zeros.
func compareIDs(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) }

func (s *Server) listFills(ctx context.Context, in *fillsInput) (*fillsOutput, error) {
	customer := principal(ctx).Customer
	if err := s.marketFilter(in.Market); err != nil {
		return nil, err
	}
	scope := scopeOf("fills", customer, in.Market, in.OrderID)
	cursor, err := s.cursors.open(scope, in.Cursor)
	if err != nil {
		return nil, err
	}
	list, next, err := s.cfg.Trading.Log.Fills(ctx, trading.LogQuery{
		Customer: customer, Market: in.Market, OrderID: in.OrderID, Cursor: cursor, Limit: in.limit(),
	})
	if err != nil {
		return nil, err
	}
	out := &fillsOutput{}
	out.Body.NextCursor = s.cursors.seal(scope, next)
	out.Body.Items = make([]Fill, len(list))
	for i := range list {
		out.Body.Items[i] = fillOf(&list[i])
	}
	return out, nil
}

func (s *Server) tradingBalances(ctx context.Context, _ *struct{}) (*tradingBalancesOutput, error) {
	list, seq, err := s.cfg.Trading.Orders.Balances(ctx, principal(ctx).Customer)
	if err != nil {
		return nil, err
	}
	format, err := s.formats(ctx)
	if err != nil {
		return nil, err
	}
	out := &tradingBalancesOutput{}
	out.Body.Seq, out.Body.Items = seq, tradingBalancesOf(list, format)
	return out, nil
}
