package naive

import (
	"math/big"

	"strongroom/matching/engine"
)

// uncross trades what crosses, and again where self-trade prevention has left the book
// crossed.
func (e *Engine) uncross(m *market) {
	m.windowOpen = false
	for price := e.auctionPrice(m); price != 0; price = e.auctionPrice(m) {
		e.uncrossAt(m, price)
	}
}

// uncrossAt trades what crosses at one price.
func (e *Engine) uncrossAt(m *market, price int64) {
	total := new(big.Int)
	for {
		buyer, seller := e.best(m, engine.Buy), e.best(m, engine.Sell)
		if buyer == nil || seller == nil || buyer.at < price || seller.at > price {
			break
		}
		lots := min(buyer.qty, seller.qty)
		younger, older := buyer, seller
		if seller.age > buyer.age {
			younger, older = seller, buyer
		}
		if younger.stp != engine.STPNone && younger.account.together(older.account) {
			e.preventSelfTrade(younger, older, younger.stp)
			continue
		}
		e.trade(buyer, seller, price, lots, true)
		total = plus(total, whole(lots))
	}
	if total.Sign() == 0 {
		return
	}
	v := engine.Event{Kind: engine.EventAuction, Market: m.id, Price: price, Qty: maxInt}
	if total.IsInt64() {
		v.Qty = total.Int64()
	}
	e.emit(v)
}

// auctionPrice is where the most lots trade with the smallest surplus; zero where
// nothing crosses. What is best is the same between two prices at which orders begin or
// end to count, so that only those and their neighbours are looked at.
func (e *Engine) auctionPrice(m *market) int64 {
	bids, asks := e.queue(m, engine.Buy), e.queue(m, engine.Sell)
	if len(bids) == 0 || len(asks) == 0 || bids[0].at < asks[0].at {
		return 0
	}
	var low, high int64
	var most, least *big.Int
	var buyers, sellers bool
	for _, p := range ticks(bids, asks) {
		demand, supply := wanted(bids, p), wanted(asks, p)
		lots, surplus := demand, minus(demand, supply)
		if supply.Cmp(demand) < 0 {
			lots = supply
		}
		size := new(big.Int).Abs(surplus)
		better := most == nil || lots.Cmp(most) > 0 || lots.Cmp(most) == 0 && size.Cmp(least) < 0
		equal := most != nil && lots.Cmp(most) == 0 && size.Cmp(least) == 0
		if better {
			most, least, low, high = lots, size, p, p
			buyers, sellers = surplus.Sign() > 0, surplus.Sign() < 0
		} else if equal {
			high = p
			buyers, sellers = buyers && surplus.Sign() > 0, sellers && surplus.Sign() < 0
		}
	}
	switch {
	case buyers:
		return high
	case sellers:
		return low
	default:
		return max(low, min(high, m.reference))
	}
}

// ticks are the prices to look at between the best ask and the best bid, ascending.
func ticks(bids, asks []*order) []int64 {
	low, high := asks[0].at, bids[0].at
	seen := map[int64]bool{low: true, high: true}
	for _, o := range append(append([]*order(nil), bids...), asks...) {
		for _, p := range []int64{o.at - 1, o.at, o.at + 1} {
			if p >= low && p <= high {
				seen[p] = true
			}
		}
	}
	return sorted(seen)
}

// wanted is what orders of one side would trade at a price.
func wanted(orders []*order, price int64) *big.Int {
	total := new(big.Int)
	for _, o := range orders {
		if o.at == price || (o.at > price) == (o.side == engine.Buy) {
			total = plus(total, whole(o.qty))
		}
	}
	return total
}
