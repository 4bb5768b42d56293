package feed

import (
	"cmp"
	"slices"

	"strongroom/matching/engine"
)

// Level is the quantity that a price shows, in ticks and lots. In a change a quantity
// of zero says that the price is empty.
type Level struct {
	Price, Qty int64
}

// Change is a level of one side after an event.
type Change struct {
	Side engine.Side
	Level
}

// Book is one market by price, as its events show it.
type Book struct {
	sides  [2]map[int64]int64
	orders map[engine.OrderID]resting
}

type resting struct {
	side         engine.Side
	price, shown int64
}

// NewBook returns an empty book.
func NewBook() *Book {
	return &Book{sides: [2]map[int64]int64{{}, {}}, orders: map[engine.OrderID]resting{}}
}

// Apply takes the next event of the book's market and appends the levels that it
// changed to out.
func (b *Book) Apply(v *engine.Event, out []Change) []Change {
	switch v.Kind { //nolint:exhaustive // the others change no level
	case engine.EventRested, engine.EventReplaced:
		out = b.set(v.Order, resting{v.Side, v.Price, v.Shown}, out)
	case engine.EventReduced:
		if o, rests := b.orders[v.Order]; rests {
			o.shown = v.Shown
			out = b.set(v.Order, o, out)
		}
	case engine.EventTrade:
		out = b.filled(v.Maker, v.Qty, v.Left, out)
		out = b.filled(v.Order, v.Qty, v.TakerLeft, out) // in an auction both wait
	case engine.EventCancelled:
		out = b.drop(v.Order, out)
	}
	return out
}

// filled takes a quantity off what an order shows, if it waits.
func (b *Book) filled(id engine.OrderID, qty, left int64, out []Change) []Change {
	o, rests := b.orders[id]
	if !rests {
		return out
	}
	if left == 0 {
		return b.drop(id, out)
	}
	o.shown = max(0, o.shown-qty)
	return b.set(id, o, out)
}

// set puts an order where it waits now. One that shows nothing may show something
// again.
func (b *Book) set(id engine.OrderID, o resting, out []Change) []Change {
	if b.orders[id] == o {
		return out
	}
	out = b.drop(id, out)
	b.orders[id] = o
	if o.shown > 0 {
		out = b.add(o.side, o.price, o.shown, out)
	}
	return out
}

func (b *Book) drop(id engine.OrderID, out []Change) []Change {
	o := b.orders[id]
	delete(b.orders, id)
	if o.shown > 0 {
		out = b.add(o.side, o.price, -o.shown, out)
	}
	return out
}

func (b *Book) add(side engine.Side, price, qty int64, out []Change) []Change {
	levels := b.sides[side]
	levels[price] += qty
	now := levels[price]
	if now == 0 {
		delete(levels, price)
	}
	change := Change{side, Level{price, now}}
	for i := range out { // of an event that moves an order the last word counts
		if out[i].Side == side && out[i].Price == price {
			out[i] = change
			return out
		}
	}
	return append(out, change)
}

// Top returns up to n levels of a side, best first; all of them where n is zero.
func (b *Book) Top(side engine.Side, n int) []Level {
	levels := make([]Level, 0, len(b.sides[side]))
	for price, qty := range b.sides[side] {
		levels = append(levels, Level{price, qty})
	}
	slices.SortFunc(levels, func(x, y Level) int {
		if side == engine.Buy {
			return cmp.Compare(y.Price, x.Price)
		}
		return cmp.Compare(x.Price, y.Price)
	})
	if n > 0 && n < len(levels) {
		levels = levels[:n]
	}
	return levels
}
