package engine

// auctionPrice is the search for the price of an auction: the book's curves in steps
// of prices, lowest first.
type auctionPrice struct {
	lots     int64 // most that trade
	surplus  int64 // smallest, without its sign
	from, to int64 // prices that are equally good
	buyers   bool  // one of them has a surplus of buyers
	sellers  bool  // or of sellers
	even     bool  // or none
}

// offer takes a step of prices in at which so many lots are wanted and offered.
func (a *auctionPrice) offer(from, to, wanted, offered int64) {
	lots, surplus := min(wanted, offered), wanted-offered
	side := surplus
	if surplus < 0 {
		surplus = -surplus
	}
	switch {
	case lots < a.lots || lots == 0, lots == a.lots && surplus > a.surplus:
		return
	case lots > a.lots || surplus < a.surplus:
		*a = auctionPrice{lots: lots, surplus: surplus, from: from}
	}
	a.to = to
	a.buyers = a.buyers || side > 0
	a.sellers = a.sellers || side < 0
	a.even = a.even || side == 0
}

// price picks one of the prices that are equally good.
func (a *auctionPrice) price(reference int64) int64 {
	switch {
	case a.buyers && !a.sellers && !a.even:
		return a.to
	case a.sellers && !a.buyers && !a.even:
		return a.from
	}
	return min(max(reference, a.from), a.to)
}

// lotsAt counts all lots of a level, hidden ones too.
func (e *Engine) lotsAt(l *ladder, rank int64) (lots int64) {
	for p := l.at(rank).head; p != 0; p = e.rows[p].next {
		lots += e.rows[p].qty
	}
	return lots
}

// above returns the next rank in use over rank.
func (l *ladder) above(rank int64) (int64, bool) {
	if l.n == 0 || rank >= l.best {
		return 0, false
	}
	i, ok := l.find(rank >> pageBits)
	if ok {
		if next, in := l.refs[i].over(rank); in {
			return next, true
		}
		i++
	}
	return l.refs[i].lowest(), true
}

// clearing finds the price at which the most lots of a crossed book trade.
func (e *Engine) clearing(m *market) (price int64, ok bool) { //nolint:cyclop // one sweep over both curves
	bids, asks := &m.book[Buy], &m.book[Sell]
	if bids.n == 0 || asks.n == 0 || bids.price() < asks.price() {
		return 0, false
	}
	low, high := asks.price(), bids.price()
	var wanted, offered int64
	bid := high
	for rank, in := high, true; in && rank >= low; rank, in = bids.below(rank) {
		wanted += e.lotsAt(bids, rank)
		bid = rank
	}
	ask, more := low, true
	var best auctionPrice
	for at := low; at <= high; {
		if more && ask == at {
			offered += e.lotsAt(asks, ask^asks.flip)
			var rank int64
			rank, more = asks.below(ask ^ asks.flip)
			ask = rank ^ asks.flip
		}
		// The step ends at the lowest bid, or before the next ask.
		end := min(bid, high)
		if more && ask-1 < end {
			end = ask - 1
		}
		best.offer(at, end, wanted, offered)
		if end == bid {
			wanted -= e.lotsAt(bids, bid)
			next, in := bids.above(bid)
			if !in {
				break
			}
			bid = next
		}
		at = end + 1
	}
	return best.price(m.ref), true
}

// uncross trades what crosses.
func (e *Engine) uncross(m *market) {
	e.touch(m)
	m.first, m.start = 0, 0
	// Self-trade prevention may leave the book crossed: then it is done again.
	for {
		price, ok := e.clearing(m)
		if !ok {
			return
		}
		e.uncrossAt(m, price)
	}
}

// uncrossAt trades what crosses at one price.
func (e *Engine) uncrossAt(m *market, price int64) {
	var lots int64
	bids, asks := &m.book[Buy], &m.book[Sell]
	for bids.n != 0 && asks.n != 0 && bids.price() >= price && asks.price() <= price {
		lots += e.uncrossPair(m, bids.top().head, asks.top().head, price)
	}
	if lots == 0 {
		return
	}
	m.last, m.traded = price, true
	ev := e.emit(EventAuction)
	ev.Market, ev.Price, ev.Qty = m.id, price, lots
}

