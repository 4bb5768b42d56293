package api

import (
	"context"
	"net/http"
	"time"

	"strongroom/identity"
	"strongroom/trading"
)

// Order is an order as its owner sees it.
type Order struct {
	ID            string     `json:"id" example:"4294967297"`
	ClientOrderID string     `json:"clientOrderId,omitempty" doc:"Missing where it was placed long ago and only its digest is kept"`
	Market        string     `json:"market"`
	Side          string     `json:"side"`
	Type          string     `json:"type"`
	State         string     `json:"state" doc:"waiting (not in the book yet), open, filled, cancelled, rejected, ended (in what way is not known)"`
	Reason        string     `json:"reason,omitempty" doc:"Why it was cancelled or rejected"`
	Price         string     `json:"price,omitempty"`
	StopPrice     string     `json:"stopPrice,omitempty"`
	Quantity      string     `json:"quantity,omitempty" doc:"As it came, where that is known"`
	Remaining     string     `json:"remaining,omitempty"`
	Filled        string     `json:"filled,omitempty"`
	Turnover      string     `json:"turnover,omitempty" doc:"What was traded, in the quote asset"`
	Sibling       string     `json:"sibling,omitempty" doc:"The other half of an OCO"`
	ExpiresAt     *time.Time `json:"expiresAt,omitempty"`
	CreatedAt     *time.Time `json:"createdAt,omitempty"`
	UpdatedAt     *time.Time `json:"updatedAt,omitempty"`
	Seq           uint64     `json:"seq" doc:"The event behind which this holds: it goes with seq of the stream"`
}

func orderOf(o *trading.Order) Order {
	return Order{
		ID: o.ID, ClientOrderID: o.ClientID, Market: o.Market, Side: o.Side, Type: string(o.Type), State: string(o.State), Reason: o.Reason,
		Price: o.Price, StopPrice: o.StopPrice, Quantity: o.Quantity, Remaining: o.Remaining, Filled: o.Filled, Turnover: o.Turnover,
		Sibling: o.Sibling, ExpiresAt: given(o.ExpiresAt), CreatedAt: given(o.CreatedAt), UpdatedAt: given(o.UpdatedAt), Seq: o.Seq,
	}
}

// NewOrder is the body of an order. Prices and quantities are decimals.
type NewOrder struct {
	ClientOrderID string    `json:"clientOrderId,omitempty" minLength:"1" maxLength:"64" pattern:"^[ -~]+$" patternDescription:"1 to 64 printable ASCII characters" doc:"Names the order: the same again is answered with the first result"`
	Market        string    `json:"market" maxLength:"33" doc:"Such as BTC-USDC"`
	Side          string    `json:"side" enum:"buy,sell"`
	Type          string    `json:"type" enum:"limit,market,market_quote,stop,stop_limit,trailing,peg,oco"`
	TimeInForce   string    `json:"timeInForce,omitempty" enum:"gtc,ioc,fok,gtd,day" doc:"gtc where missing"`
	Price         string    `json:"price,omitempty" maxLength:"48" doc:"Limit of limit, stop_limit, peg and oco"`
	Quantity      string    `json:"quantity,omitempty" maxLength:"48" doc:"Of the base asset"`
	QuoteAmount   string    `json:"quoteAmount,omitempty" maxLength:"48" doc:"Of market_quote: what is spent or earned"`
	StopPrice     string    `json:"stopPrice,omitempty" maxLength:"48" doc:"Of stop, stop_limit and oco"`
	StopLimit     string    `json:"stopLimit,omitempty" maxLength:"48" doc:"Of oco: the limit of its stop; a market order where missing"`
	Offset        string    `json:"offset,omitempty" maxLength:"48" doc:"Of trailing and peg; of market and market_quote: the slippage"`
	Display       string    `json:"display,omitempty" maxLength:"48" doc:"Iceberg: what is shown"`
	ExpiresAt     time.Time `json:"expiresAt,omitzero" doc:"Of gtd"`
	PostOnly      string    `json:"postOnly,omitempty" enum:"reject,slide" doc:"Never takes: is rejected, or moves to a price where it does not"`
	PegTo         string    `json:"pegTo,omitempty" enum:"primary,mid"`
	SelfTrade     string    `json:"selfTrade,omitempty" enum:"none,cancel_taker,cancel_maker,cancel_both,decrement" doc:"cancel_taker where missing"`
	TakeProfit    string    `json:"takeProfit,omitempty" maxLength:"48" doc:"Bracket: where what was bought is sold, or the other way"`
	StopLoss      string    `json:"stopLoss,omitempty" maxLength:"48"`
	StopLossLimit string    `json:"stopLossLimit,omitempty" maxLength:"48"`
	Protected     bool      `json:"protected,omitempty" doc:"Counts for market-maker protection"`
}

func (n *NewOrder) order(clientID string) trading.NewOrder {
	return trading.NewOrder{
		ClientID: clientID, Market: n.Market, Side: n.Side, Type: trading.OrderType(n.Type), TimeInForce: n.TimeInForce,
		Price: n.Price, Quantity: n.Quantity, QuoteAmount: n.QuoteAmount, StopPrice: n.StopPrice, StopLimit: n.StopLimit,
		Offset: n.Offset, Display: n.Display, ExpiresAt: n.ExpiresAt, PostOnly: n.PostOnly, PegTo: n.PegTo, SelfTrade: n.SelfTrade,
		TakeProfit: n.TakeProfit, StopLoss: n.StopLoss, StopLossLimit: n.StopLossLimit, Protected: n.Protected,
	}
}

