package policy

import (
	"slices"

	"strongroom/money"
	"strongroom/treasury/intent"
)

// limits are the amounts at which rules begin or cease to fit.
type limits struct {
	amounts []money.Units   // of single transactions, sorted
	sums    [][]money.Units // by window, sorted; a window without is asked by no rule
}

func (s *search) limitsOf(fits *ruleSet) limits {
	l := limits{sums: make([][]money.Units, len(s.windows))}
	for i, rule := range s.rules {
		if !fits.has(i) {
			continue
		}
		c := &rule.When
		l.amounts = append(l.amounts, c.Amount.From, c.Amount.Below)
		for j := range c.Sums {
			at := slices.IndexFunc(s.windows, func(w Window) bool { return w.is(c, &c.Sums[j]) })
			l.sums[at] = append(l.sums[at], c.Sums[j].From, c.Sums[j].Below)
		}
	}
	l.amounts = sorted(l.amounts)
	for i := range l.sums {
		l.sums[i] = sorted(l.sums[i])
	}
	return l
}

// sorted also takes out doubles and zero, which limits nothing.
func sorted(list []money.Units) []money.Units {
	slices.SortFunc(list, money.Units.Cmp)
	list = slices.Compact(list)
	if len(list) > 0 && list[0].IsZero() {
		list = list[1:]
	}
	return list
}

// farthest is an amount above every limit, where there is one.
func (s *search) farthest() money.Units {
	far := s.above
	for i := range s.cells {
		l := &s.cells[i].limits
		for _, list := range append(slices.Clone(l.sums), l.amounts) {
			if n := len(list); n > 0 && far.Less(list[n-1]) {
				far = list[n-1]
			}
		}
	}
	if more, err := far.Add(money.FromUint64(1)); err == nil {
		return more
	}
	return far
}

// largest lists, the largest first, the amounts at which what is let pass can end: those
// just below a limit, and one above all limits. spent is what moved before by window; nil
// is nothing.
func (s *search) largest(l *limits, spent []money.Units) []money.Units {
	one := money.FromUint64(1)
	list := []money.Units{s.far}
	for _, limit := range l.amounts {
		list = append(list, limit.SubFloor(one))
	}
	for i, sums := range l.sums {
		for _, limit := range sums {
			limit = limit.SubFloor(one)
			if spent != nil {
				limit = limit.SubFloor(spent[i])
			}
			list = append(list, limit)
		}
	}
	list = sorted(list)
	slices.Reverse(list)
	return list
}

// onceKey is a role, and whether money stays inside the house.
type onceKey struct {
	role   int
	inside bool
}

// once finds what each role can move in one transaction, after any past.
func (s *search) once() map[onceKey]Reach {
	type key struct {
		fits   ruleSet
		asker  int
		inside bool
	}
	best, known := map[onceKey]Reach{}, map[key]bool{}
	for i := range s.cells {
		for j := range s.times {
			c := s.cells[i]
			c.fits = c.fits.and(&s.times[j].fits)
			k := key{c.fits, c.asker, c.inside}
			if known[k] || !s.speaks(0, &c.fits) {
				continue
			}
			known[k] = true
			c.facts.At, c.limits = s.times[j].at, s.limitsOf(&c.fits)
			s.onceIn(&c, best)
			if s.left <= 0 {
				return best
			}
		}
	}
	return best
}

// onceIn tries the amounts of one cell, the largest first, until nobody can gain by it.
func (s *search) onceIn(c *cell, best map[onceKey]Reach) {
	var able []int
	for i := range s.roles {
		if s.able(&s.roles[i], c.fits) {
			able = append(able, i)
		}
	}
	for _, amount := range s.largest(&c.limits, nil) {
		gains := func(role int) bool { return best[onceKey{role, c.inside}].Most.Less(amount) }
		if !slices.ContainsFunc(able, gains) {
			return
		}
		c.facts.Amount = amount
		s.pasts(c, func(f *Facts) bool {
			v := s.p.judge(f)
			for _, i := range able {
				if name, ok := s.passes(&s.roles[i], c, &v); ok && gains(i) {
					best[onceKey{i, c.inside}] = Reach{Most: amount, Endless: amount == s.far, Steps: []Step{s.step(f, name, 1)}}
				}
			}
			return slices.ContainsFunc(able, gains)
		})
	}
}

