package naive

import (
	"math/big"

	"strongroom/matching/engine"
)

// order is all that is known of an order that came in and has not ended.
type order struct {
	id      engine.OrderID
	key     engine.Key
	age     uint64 // order of acceptance
	market  *market
	account *account
	session engine.SessionID
	flags   engine.Flags
	side    engine.Side
	typ     engine.Type
	tif     engine.TimeInForce
	stp     engine.STP

	limit   int64 // what it reserves at
	qty     int64 // what remains; a sale by quote amount: what it may still sell
	display int64
	trigger int64
	offset  int64    // of a trailing stop or peg; else the slippage
	quote   *big.Int // by quote amount: what remains
	expires int64    // zero: never

	inBook bool
	at     int64 // price at which it stands in the book
	shown  int64
	queued uint64 // who came first to a price

	sibling  *order // the other half of an OCO
	reserved *big.Int
	filled   int64
	feeBase  *big.Int // fees paid in the base asset

	takeProfit, stopLoss, stopLossLimit int64

	bare  bool // ends without a bracket
	ended bool
	lost  int64 // by the decrement that ended it
}

// waitsForPrice reports whether o is a stop that has not triggered.
func (o *order) waitsForPrice() bool { return o.trigger != 0 && !o.ended }

func (o *order) isPeg() bool { return o.typ == engine.Peg }

// isLimit reports whether o stands in the book as a limit order does.
func (o *order) isLimit() bool { return o.inBook && !o.isPeg() }

// rows is how many rows o keeps from others: a bracket keeps one back.
func (o *order) rows() int {
	if o.flags&engine.Bracket != 0 {
		return 2
	}
	return 1
}

// mayRest reports whether what does not trade at once may wait.
func (o *order) mayRest() bool {
	return o.typ != engine.Market && o.typ != engine.MarketQuote && o.tif != engine.IOC && o.tif != engine.FOK
}

// needs is what o must have reserved.
func (o *order) needs() *big.Int {
	if o.ended {
		return whole(0)
	}
	need := o.needsAlone()
	if o.sibling != nil && o.waitsForPrice() { // the limit order holds the rest
		need = minus(need, o.sibling.needsAlone())
		if need.Sign() < 0 {
			return whole(0)
		}
	}
	return need
}

func (o *order) needsAlone() *big.Int {
	switch {
	case o.side == engine.Sell:
		return o.market.base(o.qty)
	case o.quote != nil:
		return o.quote
	default:
		return o.market.quote(o.limit, o.qty)
	}
}

// pays is the asset that o spends.
func (o *order) pays() engine.AssetID {
	if o.side == engine.Sell {
		return o.market.cfg.Base
	}
	return o.market.cfg.Quote
}

type account struct {
	id     engine.AccountID
	tier   uint8
	group  uint32
	killed bool
}

// together reports whether self-trade prevention counts a and b as one.
func (a *account) together(b *account) bool {
	return a == b || a.group != 0 && a.group == b.group
}

type protection struct {
	window    int64
	maxLots   int64
	maxTrades uint32

	running   bool // a window has begun
	began     int64
	lots      *big.Int
	trades    uint32
	protected bool
}

type ended struct {
	order *order
	lots  *big.Int
}

type market struct {
	id        engine.MarketID
	cfg       engine.MarketConfig
	state     engine.State
	next      engine.State // what follows an auction
	until     int64
	traded    bool  // there was a first trade
	last      int64 // price of the last trade
	reference int64 // of the dynamic band

	windowOpen  bool // of the breaker
	windowBegan int64
	windowFirst int64

	guards map[engine.AccountID]*protection

	// Of the step that is running.
	reached []*account
	parents []ended
}

type balance struct{ available, reserved *big.Int }

type holding struct {
	account engine.AccountID
	asset   engine.AssetID
}

type clientKey struct {
	account engine.AccountID
	key     engine.Key
	time    int64
	order   engine.OrderID
}

type transfer struct {
	key               engine.Key
	code              engine.Code
	account           engine.AccountID
	asset             engine.AssetID
	amount, available engine.Amount
}
