package engine

// Ids are dense and given by whoever writes commands: a shard has few of each.
type (
	// AssetID names an asset of the shard, from 0.
	AssetID uint16
	// MarketID names a market of the shard, from 0.
	MarketID uint16
	// AccountID names an account of the shard, from 0. Account 0 is the house: it
	// receives fees and places no orders.
	AccountID uint32
	// OrderID is what the engine calls an order: the place of its row, from 1, in the low 32
	// bits, how often that place was used before in the high ones. Zero is no order.
	OrderID uint64
	// SessionID is the connection an order came by, where it ends with it.
	SessionID uint32
)

// Key is a 128-bit id that somebody else chose: a client's for an order, the
// ledger's for a transfer. Zero is none.
type Key struct{ Hi, Lo uint64 }

// Op is what a command asks for.
type Op uint8

// Operations. The fields of Command that each reads are named behind it; all others
// must be zero.
const (
	OpNone       Op = iota
	OpTime          // nothing but Time: what is due happens
	OpCredit        // Account, Asset, Amount, Key
	OpDebit         // Account, Asset, Amount, Key
	OpAccount       // Account, Tier, Group: makes an account or changes it
	OpNew           // an order: Market, Account, Key, Session and the order's fields
	OpAmend         // Market, Account, Order or Key, Price, Qty, Display; zero leaves as it is
	OpCancel        // Market, Account, Order or Key
	OpMassCancel    // Account; Market and Side where Scope says so
	OpKill          // Account: the kill switch
	OpRevive        // Account: lifts it
	OpDisconnect    // Session
	OpProtection    // Market, Account, Window, Qty, Count: market-maker protection; resets it
	OpState         // Market, State, Until: a market's state; for an auction or halt its end; Closing
	OpMarket        // Market: makes or changes it by the configuration given beside
	OpCheckpoint    // asks for an event with the digest of the whole state
)

// Side of an order.
type Side uint8

// Sides.
const (
	Buy Side = iota
	Sell
)

// Type of an order.
type Type uint8

// Types of orders.
const (
	Limit Type = iota
	Market
	MarketQuote // by quote amount
	Stop
	StopLimit
	Trailing
	Peg
	OCO
)

// TimeInForce says how long an order may wait.
type TimeInForce uint8

// Times in force.
const (
	GTC TimeInForce = iota
	IOC
	FOK
	GTD
	DAY
)

// STP is what happens to orders of one group that would trade with each other; the
// taker's counts.
type STP uint8

// Modes of self-trade prevention.
const (
	STPNone STP = iota
	STPCancelTaker
	STPCancelMaker
	STPCancelBoth
	STPDecrement
)

// Flags of an order.
type Flags uint16

// Flags.
const (
	PostOnly     Flags = 1 << iota // rejected where it would trade
	Slide                          // with PostOnly: placed one tick behind instead
	MMP                            // counts for market-maker protection and is cancelled by it
	OnDisconnect                   // is cancelled when its session ends
	PegMid                         // Peg: follows the middle instead of its own side
	Bracket                        // TakeProfit, StopLoss, StopLossLimit are set
	ScopeMarket                    // OpMassCancel: of Market only
	ScopeSide                      // OpMassCancel: of Side only
	Closing                        // OpState: the auction ends in Closed
)

// Command is one step of the engine. It has a fixed size and no pointer, so that it
// can lie in a ring, in a log record and in a frame as it is.
type Command struct {
	Time    int64 // log time, ns since 1970; never goes back
	Key     Key
	Order   OrderID
	Price   int64 // ticks; the limit
	Qty     int64 // lots
	Display int64 // lots shown of an iceberg; zero for all
	Trigger int64 // ticks: the price of a stop, of the stop of an OCO
	// TriggerLimit is the limit of an OCO's stop in ticks; zero for a market order
	// with the market's bound.
	TriggerLimit int64
	Offset       int64 // ticks: of a trailing stop or a peg; a market order's slippage
	Expires      int64 // log time of the end of GTD
	// What a bracket places when its order has ended, in ticks.
	TakeProfit, StopLoss, StopLossLimit int64
	Amount                              Amount // of a transfer; the quote amount of MarketQuote
	Until                               int64  // OpState: the end of an auction, log time
	Window                              int64  // OpProtection, ns
	Count                               uint32 // OpProtection: trades
	Account                             AccountID
	Session                             SessionID
	Group                               uint32 // OpAccount: of self-trade prevention; zero for none
	Market                              MarketID
	Asset                               AssetID
	Flags                               Flags
	Tier                                uint8
	Op                                  Op
	Side                                Side
	Type                                Type
	TIF                                 TimeInForce
	STP                                 STP
	State                               State
}
