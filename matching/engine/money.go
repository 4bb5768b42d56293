package engine

import "math/bits"

// balance is what an account has of an asset.
type balance struct{ available, reserved Amount }

// add and sub are for sums that are known to fit: all of an asset together does.
func (a *Amount) add(b Amount) {
	var c uint64
	a.Lo, c = bits.Add64(a.Lo, b.Lo, 0)
	a.Hi, _ = bits.Add64(a.Hi, b.Hi, c)
}

func (a *Amount) sub(b Amount) {
	var c uint64
	a.Lo, c = bits.Sub64(a.Lo, b.Lo, 0)
	a.Hi, _ = bits.Sub64(a.Hi, b.Hi, c)
}

// lotsOf returns q lots in base units.
func lotsOf(q int64, unit uint64) Amount {
	hi, lo := bits.Mul64(uint64(q), unit)
	return Amount{hi, lo}
}

// costOf returns price·q·unit; ok is false where that does not fit.
func costOf(price, q int64, unit uint64) (cost Amount, ok bool) {
	hi, lo := bits.Mul64(uint64(price), uint64(q))
	top, low := bits.Mul64(lo, unit)
	if hi == 0 {
		return Amount{top, low}, true
	}
	over, mid := bits.Mul64(hi, unit)
	sum, carry := bits.Add64(mid, top, 0)
	return Amount{sum, low}, over|carry == 0
}

// feeOf returns ppm parts per million of a, rounded up.
func feeOf(a Amount, ppm uint32) Amount {
	if ppm == 0 {
		return Amount{}
	}
	if hi, lo := bits.Mul64(a.Lo, uint64(ppm)); a.Hi|hi == 0 && lo <= ^uint64(0)-(PPM-1) {
		return Amount{0, (lo + PPM - 1) / PPM}
	}
	q, r := a.div(PPM)
	over, low := bits.Mul64(q.Lo, uint64(ppm))
	fee := Amount{q.Hi*uint64(ppm) + over, low}
	fee.add(Amount{0, (r*uint64(ppm) + PPM - 1) / PPM})
	return fee
}

// div divides by a number of 64 bits.
func (a Amount) div(by uint64) (quo Amount, rem uint64) {
	quo.Hi, rem = a.Hi/by, a.Hi%by
	quo.Lo, rem = bits.Div64(rem, a.Lo, by)
	return quo, rem
}

// over returns how often by fits into a, at most bound, and whether something is left.
func (a Amount) over(by Amount, bound int64) (times int64, rest bool) {
	if by.IsZero() {
		return bound, false
	}
	if by.Hi == 0 {
		q, r := a.div(by.Lo)
		if q.Hi != 0 || q.Lo > uint64(bound) {
			return bound, true
		}
		return int64(q.Lo), r != 0
	}
	lo, hi := int64(0), bound
	for lo < hi {
		mid := lo + (hi-lo+1)/2
		if p, ok := by.times(uint64(mid)); ok && !a.Less(p) {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	p, _ := by.times(uint64(lo))
	return lo, p != a
}

func (a Amount) times(n uint64) (Amount, bool) {
	over, hi := bits.Mul64(a.Hi, n)
	top, lo := bits.Mul64(a.Lo, n)
	sum, carry := bits.Add64(hi, top, 0)
	return Amount{sum, lo}, over|carry == 0
}

func (e *Engine) balance(account uint32, asset AssetID) *balance {
	return &e.balances[uint64(account)*uint64(e.cfg.Assets)+uint64(asset)]
}

// hold returns the price at which a buy reserves and whether it, buy or sell,
// reserves at all.
func (e *Engine) hold(o *order) (price int64, holds bool) {
	if o.extra == 0 {
		return o.price, true
	}
	x := &e.extras[o.extra]
	return x.hold, !x.bare
}

// pledge returns what an order reserves for q lots, and of which balance.
func (e *Engine) pledge(m *market, o *order, q int64) (Amount, *balance) {
	price, holds := e.hold(o)
	if o.side() == Sell {
		b := e.balance(o.account, m.cfg.Base)
		if !holds {
			return Amount{}, b
		}
		return lotsOf(q, m.cfg.LotUnits), b
	}
	b := e.balance(o.account, m.cfg.Quote)
	if !holds {
		return Amount{}, b
	}
	cost, _ := costOf(price, q, m.cfg.TickUnits)
	return cost, b
}

func (b *balance) reserve(a Amount) { b.available.sub(a); b.reserved.add(a) }
func (b *balance) unlock(a Amount)  { b.reserved.sub(a); b.available.add(a) }

// deal is one trade.
type deal struct {
	buyer, seller      uint32
	hold               int64 // of the buyer, ticks
	price, qty         int64
	buyRate, sellRate  uint32
	buyFee, sellFee    Amount
	cost, base, gained Amount // gained: what the buyer receives after its fee
}

// settle moves what a trade moves.
func (e *Engine) settle(m *market, d *deal) {
	d.cost, _ = costOf(d.price, d.qty, m.cfg.TickUnits)
	d.base = lotsOf(d.qty, m.cfg.LotUnits)
	held := d.cost
	if d.hold != d.price {
		held, _ = costOf(d.hold, d.qty, m.cfg.TickUnits)
	}
	d.buyFee, d.sellFee = feeOf(d.base, d.buyRate), feeOf(d.cost, d.sellRate)
	e.roomToUnsum(6)
	paid := e.unsum(d.buyer, m.cfg.Quote)
	paid.reserved.sub(held)
	held.sub(d.cost)
	paid.available.add(held)
	d.gained = d.base
	d.gained.sub(d.buyFee)
	e.unsum(d.buyer, m.cfg.Base).available.add(d.gained)
	e.unsum(d.seller, m.cfg.Base).reserved.sub(d.base)
	got := d.cost
	got.sub(d.sellFee)
	e.unsum(d.seller, m.cfg.Quote).available.add(got)
	if d.buyRate|d.sellRate != 0 {
		e.unsum(0, m.cfg.Base).available.add(d.buyFee)
		e.unsum(0, m.cfg.Quote).available.add(d.sellFee)
	}
}
