// Package flow makes streams of commands for the engine: for benches a mix as an
// exchange sees it, for tests everything that can be said, sense and nonsense, on few
// accounts and narrow prices so that all of it meets. A stream is a function of its seed
// and of the events it is shown, from which it learns the ids of orders. It never looks
// into an engine.
package flow

import "strongroom/matching/engine"

// Machine is an engine, as far as a stream is concerned.
type Machine interface {
	Apply(c *engine.Command, out []engine.Event) []engine.Event
	Configure(c *engine.Command, cfg *engine.MarketConfig, out []engine.Event) []engine.Event
}

// Step is a command, with the configuration beside it where it has one.
type Step struct {
	Command engine.Command
	Config  *engine.MarketConfig
}

// Do gives the step to m.
func (s *Step) Do(m Machine, out []engine.Event) []engine.Event {
	if s.Config != nil {
		return m.Configure(&s.Command, s.Config, out)
	}
	return m.Apply(&s.Command, out)
}

// Stream gives one step after another. It must be shown the events of each step
// before the next is asked for.
type Stream interface {
	Next() Step
	Saw(events []engine.Event)
}

// Record runs n steps of a stream on m and returns them, so that they can be run
// again without the stream's own cost.
func Record(s Stream, m Machine, n int) []Step {
	steps := make([]Step, 0, n)
	var events []engine.Event
	for range n {
		step := s.Next()
		steps = append(steps, step)
		events = step.Do(m, events[:0])
		s.Saw(events)
	}
	return steps
}

// chance is a source of numbers that depend on the seed alone (splitmix64).
type chance struct{ state uint64 }

func (c *chance) next() uint64 {
	c.state += 0x9E3779B97F4A7C15
	z := c.state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// below returns a number in [0, n); n is above 0.
func (c *chance) below(n int64) int64 { return int64(c.next() >> 1 % uint64(n)) }

// between returns a number in [low, high].
func (c *chance) between(low, high int64) int64 { return low + c.below(high-low+1) }

// percent is true p times of a hundred.
func (c *chance) percent(p int64) bool { return c.below(100) < p }

func pick[T any](c *chance, of ...T) T { return of[c.below(int64(len(of)))] }

// live is an order that waits.
type live struct {
	id      engine.OrderID
	account engine.AccountID
	market  engine.MarketID
	side    engine.Side
	price   int64
	qty     int64
}

// book knows which orders wait, from events alone.
type book struct {
	orders []live
	at     map[engine.OrderID]int
	ended  []live // the last ones that ended, as ids that must not work
}

const endedKept = 64

func newBook() *book { return &book{at: map[engine.OrderID]int{}} }

func (b *book) saw(events []engine.Event) {
	for i := range events {
		v := &events[i]
		switch v.Kind {
		case engine.EventAccepted:
			b.put(v)
		case engine.EventRested, engine.EventReplaced:
			b.set(v.Order, v.Price, v.Qty)
		case engine.EventReduced:
			b.set(v.Order, v.Price, v.Qty)
		case engine.EventTrade:
			b.traded(v.Maker, v.Left)
			b.traded(v.Order, v.TakerLeft)
		case engine.EventCancelled:
			b.drop(v.Order)
		default:
		}
	}
}

func (b *book) put(v *engine.Event) {
	o := live{id: v.Order, account: v.Account, market: v.Market, side: v.Side, price: v.Price, qty: v.Qty}
	if i, known := b.at[v.Order]; known {
		b.orders[i] = o
		return
	}
	b.at[v.Order] = len(b.orders)
	b.orders = append(b.orders, o)
}

func (b *book) set(id engine.OrderID, price, qty int64) {
	if i, known := b.at[id]; known {
		b.orders[i].price, b.orders[i].qty = price, qty
	}
}

func (b *book) traded(id engine.OrderID, left int64) {
	if left == 0 {
		b.drop(id)
	} else if i, known := b.at[id]; known {
		b.orders[i].qty = left
	}
}

func (b *book) drop(id engine.OrderID) {
	i, known := b.at[id]
	if !known {
		return
	}
	if len(b.ended) == endedKept {
		b.ended = append(b.ended[:0], b.ended[1:]...)
	}
	b.ended = append(b.ended, b.orders[i])
	last := len(b.orders) - 1
	b.orders[i] = b.orders[last]
	b.at[b.orders[i].id] = i
	b.orders = b.orders[:last]
	delete(b.at, id)
}
