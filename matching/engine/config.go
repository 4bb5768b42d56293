package engine

// State of a market.
type State uint8

// States.
const (
	Closed State = iota
	Auction
	Open
	PostOnlyState
	CancelOnly
	Halted
)

// Tiers is how many fee tiers a market has.
const Tiers = 8

// Fees are rates in parts per million of what a side receives.
type Fees struct{ Maker, Taker uint32 }

// MarketConfig says what is traded and by which rules. Prices are ticks, quantities
// lots, times ns.
type MarketConfig struct {
	Base, Quote AssetID
	// LotUnits is how many base units of Base a lot is; TickUnits how many of Quote
	// a lot costs per tick.
	LotUnits, TickUnits   uint64
	MinQty, MaxQty        int64  // MaxQty at most MaxLots
	MinNotional           Amount // in base units of Quote; of limit price times quantity
	MaxNotional           Amount // zero for none
	StaticLow, StaticHigh int64  // zero for none
	DynamicPPM            uint32 // zero for none
	BreakerPPM            uint32 // zero for none
	BreakerWindow         int64
	HaltFor               int64
	MaxSlippage           int64  // ticks
	Reference             int64  // ticks: what counts as last price before the first trade; zero for none
	DayEnd                int64  // ns after midnight UTC at which DAY orders end
	MaxOrders             uint32 // orders that may wait in this market, stops and pegs counted
	MaxPegs               uint32
	MaxTrailing           uint32
	Tiers                 [Tiers]Fees
}

// MaxLots bounds MarketConfig.MaxQty, and MaxRows Config.Orders, so that no sum of
// quantities passes an int64.
const (
	MaxLots = 1 << 40
	MaxRows = 1 << 22
)

// PPM is the whole of a rate in parts per million: no rate is greater, that of DynamicPPM and BreakerPPM apart.
const PPM = 1_000_000

// Config bounds a shard.
type Config struct {
	// Orders is how many orders may wait in all markets together; rows for them are
	// made at once. At most MaxRows.
	Orders uint32
	// Pages is how many pages of PageTicks neighbouring prices books and stops may take,
	// 2 KiB each; zero for as many as there are orders. See room.
	Pages uint32
	// Accounts and Assets and Markets bound their ids.
	Accounts uint32
	Assets   uint16
	Markets  uint16
	// Keys is how many client ids are kept, and Retention for how long at least.
	Keys      uint32
	Retention int64
	// Transfers is how many transfer ids are kept. They are never forgotten: a
	// shard that has used them up refuses transfers.
	Transfers uint32
}