// OrderPath is the part of a path that names an order.
type OrderPath struct {
	ID string `path:"id" maxLength:"71" pattern:"^([1-9][0-9]{0,19}|client:[ -~]{1,64})$" patternDescription:"an order id, or client: and the client's own"`
}

type (
	newOrderInput struct {
		IdempotencyKey string `header:"Idempotency-Key" minLength:"1" maxLength:"64" pattern:"^[!-~]+$" patternDescription:"1 to 64 visible ASCII characters" doc:"Needed where the body has no clientOrderId, and is that then"`
		Body           NewOrder
	}
	newOrderOutput struct {
		Replayed string `header:"Idempotency-Replayed" doc:"true where the client id was used before: the order is the first one"`
		Body     Order
	}
	amendInput struct {
		OrderPath

		Body struct {
			Price    string `json:"price,omitempty" maxLength:"48"`
			Quantity string `json:"quantity,omitempty" maxLength:"48" doc:"That is to remain"`
			Display  string `json:"display,omitempty" maxLength:"48"`
		}
	}
	orderOutput    struct{ Body Order }
	cancelAllInput struct {
		Market string `query:"market" maxLength:"33" doc:"Of this market only"`
		Side   string `query:"side" enum:"buy,sell" doc:"Of this side only"`
	}
	cancelAllOutput struct {
		Body struct {
			Cancelled int `json:"cancelled" doc:"How many orders were cancelled"`
		}
	}
)

func (s *Server) routeOrders() {
	const tag = "Orders"
	register(s, operation("place-order", http.MethodPost, "/v1/orders", tag, "Place an order",
		"What covers it is reserved at once. The same client id again is answered with the first order, whatever else the request says. "+
			"A 503 leaves open whether it was taken: the same request again finds that out."), identity.Trade, s.placeOrder)
	register(s, operation("amend-order", http.MethodPatch, "/v1/orders/{id}", tag, "Change an order",
		"What is missing stays. Less quantity keeps the place in the queue; another price or more quantity loses it."), identity.Trade, s.amendOrder)
	op := operation("cancel-order", http.MethodDelete, "/v1/orders/{id}", tag, "Cancel an order", "Answered with the order as it ended.")
	op.DefaultStatus = http.StatusOK
	register(s, op, identity.Trade, func(ctx context.Context, in *OrderPath) (*orderOutput, error) {
		o, err := s.cfg.Trading.Orders.Cancel(ctx, principal(ctx).Customer, in.ID)
		if err != nil {
			return nil, err
		}
		return &orderOutput{orderOf(&o)}, nil
	})
	op = operation("cancel-orders", http.MethodDelete, "/v1/orders", tag, "Cancel all orders", "All that wait, or those of a market and side.")
	op.DefaultStatus = http.StatusOK
	register(s, op, identity.Trade, func(ctx context.Context, in *cancelAllInput) (*cancelAllOutput, error) {
		if err := s.marketFilter(in.Market); err != nil {
			return nil, err
		}
		n, err := s.cfg.Trading.Orders.CancelAll(ctx, principal(ctx).Customer, in.Market, in.Side)
		if err != nil {
			return nil, err
		}
		out := &cancelAllOutput{}
		out.Body.Cancelled = n
		return out, nil
	})
}

func (s *Server) placeOrder(ctx context.Context, in *newOrderInput) (*newOrderOutput, error) {
	p := principal(ctx)
	if err := mayTrade(p); err != nil {
		return nil, err
	}
	clientID := in.Body.ClientOrderID
	if clientID == "" {
		clientID = in.IdempotencyKey
	}
	if clientID == "" {
		const at = "header.Idempotency-Key"
		return nil, newProblem(codeInvalid, at+": is missing", FieldProblem{at, "is missing", "add it, or clientOrderId to the body"})
	}
	o, repeated, err := s.cfg.Trading.Orders.Place(ctx, p.Customer, in.Body.order(clientID))
	if err != nil {
		return nil, err
	}
	out := &newOrderOutput{Body: orderOf(&o)}
	if repeated {
		out.Replayed = "true"
	}
	return out, nil
}

func (s *Server) amendOrder(ctx context.Context, in *amendInput) (*orderOutput, error) {
	p := principal(ctx)
	if err := mayTrade(p); err != nil {
		return nil, err
	}
	b := &in.Body
	if b.Price == "" && b.Quantity == "" && b.Display == "" {
		return nil, newProblem(codeInvalid, "body: changes nothing", FieldProblem{"body", "changes nothing", "send price, quantity or display"})
	}
	o, err := s.cfg.Trading.Orders.Amend(ctx, p.Customer, in.ID, trading.Amendment{Price: b.Price, Quantity: b.Quantity, Display: b.Display})
	if err != nil {
		return nil, err
	}
	return &orderOutput{orderOf(&o)}, nil
}
