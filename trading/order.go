package trading

import (
	"time"

	"strongroom/money"
)

// OrderType is what an order does, as customers write it.
type OrderType string

// Types of orders; docs/matching.md says what each means.
const (
	TypeLimit       OrderType = "limit"
	TypeMarket      OrderType = "market"
	TypeMarketQuote OrderType = "market_quote"
	TypeStop        OrderType = "stop"
	TypeStopLimit   OrderType = "stop_limit"
	TypeTrailing    OrderType = "trailing"
	TypePeg         OrderType = "peg"
	TypeOCO         OrderType = "oco"
)

// NewOrder is an order as a customer asks for it. Prices are decimals of the quote asset
// for a whole of the base asset, quantities decimals of the base asset. What a type does
// not take must be empty.
type NewOrder struct {
	// ClientID names the order for ever within the shard's retention: the same again is
	// answered with the first result. 1 to 64 printable characters.
	ClientID      string
	Market        string // "BTC-USDC"
	Side          string // "buy" or "sell"
	Type          OrderType
	TimeInForce   string // "gtc" (where empty), "ioc", "fok", "gtd", "day"
	Price         string // limit, stop_limit, peg, oco: the limit
	Quantity      string
	QuoteAmount   string // market_quote
	StopPrice     string // stop, stop_limit, oco
	StopLimit     string // oco: the limit of its stop; a market order where empty
	Offset        string // trailing, peg; market and market_quote: the slippage
	Display       string // iceberg: what is shown
	ExpiresAt     time.Time
	PostOnly      string // "", "reject" or "slide"
	PegTo         string // peg: "primary" (where empty) or "mid"
	SelfTrade     string // "" (cancel_taker), "none", "cancel_taker", "cancel_maker", "cancel_both", "decrement"
	TakeProfit    string // bracket
	StopLoss      string
	StopLossLimit string
	// Protected counts for market-maker protection.
	Protected bool
}

// Amendment changes an order; what is empty stays.
type Amendment struct{ Price, Quantity, Display string }

// OrderState is how far an order has come.
type OrderState string

// States of orders. Those after OrderOpen have ended.
const (
	OrderWaiting   OrderState = "waiting"   // a stop or trailing stop that was not triggered, a peg that is not seen
	OrderOpen      OrderState = "open"      // in the book
	OrderFilled    OrderState = "filled"    // all of it
	OrderCancelled OrderState = "cancelled" // with what was filled before
	OrderRejected  OrderState = "rejected"
	OrderEnded     OrderState = "ended" // while nobody kept what happened: how is not known
)

// Order is an order as its owner sees it. Quantities are decimals of the base asset.
type Order struct {
	ID        string // decimal number, unique in its shard
	ClientID  string // empty where it had none, or a digest of it is all that is known
	Customer  string
	Market    string
	Side      string
	Type      OrderType
	State     OrderState
	Reason    string // why it was cancelled or rejected: the engine's code
	Price     string // where it stands, else its limit; empty for none
	StopPrice string
	Quantity  string // as it came; empty where that is no longer known
	Remaining string
	Filled    string
	Turnover  string // what was traded in all, in the quote asset
	Sibling   string // the other half of an OCO
	ExpiresAt time.Time
	CreatedAt time.Time
	UpdatedAt time.Time
	Seq       uint64 // the shard's event behind which this holds
}

// Fill is one trade of one order.
type Fill struct {
	Seq      uint64 // the trade's event
	Market   string
	Customer string
	OrderID  string
	Side     string
	Maker    bool
	Price    string
	Quantity string
	Turnover string // in the quote asset
	Fee      string
	FeeAsset string
	Time     time.Time
}

// Balance is what a customer may trade with.
type Balance struct {
	Asset     string
	Available money.Units
	Reserved  money.Units // by open orders
}

// Update is what an owner is told. Exactly one of the first three is set; Reset says that
// something was lost, so that open orders and balances are to be read again.
type Update struct {
	Seq      uint64
	Order    *Order
	Fill     *Fill
	Balances []Balance // of the assets that changed
	Reset    bool
}

// Refusal is why an order, an amendment or a cancel was not accepted. Nothing was done.
type Refusal struct { //nolint:errname // callers say that something was refused, and why
	Code  string // stable, in snake case: the engine's code or one of ours
	Field string // of the request: "price", "quantity"; empty where no one field is to blame
	Text  string
	Fix   string
}

// Error says what is wrong and what would do.
func (r *Refusal) Error() string {
	if r.Fix == "" {
		return r.Text
	}
	return r.Text + "; " + r.Fix
}
