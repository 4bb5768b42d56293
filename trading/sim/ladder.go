package sim

import "slices"

// The maker's ladder: levels on each side, the first a half spread away from the
// reference, each a gap behind the one before, in parts per million of the price.
const (
	levels     = 8
	halfSpread = 250
	levelGap   = 300
)

// resting is an order of the maker in the book.
type resting struct {
	id    string
	sell  bool
	price int64 // ticks
	lots  int64
}

// action is one request of the maker: place where id is empty, cancel where lots is zero,
// else amend.
type action struct {
	id    string
	sell  bool
	price int64
	lots  int64
}

// gap is the distance of two levels around a price, in ticks.
func gap(reference int64) int64 {
	return max(reference/million*levelGap+reference%million*levelGap/million, 1)
}

// want is the ladder around a reference price, best first, each side.
func want(reference, level int64) (list []action) {
	step := gap(reference)
	half := max(reference/million*halfSpread+reference%million*halfSpread/million, 1)
	for i := range int64(levels) {
		lots := level + level*i/4 // deeper where it is farther away
		list = append(list, action{sell: true, price: reference + half + i*step, lots: lots})
		if price := reference - half - i*step; price > 0 {
			list = append(list, action{price: price, lots: lots})
		}
	}
	return list
}

// plan is what brings the orders that rest to the ladder around a reference: no more
// than most actions, what would be in the way of others first, then nearest to the price first. An
// order within half a gap of its level, with half of its quantity, stays.
func plan(orders []resting, reference, level int64, most int) []action {
	missing := want(reference, level)
	near := gap(reference) / 2
	var stale []resting
	for _, o := range orders {
		at := slices.IndexFunc(missing, func(w action) bool {
			return w.sell == o.sell && distance(w.price, o.price) <= near && 2*o.lots >= w.lots
		})
		if at < 0 {
			stale = append(stale, o)
			continue
		}
		missing = slices.Delete(missing, at, at+1)
	}
	// Those that stand nearest to the other side, or beyond it, are in the way.
	slices.SortStableFunc(stale, func(a, b resting) int { return int(min(max(depth(a, reference)-depth(b, reference), -1), 1)) })
	var out []action
	for _, o := range stale {
		at := slices.IndexFunc(missing, func(w action) bool { return w.sell == o.sell })
		if at < 0 {
			out = append(out, action{id: o.id, sell: o.sell})
			continue
		}
		move := missing[at]
		move.id = o.id
		out = append(out, move)
		missing = slices.Delete(missing, at, at+1)
	}
	out = append(out, missing...)
	return out[:min(len(out), most)]
}

// depth is how far behind the reference an order stands; negative where it is beyond.
func depth(o resting, reference int64) int64 {
	if o.sell {
		return o.price - reference
	}
	return reference - o.price
}

func distance(a, b int64) int64 { return max(a-b, b-a) }
