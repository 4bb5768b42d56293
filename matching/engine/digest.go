package engine

import "math/bits"

// Digester is a Visitor that hashes what it is shown. It is a check against damage and
// disagreement, not against somebody who looks for two states with one digest. The zero
// value is ready.
type Digester struct{ sum, count uint64 }

// Odd numbers with evenly spread bits: the multipliers of the rounds.
const (
	roundA = 0x9E3779B185EBCA87
	roundB = 0xC2B2AE3D27D4EB4F
	roundC = 0x165667B19E3779F9
)

// Sum returns the digest of all that was shown so far.
func (d *Digester) Sum() uint64 {
	h := d.sum ^ d.count*roundC
	h = (h ^ h>>33) * roundB
	h = (h ^ h>>29) * roundC
	return h ^ h>>32
}

// words takes words in, in order.
func (d *Digester) words(ws ...uint64) {
	h := d.sum
	for _, w := range ws {
		h = bits.RotateLeft64(h^bits.RotateLeft64(w*roundB, 31)*roundA, 27)*roundA + roundC
	}
	d.sum = h
	d.count += uint64(len(ws))
}

// State implements Visitor.
func (d *Digester) State(r *StateRow) {
	d.words(uint64(r.Kind)|uint64(r.Market)<<8|uint64(r.State)<<24|uint64(r.Next)<<32|uint64(r.Tier)<<40|
		word(r.Traded)<<48|word(r.Killed)<<49|word(r.Tripped)<<50,
		uint64(r.Account)|uint64(r.Group)<<32, uint64(r.Time), r.Seq, r.Ages, uint64(r.Last), uint64(r.Reference),
		uint64(r.Start), uint64(r.First), uint64(r.Waiting)|uint64(r.MaxTrades)<<32,
		uint64(r.Window), uint64(r.MaxLots), uint64(r.Lots), uint64(r.Trades))
	if r.Kind == RowMarket {
		d.config(&r.Config)
	}
}

func (d *Digester) config(c *MarketConfig) {
	d.words(uint64(c.Base)|uint64(c.Quote)<<16, c.LotUnits, c.TickUnits, uint64(c.MinQty), uint64(c.MaxQty),
		c.MinNotional.Hi, c.MinNotional.Lo, c.MaxNotional.Hi, c.MaxNotional.Lo, uint64(c.StaticLow), uint64(c.StaticHigh),
		uint64(c.DynamicPPM)|uint64(c.BreakerPPM)<<32, uint64(c.BreakerWindow), uint64(c.HaltFor), uint64(c.MaxSlippage),
		uint64(c.Reference), uint64(c.DayEnd), uint64(c.MaxOrders)|uint64(c.MaxPegs)<<32, uint64(c.MaxTrailing))
	for _, f := range c.Tiers {
		d.words(uint64(f.Maker) | uint64(f.Taker)<<32)
	}
}

// Order implements Visitor.
func (d *Digester) Order(r *OrderRow) {
	d.words(uint64(r.Order), r.Age, r.Key.Hi, r.Key.Lo, uint64(r.Account)|uint64(r.Session)<<32,
		uint64(r.Market)|uint64(r.Side)<<16|uint64(r.Type)<<24|uint64(r.STP)<<32|uint64(r.Flags)<<40,
		uint64(r.Price), uint64(r.Limit), uint64(r.Trigger), uint64(r.Qty), uint64(r.Shown), uint64(r.Display),
		uint64(r.Offset), uint64(r.Hold), uint64(r.Expires), uint64(r.Sibling),
		uint64(r.TakeProfit), uint64(r.StopLoss), uint64(r.StopLossLimit), r.Received.Hi, r.Received.Lo)
}

// Money implements Visitor.
func (d *Digester) Money(r *MoneyRow) {
	d.words(uint64(r.Kind)|uint64(r.Asset)<<8|uint64(r.Code)<<24|uint64(r.Account)<<32, r.Key.Hi, r.Key.Lo,
		uint64(r.Order), uint64(r.Time), r.Amount.Hi, r.Amount.Lo, r.Available.Hi, r.Available.Lo, r.Reserved.Hi, r.Reserved.Lo)
}

func word(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