// able reports whether there is a way through each layer on which a role could pass, where
// those rules may fit at some time.
func (s *search) able(r *role, fits ruleSet) bool {
	for layer := range s.layers {
		if len(s.paths(layer, &fits, &r.accepts)) == 0 {
			return false
		}
	}
	return true
}

// passes reports whether a request passes by the consent of a role, and who may ask.
func (s *search) passes(r *role, c *cell, v *verdict) (string, bool) {
	if s.lets(&s.roles[0].accepts, v) {
		return s.askers[c.asker].names[0], true
	}
	if !s.lets(&r.accepts, v) {
		return "", false
	}
	for _, name := range s.askers[c.asker].names {
		if !r.is(name) {
			return name, true
		}
	}
	return "", false
}

// lets reports whether all rules that have a say are among those.
func (s *search) lets(accepts *ruleSet, v *verdict) bool {
	if v.cause != nil || v.lacks != nil || v.outcome == Deny {
		return false
	}
	for _, rule := range v.said {
		if rule != nil && !accepts.has(s.index[rule]) {
			return false
		}
	}
	return true
}

func (s *search) step(f *Facts, name string, times uint64) Step {
	is := *f
	is.Requester, is.Groups, is.Spent = name, s.groups(name), slices.Clone(f.Spent)
	return Step{Facts: is, Decision: s.p.Decide(&is), Times: times}
}

// pasts goes through what may have moved before a request, until it is told to stop: of
// each window that a rule asks, nothing, or so much that the sum is at a limit. A window
// that counts all that another one counts has no smaller sum.
func (s *search) pasts(c *cell, each func(*Facts) bool) {
	f := c.facts
	f.Requester = s.askers[c.asker].names[0]
	f.Groups = s.groups(f.Requester)
	choices := make([]int, len(s.windows)) // zero: nothing; else the limit at that place
	for {
		if s.left--; s.left <= 0 {
			return
		}
		if s.fill(&f, c, choices); !each(&f) {
			return
		}
		at := 0
		for ; at < len(choices); at++ {
			choices[at] = nextAbove(c.limits.sums[at], choices[at], f.Amount)
			if choices[at] > 0 {
				break
			}
		}
		if at == len(choices) {
			return
		}
	}
}

// nextAbove is the place, counted from one, of the next limit that is above an amount.
func nextAbove(limits []money.Units, after int, amount money.Units) int {
	for at := after; at < len(limits); at++ {
		if amount.Less(limits[at]) {
			return at + 1
		}
	}
	return 0
}

// fill sets Spent so that sums are at the limits that were chosen, or above them.
func (s *search) fill(f *Facts, c *cell, choices []int) {
	f.Spent = f.Spent[:0]
	for i := range s.windows {
		if !s.windows[i].Counts(f.Action, f.Asset) {
			continue
		}
		var before money.Units
		for j, choice := range choices {
			if choice > 0 && s.windows[j].inside(&s.windows[i]) {
				before = slices.MaxFunc([]money.Units{before, c.limits.sums[j][choice-1].SubFloor(f.Amount)}, money.Units.Cmp)
			}
		}
		f.Spent = append(f.Spent, Spent{s.windows[i], before})
	}
}

// inside reports whether the other window counts all that w does.
func (w *Window) inside(other *Window) bool {
	if w.Asset != other.Asset || w.Per == House && other.Per != House || w.Span > other.Span {
		return false
	}
	if len(w.Actions) == 0 {
		return len(other.Actions) == 0
	}
	return !slices.ContainsFunc(w.Actions, func(a intent.Action) bool { return !in(other.Actions, a) })
}
