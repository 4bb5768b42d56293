package trading

// Terms describe a market in the file of markets (JSON, a list). All numbers are decimals
// in wholes of their asset.
type Terms struct {
	Name        string `json:"name"` // "BTC-USDC"
	ID          uint16 `json:"id"`   // in the shard; never given to another market
	Base        string `json:"base"`
	Quote       string `json:"quote"`
	Tick        string `json:"tick"` // of the price
	Lot         string `json:"lot"`  // of the quantity
	MinQuantity string `json:"minQuantity"`
	MaxQuantity string `json:"maxQuantity"`
	MinNotional string `json:"minNotional,omitempty"`
	MaxNotional string `json:"maxNotional,omitempty"`
	// LowPrice and HighPrice bound prices; empty for none.
	LowPrice  string `json:"lowPrice,omitempty"`
	HighPrice string `json:"highPrice,omitempty"`
	Reference string `json:"reference,omitempty"` // the first last price
	// Rates are parts per million.
	DynamicBandPPM uint32 `json:"dynamicBandPpm,omitempty"`
	BreakerPPM     uint32 `json:"breakerPpm,omitempty"`
	BreakerWindow  string `json:"breakerWindow,omitempty"` // "5m"
	HaltFor        string `json:"haltFor,omitempty"`       // "30s"
	MaxSlippage    string `json:"maxSlippage"`             // a difference of prices
	DayEnd         string `json:"dayEnd,omitempty"`        // after midnight UTC: "0s"
	MaxOrders      uint32 `json:"maxOrders"`
	MaxPegs        uint32 `json:"maxPegs,omitempty"`
	MaxTrailing    uint32 `json:"maxTrailing,omitempty"`
	// Tiers are the fees of accounts, by tier from 0.
	Tiers []FeeTier `json:"tiers"`
}

// FeeTier is what a side pays of what it receives, in parts per million.
type FeeTier struct {
	MakerPPM uint32 `json:"makerPpm"`
	TakerPPM uint32 `json:"takerPpm"`
}
