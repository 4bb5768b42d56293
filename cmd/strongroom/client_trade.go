package main

import (
	"fmt"
	"net/http"
	"net/url"

	"strongroom/api/client"
	"strongroom/internal/id"
)

// tradeCommands are those that trade as a key of a customer.
type tradeCommands struct {
	Orders    ordersCommand    `cmd:"" help:"Place, list and cancel orders." group:"Client"`
	Transfers transfersCommand `cmd:"" help:"Move money between funding and trading." group:"Client"`
}

type ordersCommand struct {
	List   listOrdersCommand  `cmd:"" default:"withargs" help:"List orders."`
	Place  placeOrderCommand  `cmd:"" help:"Place an order."`
	Cancel cancelOrderCommand `cmd:"" help:"Cancel an order, or all that wait."`
}

type listOrdersCommand struct {
	apiFlags

	Market string `help:"Of this market only." placeholder:"MARKET"`
	State  string `help:"open, closed, or all." enum:"open,closed,all" default:"open"`
}

// Run lists orders.
func (c *listOrdersCommand) Run(e *env) error {
	query := url.Values{}
	if c.Market != "" {
		query.Set("market", c.Market)
	}
	if c.State != "all" {
		query.Set("state", c.State)
	}
	return c.ask(e, customerFile(c.Dir), http.MethodGet, withQuery("/v1/orders", query), nil)
}

func withQuery(path string, query url.Values) string {
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

type placeOrderCommand struct {
	apiFlags

	Market      string `arg:"" help:"Market, such as BTC-USDC."`
	Side        string `arg:"" help:"buy or sell." enum:"buy,sell"`
	Quantity    string `arg:"" help:"Decimal quantity of the base asset."`
	Price       string `help:"Limit; a market order where empty." placeholder:"PRICE"`
	Type        string `help:"Type of the order. Default: limit where there is a price, else market." placeholder:"TYPE"`
	StopPrice   string `help:"Where a stop triggers." placeholder:"PRICE"`
	Offset      string `help:"Of trailing and peg; of market the slippage." placeholder:"PRICE"`
	Display     string `help:"Iceberg: what is shown." placeholder:"QUANTITY"`
	TimeInForce string `help:"gtc, ioc, fok or day." enum:",gtc,ioc,fok,day" default:"" placeholder:"TIF"`
	PostOnly    string `help:"reject or slide: never take." enum:",reject,slide" default:"" placeholder:"HOW"`
	ClientID    string `name:"client-id" help:"Repeat an order with its client id; a new one where empty." placeholder:"ID"`
}

// Run places the order. The client id is said first: whoever does not see the answer can
// ask again with it, and has one order.
func (c *placeOrderCommand) Run(e *env) error {
	if c.ClientID == "" {
		c.ClientID = id.New("cli")
	}
	_, _ = fmt.Fprintf(e.err, "client id %s\n", c.ClientID)
	body := map[string]string{"clientOrderId": c.ClientID, "market": c.Market, "side": c.Side, "type": c.kind(), "quantity": c.Quantity}
	for name, text := range map[string]string{
		"price": c.Price, "stopPrice": c.StopPrice, "offset": c.Offset, "display": c.Display, "timeInForce": c.TimeInForce, "postOnly": c.PostOnly,
	} {
		if text != "" {
			body[name] = text
		}
	}
	return c.ask(e, customerFile(c.Dir), http.MethodPost, "/v1/orders", body)
}

func (c *placeOrderCommand) kind() string {
	switch {
	case c.Type != "":
		return c.Type
	case c.Price != "":
		return "limit"
	}
	return "market"
}

type cancelOrderCommand struct {
	apiFlags

	ID     string `arg:"" optional:"" help:"Order id, or client: and the client's own."`
	All    bool   `help:"All that wait."`
	Market string `help:"With --all: of this market only." placeholder:"MARKET"`
	Side   string `help:"With --all: buy or sell." enum:",buy,sell" default:"" placeholder:"SIDE"`
}

// Run cancels.
func (c *cancelOrderCommand) Run(e *env) error {
	if c.All == (c.ID != "") || !c.All && (c.Market != "" || c.Side != "") {
		return fmt.Errorf("%w: give an order's id, or --all with --market and --side where wanted", errUsage)
	}
	if !c.All {
		return c.ask(e, customerFile(c.Dir), http.MethodDelete, "/v1/orders/"+url.PathEscape(c.ID), nil)
	}
	query := url.Values{}
	for name, text := range map[string]string{"market": c.Market, "side": c.Side} {
		if text != "" {
			query.Set(name, text)
		}
	}
	return c.ask(e, customerFile(c.Dir), http.MethodDelete, withQuery("/v1/orders", query), nil)
}

type transfersCommand struct {
	List   listTransfersCommand  `cmd:"" default:"withargs" help:"List transfers, newest first."`
	Create createTransferCommand `cmd:"" help:"Move money to trading or back."`
}

type listTransfersCommand struct{ apiFlags }

// Run lists transfers.
func (c *listTransfersCommand) Run(e *env) error {
	return c.ask(e, customerFile(c.Dir), http.MethodGet, "/v1/transfers", nil)
}

type createTransferCommand struct {
	apiFlags

	Asset          string `arg:"" help:"Asset code, such as BTC."`
	Amount         string `arg:"" help:"Decimal amount."`
	Direction      string `arg:"" help:"to-trading or to-funding." enum:"to-trading,to-funding"`
	IdempotencyKey string `help:"Repeat a request with its key; a new one where empty." placeholder:"KEY"`
}

// Run asks for the transfer. The key is said first: whoever does not see the answer can
// ask again with it, and moves the money once.
func (c *createTransferCommand) Run(e *env) error {
	if c.IdempotencyKey == "" {
		c.IdempotencyKey = id.New("cli")
	}
	_, _ = fmt.Fprintf(e.err, "idempotency key %s\n", c.IdempotencyKey)
	direction := map[string]string{"to-trading": "to_trading", "to-funding": "to_funding"}[c.Direction]
	return c.ask(e, customerFile(c.Dir), http.MethodPost, "/v1/transfers",
		map[string]string{"asset": c.Asset, "amount": c.Amount, "direction": direction}, client.IdempotencyKey(c.IdempotencyKey))
}
