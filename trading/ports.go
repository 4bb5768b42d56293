package trading

import (
	"context"
	"time"

	"strongroom/feed"
	"strongroom/money"
)

// What front doors need of trading. Errors for a caller's mistake are *Refusal; ErrNotFound
// and ErrUnavailable are below; all others are ours.

// Orders takes orders; package trading/desk is one.
type Orders interface {
	// Place gives an order in. repeated tells that the client id was used before, and the
	// order is the first one's. Where the outcome is unknown, ErrUnavailable: the same
	// request again finds it out.
	Place(ctx context.Context, customer string, o NewOrder) (order Order, repeated bool, err error)
	Amend(ctx context.Context, customer, id string, a Amendment) (Order, error)
	// Cancel is answered with the order as it ended.
	Cancel(ctx context.Context, customer, id string) (Order, error)
	// CancelAll cancels all open orders, of one market and side where they are given, and
	// tells how many.
	CancelAll(ctx context.Context, customer, market, side string) (int, error)
	// Open returns the orders that wait, oldest first, of one market where it is given.
	Open(ctx context.Context, customer, market string) (list []Order, seq uint64, err error)
	// Balances returns what a customer may trade with, by asset code.
	Balances(ctx context.Context, customer string) (list []Balance, seq uint64, err error)
	// Watch tells what happens to a customer's orders and balances from now on, until ctx
	// ends. The channel is closed where the reader is too slow, or when ctx ends.
	Watch(ctx context.Context, customer string) (<-chan Update, error)
}

// LogQuery asks for a page of what was, newest first.
type LogQuery struct {
	Customer string
	Market   string // empty for all
	OrderID  string // empty for all; of fills only
	Cursor   string // empty for the newest
	Limit    int
}

// Log reads orders and fills that were; package trading/blotter is one. It lags behind
// the shard by moments.
type Log interface {
	// Order returns one order, ErrNotFound where the customer has none of that id.
	Order(ctx context.Context, customer, id string) (Order, error)
	// OrderByClientID returns the newest of that client id.
	OrderByClientID(ctx context.Context, customer, clientID string) (Order, error)
	Orders(ctx context.Context, q LogQuery) (list []Order, next string, err error)
	Fills(ctx context.Context, q LogQuery) (list []Fill, next string, err error)
}

// MarketData is what everybody may see; package feed/live is one.
type MarketData interface {
	// Feed returns a market's live data, nil where there is no such market.
	Feed(market string) *feed.Market
	// Candles returns up to limit candles that begin in [from, to), oldest first. The
	// newest may still change.
	Candles(ctx context.Context, market string, interval feed.Interval, from, to time.Time, limit int) ([]feed.Candle, error)
	// Behind is how old the newest news of the shard are, and whether it is heard at all.
	Behind() (age time.Duration, live bool)
}

// Direction of a transfer between funding and trading.
type Direction string

// Directions.
const (
	ToTrading Direction = "to_trading"
	ToFunding Direction = "to_funding"
)

// TransferState is how far a transfer has come.
type TransferState string

// States of transfers.
const (
	TransferPending TransferState = "pending"
	TransferDone    TransferState = "done"
	TransferRefused TransferState = "refused" // and what was booked is back
)

// Transfer is a move of a customer's money between funding and trading.
type Transfer struct {
	ID        string // fnd_…
	Customer  string
	Asset     string
	Amount    money.Units
	Direction Direction
	State     TransferState
	Reason    string // of a refusal
	CreatedAt time.Time
}

// NewTransfer asks for one. The same customer and key always mean the same transfer.
type NewTransfer struct {
	Customer, Key, Asset string
	Amount               money.Units
	Direction            Direction
}

// Transfers moves money between the sub-accounts; package trading/funding is one.
type Transfers interface {
	// CreateTransfer takes a transfer; a workflow carries it out. repeated tells that it
	// was taken before; other content under the key is ErrIdempotency. Money that is not
	// there is ledger.ErrInsufficient inward; outward the workflow finds out.
	CreateTransfer(ctx context.Context, n NewTransfer) (t Transfer, repeated bool, err error)
	Transfer(ctx context.Context, customer, id string) (Transfer, error)
	Transfers(ctx context.Context, customer, cursor string, limit int) (list []Transfer, next string, err error)
	// Await returns the transfer once it has ended, or as it is when ctx ends.
	Await(ctx context.Context, customer, id string) (Transfer, error)
	// Preference tells whether deposits flow on to trading by themselves.
	Preference(ctx context.Context, customer string) (depositsToTrading bool, err error)
	SetPreference(ctx context.Context, customer string, depositsToTrading bool) error
}

// TransferNews is what an owner is told of transfers: one that has ended, or that ends may
// have been missed, so that transfers are to be read again.
type TransferNews struct {
	Transfer *Transfer
	Lost     bool
}

// Endings tells owners when their transfers end; package trading/funding has one.
type Endings interface {
	// Watch tells of a customer's transfers that end from now on, until ctx ends. The
	// channel is closed where the reader is too slow, or when ctx ends.
	Watch(ctx context.Context, customer string) (<-chan TransferNews, error)
}
