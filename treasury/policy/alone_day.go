package policy

import (
	"math"
	"slices"
	"strconv"

	"strongroom/money"
)

// MaxSteps bounds the steps that are kept of one day.
const MaxSteps = 64

// daily finds what a role can move within 24 hours, from the best of several beginnings.
func (s *search) daily(r *role, inside bool, once *Reach) Reach {
	best := Reach{Most: once.Most, Endless: once.Endless, Steps: once.Steps}
	if best.Endless {
		best.Steps = slices.Clone(best.Steps)
		return best
	}
	best.Bound, best.Bounded = s.bound(r, inside)
	for i := range s.times {
		if best.Endless || best.Bounded && best.Most == best.Bound || s.left <= 0 {
			break
		}
		d := day{search: s, role: r, inside: inside, tally: NewTally(s.windows...), now: s.times[i].at, end: s.times[i].at + daySeconds}
		d.run()
		if d.reach.Endless || best.Most.Less(d.reach.Most) {
			best.Most, best.Endless, best.Steps = d.reach.Most, d.reach.Endless, d.reach.Steps
		}
	}
	return best
}

// day is one beginning.
type day struct {
	*search
	role     *role
	cells    []*cell // that could pass at some time
	inside   bool
	tally    *Tally
	now, end int64
	moved    []int64 // when, each time once
	others   int     // names that were made up
	reach    Reach
}

func (d *day) run() {
	for i := range d.search.cells {
		c := &d.search.cells[i]
		if c.inside == d.inside && slices.ContainsFunc(d.search.times, func(t weekTime) bool { return d.able(d.role, c.fits.and(&t.fits)) }) {
			d.cells = append(d.cells, c)
		}
	}
	for d.now < d.end && d.left > 0 {
		for {
			m, ok := d.best()
			if !ok {
				break
			}
			if d.move(m); d.reach.Endless || d.left <= 0 {
				return
			}
		}
		d.now = d.next()
	}
}

// found is a request that passes now.
type found struct {
	cell  *cell
	facts Facts
	anew  bool
}

// best is the largest request that passes now.
func (d *day) best() (found, bool) {
	var best found
	for _, c := range d.cells {
		a := &d.askers[c.asker]
		switch {
		case a.fresh == "":
			for _, name := range a.names {
				d.try(c, name, &best)
			}
		case d.perRequester(c):
			d.try(c, a.fresh+"-"+strconv.Itoa(d.others), &best)
			best.anew = best.anew || best.cell == c
		default:
			d.try(c, a.fresh, &best)
		}
	}
	return best, best.cell != nil
}

// perRequester reports whether it can matter that somebody asks who did not before.
func (d *day) perRequester(c *cell) bool {
	for i := range d.windows {
		if d.windows[i].Per == Requester && len(c.limits.sums[i]) > 0 {
			return true
		}
	}
	return false
}

// try finds the largest request that passes of one cell and one who asks.
func (d *day) try(c *cell, name string, best *found) {
	f := c.facts
	f.Requester, f.Groups, f.At = name, d.groups(name), d.now
	d.tally.Fill(&f)
	for _, amount := range d.largest(&c.limits, d.before(&f)) {
		if !best.facts.Amount.Less(amount) {
			return
		}
		if d.left--; d.left <= 0 {
			return
		}
		f.Amount = amount
		v := d.p.judge(&f)
		if d.lets(d.acceptsOf(name), &v) {
			*best = found{cell: c, facts: f}
			return
		}
	}
}

// acceptsOf are the rules that let pass what somebody asks.
func (d *day) acceptsOf(name string) *ruleSet {
	if d.role.is(name) {
		return &d.roles[0].accepts
	}
	return &d.role.accepts
}

// before is what moved before by window.
func (d *day) before(f *Facts) []money.Units {
	spent := make([]money.Units, len(d.windows))
	for i := range d.windows {
		for j := range f.Spent {
			if f.Spent[j].Window.same(&d.windows[i]) {
				spent[i] = f.Spent[j].Amount
			}
		}
	}
	return spent
}

// move lets a request pass as often as it does without that any sum reaches a limit.
func (d *day) move(m found) {
	times := d.times(&m)
	if len(d.reach.Steps) < MaxSteps {
		step := d.step(&m.facts, m.facts.Requester, times)
		step.Anew = m.anew && times != 1
		d.reach.Steps = append(d.reach.Steps, step)
	}
	d.others++
	amount, err := m.facts.Amount.Mul(max(times, 1))
	total, over := d.reach.Most.Add(amount)
	if d.reach.Endless = times == 0 || err != nil || over != nil || m.facts.Amount == d.far; d.reach.Endless {
		d.reach.Most = d.far
		return
	}
	d.reach.Most = total
	d.tally.Add(Moved{m.facts.Action, m.facts.Asset, m.facts.Requester, amount, d.now})
	if n := len(d.moved); n == 0 || d.moved[n-1] != d.now {
		d.moved = append(d.moved, d.now)
	}
}

// times is how often a request passes before a sum reaches the next limit; zero: there is
// none. Where each time another asks, sums of those who ask stay what they are.
func (d *day) times(m *found) uint64 {
	var least money.Units
	limited := false
	for i, spent := range d.before(&m.facts) {
		if m.anew && d.windows[i].Per == Requester {
			continue
		}
		total, err := spent.Add(m.facts.Amount)
		if err != nil {
			return 1
		}
		at := nextAbove(m.cell.limits.sums[i], 0, total)
		if at == 0 {
			continue
		}
		room := m.cell.limits.sums[i][at-1].SubFloor(total).SubFloor(money.FromUint64(1))
		more, err := room.MulDiv(money.FromUint64(1), m.facts.Amount, money.Down)
		if err != nil {
			return 1
		}
		if !limited || more.Less(least) {
			least, limited = more, true
		}
	}
	if !limited {
		return 0
	}
	n, ok := least.Uint64()
	if !ok || n == math.MaxUint64 {
		return math.MaxUint64
	}
	return n + 1
}

// next is when something may be otherwise: a move leaves a window, or other rules fit.
func (d *day) next() int64 {
	next := d.end
	sooner := func(at int64) {
		if at > d.now && at < next {
			next = at
		}
	}
	for _, at := range d.moved {
		for i := range d.windows {
			sooner(at + seconds(d.windows[i].Span))
		}
	}
	for _, t := range d.search.times {
		sooner(t.at)
		sooner(t.at + weekSeconds)
	}
	return next
}
