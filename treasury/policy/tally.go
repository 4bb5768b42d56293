package policy

import (
	"slices"

	"strongroom/money"
	"strongroom/treasury/intent"
)

// Moved is one request that moves money, as sums count it: from when it was let pass, or
// asked for, whichever whoever counts knows first.
type Moved struct {
	Action    intent.Action `json:"action"`
	Asset     string        `json:"asset"`
	Requester string        `json:"requester"`
	Amount    money.Units   `json:"amount"`
	At        int64         `json:"at"` // Unix seconds
}

// Tally keeps the sums of windows while time goes on: it holds no more than what the
// longest window holds. It is for one goroutine at a time.
type Tally struct {
	windows []Window
	sums    map[sumKey]*running
	now     int64
}

type sumKey struct {
	window int
	whose  string // empty: the house's
}

type running struct {
	total money.Units
	past  []Moved // the oldest first
	// over is set where the total does not fit: no sum is told from then on.
	over bool
}

// NewTally counts the windows of policies: those of Policy.Windows.
func NewTally(windows ...Window) *Tally {
	t := &Tally{sums: map[sumKey]*running{}}
	for i := range windows {
		if !slices.ContainsFunc(t.windows, func(w Window) bool { return w.same(&windows[i]) }) {
			t.windows = append(t.windows, windows[i])
		}
	}
	return t
}

// Add counts a request. Time never goes back: one that comes late counts as of the newest
// time that the tally has seen, so longer rather than shorter.
func (t *Tally) Add(m Moved) {
	t.now = max(t.now, m.At)
	m.At = t.now
	for i := range t.windows {
		w := &t.windows[i]
		if !w.Counts(m.Action, m.Asset) {
			continue
		}
		key := sumKey{window: i, whose: w.whose(m.Requester)}
		r := t.sums[key]
		if r == nil {
			r = &running{}
			t.sums[key] = r
		}
		r.add(m, w.Span)
	}
}

// Fill sets what moved before a request in each window that counts it, by the time of the
// request or the newest that the tally has seen.
func (t *Tally) Fill(f *Facts) {
	t.now = max(t.now, f.At)
	f.Spent = make([]Spent, 0, len(t.windows))
	for i := range t.windows {
		w := &t.windows[i]
		if !w.Counts(f.Action, f.Asset) {
			continue
		}
		spent := Spent{Window: *w}
		key := sumKey{window: i, whose: w.whose(f.Requester)}
		if r := t.sums[key]; r != nil {
			r.expire(t.now, w.Span)
			if r.over {
				continue
			}
			spent.Amount = r.total
			if len(r.past) == 0 {
				delete(t.sums, key)
			}
		}
		f.Spent = append(f.Spent, spent)
	}
}

// whose names whose sum a request is part of.
func (w *Window) whose(requester string) string {
	if w.Per == House {
		return ""
	}
	return requester
}

func (r *running) add(m Moved, span Span) {
	r.expire(m.At, span)
	total, err := r.total.Add(m.Amount)
	if err != nil {
		r.over = true
		return
	}
	r.total, r.past = total, append(r.past, m)
}

// expire takes out what is as old as the window is long, or older.
func (r *running) expire(now int64, span Span) {
	n := 0
	for n < len(r.past) && r.past[n].At <= now-seconds(span) {
		r.total = r.total.SubFloor(r.past[n].Amount)
		n++
	}
	r.past = slices.Delete(r.past, 0, n)
}

func seconds(s Span) int64 { return int64(s / (hour / 3600)) }

// Fill sets what moved before a request in each window of the policy that counts it, from
// a list in any order. What is dated later than the request counts too: clocks differ.
// For many requests Tally is quicker.
func (p *Policy) Fill(f *Facts, past []Moved) {
	windows := p.Windows()
	f.Spent = make([]Spent, 0, len(windows))
	for i := range windows {
		w := &windows[i]
		if !w.Counts(f.Action, f.Asset) {
			continue
		}
		if total, ok := w.total(f, past); ok {
			f.Spent = append(f.Spent, Spent{*w, total})
		}
	}
}

func (w *Window) total(f *Facts, past []Moved) (money.Units, bool) {
	var total money.Units
	for i := range past {
		m := &past[i]
		if !w.Counts(m.Action, m.Asset) || w.whose(m.Requester) != w.whose(f.Requester) || m.At <= f.At-seconds(w.Span) {
			continue
		}
		var err error
		if total, err = total.Add(m.Amount); err != nil {
			return money.Units{}, false
		}
	}
	return total, true
}
