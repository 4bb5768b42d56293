package desk

import (
	"math/bits"
	"time"

	"strongroom/matching/engine"
	"strongroom/trading"
)

// live is an order as the shard's events tell it. Quantity is filled plus left while it
// waits; whole says that all of its life was seen.
type live struct {
	id, sibling engine.OrderID
	account     engine.AccountID
	key         engine.Key
	market      *trading.Market
	side        engine.Side
	kind        engine.Type
	clientID    string
	price       int64 // where it stands, else its limit
	trigger     int64
	left        int64
	filled      int64
	turnover    engine.Amount // ticks times lots
	state       trading.OrderState
	code        engine.Code
	expires     int64
	created     int64
	updated     int64
	seq         uint64
	adopted     uint64 // events up to this one are in it: it was read
	whole       bool
}

func (l *live) ended() bool {
	return l.state == trading.OrderFilled || l.state == trading.OrderCancelled
}

// traded adds a trade.
func (l *live) traded(ev *engine.Event, left int64) {
	if ev.Seq <= l.adopted {
		return
	}
	price, lots := ev.Price, ev.Qty
	l.turnover, _ = l.turnover.Add(product(price, lots))
	l.filled += lots
	l.left = left
	if l.left == 0 {
		l.state = trading.OrderFilled // of a quote amount, where nothing follows
	}
	l.seq, l.updated = ev.Seq, ev.Time
}

// product is ticks times lots, both of a trade and so above zero.
func product(price, lots int64) engine.Amount {
	hi, lo := bits.Mul64(uint64(price), uint64(lots)) //nolint:gosec // above zero
	return engine.Amount{Hi: hi, Lo: lo}
}

// stand notes where an order stands; a peg that is not seen has no price.
func (l *live) stand(ev *engine.Event) {
	l.left, l.state = ev.Qty, trading.OrderOpen
	if ev.Price == 0 {
		l.state = trading.OrderWaiting
		return
	}
	l.price = ev.Price
}

// tell notes an event about this order, trades apart.
func (l *live) tell(ev *engine.Event) {
	if ev.Seq <= l.adopted {
		return
	}
	switch ev.Kind { //nolint:exhaustive // all others change no order
	case engine.EventAccepted: // again: it was amended
		l.price, l.left = ev.Price, ev.Qty
	case engine.EventRested, engine.EventReplaced:
		l.stand(ev)
	case engine.EventReduced:
		l.left = ev.Qty
	case engine.EventTriggered:
		l.price, l.left, l.state = ev.Price, ev.Qty, trading.OrderOpen
	case engine.EventCancelled:
		l.left, l.state, l.code = ev.Qty, trading.OrderCancelled, ev.Code
	default:
		return
	}
	l.seq, l.updated = ev.Seq, ev.Time
}

// begin makes an order of its acceptance, or, where that was not seen, of what is told.
func begin(m *trading.Market, ev *engine.Event) *live {
	l := &live{
		id: ev.Order, account: ev.Account, key: ev.Key, market: m, side: ev.Side, price: ev.Price, left: ev.Qty,
		state: trading.OrderOpen, updated: ev.Time, seq: ev.Seq,
	}
	if ev.Kind != engine.EventAccepted {
		return l
	}
	l.kind, l.created, l.whole = ev.Type, ev.Time, true
	switch ev.Type {
	case engine.Stop, engine.StopLimit, engine.Trailing, engine.Peg:
		l.state = trading.OrderWaiting
	case engine.Limit, engine.Market, engine.MarketQuote, engine.OCO:
	}
	return l
}

// view is the order as its owner sees it.
func (l *live) view(customer string) trading.Order {
	m := l.market
	o := trading.Order{
		ID: trading.OrderIDText(l.id), ClientID: l.clientID, Customer: customer, Market: m.Name, Side: trading.SideName(l.side),
		State: l.state, Reason: trading.CodeName(l.code), Remaining: m.Quantity(l.left), UpdatedAt: at(l.updated),
		CreatedAt: at(l.created), ExpiresAt: at(l.expires), Seq: l.seq,
	}
	if l.whole {
		o.Type = trading.TypeOf(l.kind)
		o.Filled, o.Turnover = m.Quantity(l.filled), quoteText(m, l.turnover)
		if l.kind != engine.MarketQuote {
			o.Quantity = m.Quantity(l.filled + l.left)
		}
	}
	if l.priced() {
		o.Price = m.Price(l.price)
	}
	if l.trigger != 0 {
		o.StopPrice = m.Price(l.trigger)
	}
	if l.sibling != 0 {
		o.Sibling = trading.OrderIDText(l.sibling)
	}
	return o
}

// priced tells whether the price is one that the customer gave or sees in the book, and
// no bound that the engine found.
func (l *live) priced() bool {
	switch l.kind {
	case engine.Market, engine.MarketQuote, engine.Stop, engine.Trailing:
		return false
	case engine.Limit, engine.StopLimit, engine.Peg, engine.OCO:
	}
	return l.price != 0
}

// quoteText writes a sum of ticks times lots in the quote asset.
func quoteText(m *trading.Market, sum engine.Amount) string {
	units, err := m.Turnover(sum, 1)
	if err != nil {
		return "" // more than 256 bits: the engine refuses it before (overflow)
	}
	return m.Quote.Format(units)
}

// at is a log time; zero is none.
func at(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}