// uncrossPair trades two orders with each other, or keeps them from it.
func (e *Engine) uncrossPair(m *market, bp, ap uint32, price int64) int64 {
	bid, ask := &e.rows[bp], &e.rows[ap]
	young, old := bp, ap
	if ask.age > bid.age {
		young, old = ap, bp
	}
	qty := min(bid.qty, ask.qty)
	if mode := e.rows[young].stp(); mode != STPNone && e.related(bid.account, ask.account) {
		e.keepApart(m, young, old, qty, mode)
		return 0
	}
	d := deal{buyer: bid.account, seller: ask.account, price: price, qty: qty}
	d.buyRate = m.cfg.Tiers[e.accounts[bid.account].tier%Tiers].Maker
	d.sellRate = m.cfg.Tiers[e.accounts[ask.account].tier%Tiers].Maker
	d.hold, _ = e.hold(bid)
	e.settle(m, &d)
	bid.qty -= qty
	ask.qty -= qty
	ev := e.emit(EventTrade)
	ev.Market, ev.Price, ev.Qty, ev.Side = m.id, price, qty, Buy
	ev.Order, ev.Account, ev.Maker, ev.MakerAccount = bid.id(bp), AccountID(bid.account), ask.id(ap), AccountID(ask.account)
	ev.Left, ev.TakerLeft, ev.Amount, ev.Balance = ask.qty, bid.qty, d.buyFee, d.sellFee
	if (bid.bits|ask.bits)&bitMMP != 0 {
		e.count(m, ask, bid, qty)
	}
	e.gain(bid, &d)
	e.gain(ask, &d)
	sold, bought := e.sever(m, ask), e.sever(m, bid)
	e.tradedInAuction(m, ap, qty)
	if sold != 0 {
		e.cancel(sold, CodeBySibling)
	}
	if bought != 0 {
		e.cancel(bought, CodeBySibling)
	}
	e.tradedInAuction(m, bp, qty)
	return qty
}

// tradedInAuction takes traded lots from an order's level, and ends it where it has
// no more.
func (e *Engine) tradedInAuction(m *market, p uint32, qty int64) {
	o := &e.rows[p]
	l := &m.book[o.side()]
	if o.qty == 0 {
		shown := qty
		if o.extra != 0 {
			if x := &e.extras[o.extra]; x.display != 0 {
				shown = x.shown
			}
		}
		e.pull(l, o, o.price, shown)
		e.drop(m, p)
		return
	}
	was, now, again := o.qty+qty, o.qty, false
	if o.extra != 0 {
		if x := &e.extras[o.extra]; x.display != 0 {
			was = x.shown
			if x.shown -= qty; x.shown <= 0 {
				x.shown, again = min(x.display, o.qty), true
			}
			now = x.shown
		}
	}
	l.at(o.price ^ l.flip).qty -= was - now
	if again {
		e.tellShown(EventReduced, p, o)
	}
}

// keepApart is self-trade prevention in an auction.
func (e *Engine) keepApart(m *market, young, old uint32, qty int64, mode STP) {
	switch mode {
	case STPCancelTaker:
		e.cancel(young, CodeSelfTrade)
	case STPCancelMaker:
		e.cancel(old, CodeSelfTrade)
	case STPCancelBoth:
		e.cancel(old, CodeSelfTrade)
		e.cancel(young, CodeSelfTrade)
	case STPDecrement:
		e.shrink(m, old, qty)
		e.shrink(m, young, qty)
	case STPNone:
	}
}

// matches says whether orders trade as they come in a state.
func (s State) matches() bool { return s == Open || s == PostOnlyState }

// setState is a market's state by command.
func (e *Engine) setState(c *Command) Code {
	m := e.known(c.Market)
	switch {
	case m == nil:
		return CodeUnknownMarket
	case c.State > Halted:
		return CodeBadType
	case c.Until != 0 && (c.Until <= e.now || c.State != Auction && c.State != Halted):
		return CodeBadExpiry
	}
	if c.State.matches() && !m.state.matches() || c.State == Closed && m.state == Auction {
		e.uncross(m)
	}
	next := Open
	if c.Flags&Closing != 0 {
		next = Closed
	}
	e.turn(m, c.State, next, c.Until, CodeByOperator)
	return CodeNone
}
