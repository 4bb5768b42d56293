package blotter

import (
	"math/bits"

	"strongroom/matching/engine"
)

// change is what events in a row did to one order: figures that are added to its row,
// and others that take the place of what was there.
type change struct {
	id      engine.OrderID
	entered bool // its acceptance is among the events, or that of an amendment
	seq     uint64
	account engine.AccountID
	market  engine.MarketID
	key     engine.Key
	side    engine.Side
	kind    engine.Type
	created int64

	sibling  engine.OrderID // zero for what it was, as are price and state
	price    int64
	state    state
	left     int64
	ended    bool // code counts
	code     engine.Code
	lots     int64
	turnover engine.Amount // ticks times lots
	fee      engine.Amount
	updated  int64
	last     uint64
}

// pair is an order that was accepted with an event and whose stop may come with the next.
type pair struct {
	seq     uint64
	order   engine.OrderID
	account engine.AccountID
}

// changes are those of a run of events, by order.
type changes struct {
	byID map[engine.OrderID]*change
	list []*change
	half pair
}

func newChanges(half pair) *changes {
	return &changes{byID: map[engine.OrderID]*change{}, half: half}
}

// of returns the change of an order.
func (s *changes) of(id engine.OrderID, ev *engine.Event) *change {
	c := s.byID[id]
	if c == nil {
		c = &change{id: id}
		s.byID[id] = c
		s.list = append(s.list, c)
	}
	c.updated, c.last = ev.Time, ev.Seq
	return c
}

// take notes one event.
func (s *changes) take(ev *engine.Event) {
	switch ev.Kind { //nolint:exhaustive // all others change no order
	case engine.EventAccepted:
		s.accept(ev)
	case engine.EventTrade:
		s.of(ev.Order, ev).trade(ev, ev.TakerLeft, ev.Amount)
		s.of(ev.Maker, ev).trade(ev, ev.Left, ev.Balance)
	case engine.EventRested, engine.EventReplaced:
		c := s.of(ev.Order, ev)
		c.left, c.state = ev.Qty, open
		if ev.Price == 0 { // a peg that is not seen
			c.state = waiting
		} else {
			c.price = ev.Price
		}
	case engine.EventReduced:
		s.of(ev.Order, ev).left = ev.Qty
	case engine.EventTriggered:
		c := s.of(ev.Order, ev)
		c.price, c.left, c.state = ev.Price, ev.Qty, open
	case engine.EventCancelled:
		c := s.of(ev.Order, ev)
		c.left, c.state, c.code, c.ended = ev.Qty, cancelled, ev.Code, true
	}
}

// accept notes an order that came in, or that was amended: then there is one.
func (s *changes) accept(ev *engine.Event) {
	c := s.of(ev.Order, ev)
	c.price, c.left, c.state = ev.Price, ev.Qty, open
	if c.entered {
		return
	}
	c.entered, c.seq, c.created = true, ev.Seq, ev.Time
	c.account, c.market, c.key, c.side, c.kind = ev.Account, ev.Market, ev.Key, ev.Side, ev.Type
	switch ev.Type {
	case engine.Stop, engine.StopLimit, engine.Trailing, engine.Peg:
		c.state = waiting
	case engine.Limit, engine.Market, engine.MarketQuote, engine.OCO:
	}
	if s.half.order != 0 && s.half.seq+1 == ev.Seq && s.half.account == ev.Account {
		first := s.of(s.half.order, ev)
		first.sibling, c.sibling = ev.Order, s.half.order
		if !first.entered {
			first.left = leftAsIs
		}
	}
	s.half = pair{}
	if ev.Type == engine.OCO {
		s.half = pair{ev.Seq, ev.Order, ev.Account}
	}
}

// leftAsIs is what remains of an order of which only the sibling became known.
const leftAsIs = -1

func (c *change) trade(ev *engine.Event, left int64, fee engine.Amount) {
	hi, lo := bits.Mul64(uint64(ev.Price), uint64(ev.Qty)) //nolint:gosec // above zero
	c.turnover, _ = c.turnover.Add(engine.Amount{Hi: hi, Lo: lo})
	c.fee, _ = c.fee.Add(fee)
	c.lots += ev.Qty
	if c.left = left; left == 0 {
		c.state = filled // of a quote amount, where nothing follows
	}
}
