package policy

import (
	"slices"

	"strongroom/money"
)

// ceiling is a sum that whatever passes by some rule stays below.
type ceiling struct {
	window int
	below  money.Units
}

// capKey is a window, and of those per requester whose.
type capKey struct{ window, asker int }

// caps is the most that moves within 24 hours under each ceiling.
type caps map[capKey]money.Units

// bound adds up ceilings below which everything stays that a role can let pass, by the one
// layer, or the mix of layers, that gives the least. It reports false where something has
// no ceiling. Any past will do: what is in a window is in it, whoever moved it.
func (s *search) bound(r *role, inside bool) (money.Units, bool) {
	type key struct {
		fits  ruleSet
		asker int
	}
	known := map[key]bool{}
	mixes := make([]caps, len(s.layers)+1) // by one layer each, and the best of each cell
	for i := range mixes {
		mixes[i] = caps{}
	}
	for i := range s.cells {
		for j := range s.times {
			c := &s.cells[i]
			k := key{c.fits.and(&s.times[j].fits), c.asker}
			if c.inside != inside || known[k] {
				continue
			}
			known[k] = true
			if s.left--; s.left <= 0 {
				return money.Units{}, false
			}
			s.cap(r, &k.fits, &s.askers[c.asker], c.asker, mixes)
		}
	}
	var least money.Units
	found := false
	for _, mix := range mixes {
		if total, ok := mix.total(); ok && (!found || total.Less(least)) {
			least, found = total, true
		}
	}
	return least, found && s.left > 0
}

// total is false for nil, which is no ceiling.
func (c caps) total() (money.Units, bool) {
	var total money.Units
	for _, most := range c {
		var err error
		if total, err = total.Add(most); err != nil {
			return money.Units{}, false
		}
	}
	return total, c != nil
}

// cap adds the ceilings of one cell to each mix; one that has none for it is nil from then on.
func (s *search) cap(r *role, fits *ruleSet, a *asker, place int, mixes []caps) {
	accepts := &r.accepts
	if a.fresh == "" && !slices.ContainsFunc(a.names, func(name string) bool { return !r.is(name) }) {
		accepts = &s.roles[0].accepts
	}
	var best caps
	found := make([]caps, len(s.layers)+1)
	for layer := range s.layers {
		paths := s.paths(layer, fits, accepts)
		if len(paths) == 0 {
			return // nothing of it passes
		}
		found[layer] = s.cheapest(paths, a, place)
		if total, ok := found[layer].total(); ok {
			if least, some := best.total(); !some || total.Less(least) {
				best = found[layer]
			}
		}
	}
	found[len(s.layers)] = best
	for i := range mixes {
		mixes[i] = mixes[i].with(found[i])
	}
}

func (c caps) with(more caps) caps {
	if c == nil || more == nil {
		return nil
	}
	for k, most := range more {
		if c[k].Less(most) {
			c[k] = most
		}
	}
	return c
}

// paths lists, for each way through a layer on which a request passes, the ceilings under
// which it then is: those of the rule, and of the rules before it that did not fit.
func (s *search) paths(layer int, fits, accepts *ruleSet) [][]ceiling {
	var paths [][]ceiling
	var missed []ceiling
	for _, place := range s.layers[layer] {
		if !fits.has(place) {
			continue
		}
		c := &s.rules[place].When
		if accepts.has(place) {
			path := slices.Clone(missed)
			for i := range c.Sums {
				if !c.Sums[i].Below.IsZero() {
					path = append(path, s.ceiling(c, i, c.Sums[i].Below))
				}
			}
			paths = append(paths, path)
		}
		switch {
		case c.Amount.IsZero() && len(c.Sums) == 0:
			return paths // it always fits
		case c.Amount.IsZero() && len(c.Sums) == 1 && c.Sums[0].Below.IsZero():
			missed = append(missed, s.ceiling(c, 0, c.Sums[0].From))
		}
	}
	if layer > 0 { // nothing fits, and it has no say
		paths = append(paths, missed)
	}
	return paths
}

func (s *search) ceiling(c *Condition, sum int, below money.Units) ceiling {
	return ceiling{slices.IndexFunc(s.windows, func(w Window) bool { return w.is(c, &c.Sums[sum]) }), below}
}

// cheapest takes the lowest ceiling of each path.
func (s *search) cheapest(paths [][]ceiling, a *asker, place int) caps {
	chosen := caps{}
	for _, path := range paths {
		var key capKey
		var least money.Units
		found := false
		for _, c := range path {
			most, ok := s.windows[c.window].inDay(c.below, a)
			if ok && (!found || most.Less(least)) {
				least, found = most, true
				if key = (capKey{c.window, place}); s.windows[c.window].Per == House {
					key.asker = -1
				}
			}
		}
		if !found {
			return nil
		}
		if chosen[key].Less(least) {
			chosen[key] = least
		}
	}
	return chosen
}

// inDay is the most that moves in 24 hours where each sum in the window stays below that:
// as often as the window begins in them, and once for each who asks.
func (w *Window) inDay(below money.Units, a *asker) (money.Units, bool) {
	periods := uint64(0)
	for begun := Span(0); begun < 24*hour; begun += w.Span {
		periods++
	}
	if w.Per == Requester {
		if a.fresh != "" {
			return money.Units{}, false
		}
		periods *= uint64(len(a.names))
	}
	most, err := below.SubFloor(money.FromUint64(1)).Mul(periods)
	return most, err == nil
}
