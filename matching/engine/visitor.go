package engine

// Visitor is shown the whole state of a shard by Walk, row by row, in one defined
// order: the clock; each market by id, and behind it its orders: bids best first, asks
// best first, each price in queue order; stops that buy (lowest trigger first), stops
// that sell (highest first), each trigger in queue order, trailing ones among them;
// unseen pegs by id. Then accounts by id, each followed by its guards by market; the
// balances that are not zero by account and asset; client ids in order of time;
// transfers in order of time. Two engines whose walks are equal answer every later
// command equally.
type Visitor interface {
	// State shows the clock, a market or an account.
	State(row *StateRow)
	// Order shows an order that waits.
	Order(row *OrderRow)
	// Money shows a balance, a transfer or a client id.
	Money(row *MoneyRow)
}

// RowKind says which fields of a row are filled; the others are zero.
type RowKind uint8

// Kinds of rows. The fields that each fills are named behind it.
const (
	RowClock    RowKind = iota + 1 // StateRow: Time, Seq (of the last event), Ages (given so far)
	RowMarket                      // StateRow: Market, Config, State, Next, Time (until), Last, Reference, Traded, Start, First, Waiting
	RowAccount                     // StateRow: Account, Tier, Group, Killed
	RowGuard                       // StateRow: Account, Market, Window, MaxLots, MaxTrades, Start, Lots, Trades, Tripped
	RowBalance                     // MoneyRow: Account, Asset, Available, Reserved
	RowKey                         // MoneyRow: Account, Key, Order, Time
	RowTransfer                    // MoneyRow: Account, Asset, Key, Amount, Available (of the answer), Code
)

// StateRow is the clock, a market, an account or a guard of market-maker protection.
type StateRow struct {
	Kind    RowKind
	Market  MarketID
	Account AccountID
	Config  MarketConfig
	State   State
	Next    State  // auction: what follows it
	Time    int64  // clock; market: when its auction or halt ends, zero for never
	Seq     uint64 // of the last event
	Ages    uint64 // how many orders were accepted so far
	Last    int64  // price of the last trade, or what counts as such; zero for none
	// Reference is the centre of the dynamic band; zero for none.
	Reference int64
	Traded    bool  // has ever traded
	Start     int64 // when the window of the breaker or the guard began
	First     int64 // price of the first trade in the window; zero while none runs
	// Waiting counts the orders of a market as MaxOrders does.
	Waiting   uint32
	Tier      uint8
	Group     uint32
	Killed    bool
	Window    int64
	MaxLots   int64
	MaxTrades uint32
	Lots      int64
	Trades    uint32
	Tripped   bool
}

// OrderRow is an order that waits in a book, as a stop, or as an unseen peg.
type OrderRow struct {
	Order   OrderID
	Age     uint64 // 1 for the first that was accepted; a smaller one is older
	Key     Key
	Account AccountID
	Market  MarketID
	Side    Side
	Type    Type  // Limit for all that stand in the book as such, Peg, Stop, StopLimit, Trailing
	STP     STP   //
	Flags   Flags // PostOnly, Slide, MMP, OnDisconnect, PegMid, Bracket
	// Price is where it stands in the book; zero for stops and unseen pegs.
	Price int64
	// Limit is of a peg, or what a stop will have (with a bound from its trigger:
	// that bound, at this moment); zero for others.
	Limit   int64
	Trigger int64 // of a stop, now
	Qty     int64 // what remains, hidden lots too
	Shown   int64 // zero for stops and unseen pegs
	Display int64 // of an iceberg; zero for others
	Offset  int64 // of a peg or a trailing stop
	// Hold is the price in ticks at which a buy reserves, zero for a sell. The stop of
	// an OCO reserves nothing, its sibling does: zero.
	Hold    int64
	Expires int64   // zero for never
	Sibling OrderID // the other half of an OCO
	Session SessionID
	// Of a bracket, as given; and what it has bought (less fees) or sold so far, in
	// base units.
	TakeProfit, StopLoss, StopLossLimit int64
	Received                            Amount
}

// MoneyRow is a balance, a client id that is kept or a transfer id.
type MoneyRow struct {
	Kind      RowKind
	Account   AccountID
	Asset     AssetID
	Key       Key
	Order     OrderID
	Time      int64
	Amount    Amount
	Available Amount
	Reserved  Amount
	Code      Code
}
