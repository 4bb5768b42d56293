package policy

import (
	"slices"
	"strings"

	"strongroom/money"
	"strongroom/treasury/intent"
)

// None stands, among contracts and selectors, for a transaction that has none.
const None = "none"

// Condition fits a request where each of its parts does. A part that is left out fits
// everything; a list fits where one of its members does. Lists are sorted, without doubles.
type Condition struct {
	Actions      []intent.Action `json:"actions,omitempty"`
	Chains       []string        `json:"chains,omitempty"`
	Assets       []string        `json:"assets,omitempty"`
	Contracts    []string        `json:"contracts,omitempty"` // of tokens, or None
	Selectors    []string        `json:"selectors,omitempty"` // eight small hex digits, or None
	Destinations []Class         `json:"destinations,omitempty"`
	Requesters   Requesters      `json:"requesters,omitzero"`
	// Amount and Sums are base units of the one asset that Assets names.
	Amount Range   `json:"amount,omitzero"`
	Sums   []Sum   `json:"sums,omitempty"`  // each has to fit
	Times  []Times `json:"times,omitempty"` // one has to fit
}

// Range fits what is From or above, and under Below: it is half open. Where Below is zero
// there is no upper end.
type Range struct {
	From  money.Units `json:"from,omitzero"`
	Below money.Units `json:"below,omitzero"`
}

// IsZero reports whether it says nothing.
func (r Range) IsZero() bool { return r == Range{} }

// Has reports whether u is in it.
func (r Range) Has(u money.Units) bool {
	return !u.Less(r.From) && (r.Below.IsZero() || u.Less(r.Below))
}

// Per says whose requests a sum counts.
type Per string

// Whose.
const (
	House     Per = "house"     // everybody's
	Requester Per = "requester" // those of whoever asks
)

// Sum fits where what has moved within the window, together with the request itself, is
// in the range. It counts the asset and the actions of the condition that it is in; where
// that names no actions, all that move money.
type Sum struct {
	Per    Per  `json:"per"`
	Window Span `json:"window"` // slides: what moved longer ago than that, or exactly then, is out of it
	Range
}

// Requesters fits who asks: a person by id, anyone of a group by the roster, or, by
// "customer:*" and the like, whoever's name begins so. Groups never fit a name with a
// colon in it.
type Requesters struct {
	Groups []string `json:"groups,omitempty"`
	IDs    []string `json:"ids,omitempty"`
}

// IsZero reports whether it says nothing.
func (r Requesters) IsZero() bool { return len(r.Groups) == 0 && len(r.IDs) == 0 }

// Times fits a time of the week in UTC: on one of the days, or on all where there are
// none, from From on and before Until, which is midnight where it is left out. What goes
// on past midnight takes two of them.
type Times struct {
	Days  []Day  `json:"days,omitempty"`
	From  Minute `json:"from,omitzero"`
	Until Minute `json:"until,omitzero"`
}

func (t *Times) has(day Day, minute Minute) bool {
	return (len(t.Days) == 0 || slices.Contains(t.Days, day)) && minute >= t.From && (t.Until == 0 || minute < t.Until)
}

// fit is how a condition stands to a request.
type fit uint8

const (
	misfit  fit = iota
	fits        // all parts do
	unknown     // all parts do, but a sum that is not known, or is too large to be told
)

// part is one part of a condition; sums are apart, as they can be unknown.
type part func(*Condition, *Facts) bool

// partCount goes with parts. Whoever adds one finds by it where Alone has to know of it.
const partCount = 9

// parts are in the order in which they are looked at: what is cheap and fits seldom first.
func parts() [partCount]part {
	return [partCount]part{
		(*Condition).action, (*Condition).asset, (*Condition).amount, (*Condition).chain, (*Condition).contract,
		(*Condition).selector, (*Condition).destination, (*Condition).requester, (*Condition).time,
	}
}

func (c *Condition) fits(f *Facts) fit {
	for _, has := range parts() {
		if !has(c, f) {
			return misfit
		}
	}
	result := fits
	for i := range c.Sums {
		total, known := c.total(&c.Sums[i], f)
		switch {
		case !known:
			result = unknown
		case !c.Sums[i].Has(total):
			return misfit
		}
	}
	return result
}

// in is the common case: no list, or one that has it.
func in[T comparable](list []T, is T) bool { return len(list) == 0 || slices.Contains(list, is) }

func (c *Condition) action(f *Facts) bool      { return in(c.Actions, f.Action) }
func (c *Condition) chain(f *Facts) bool       { return in(c.Chains, f.Chain) }
func (c *Condition) asset(f *Facts) bool       { return in(c.Assets, f.Asset) }
func (c *Condition) amount(f *Facts) bool      { return c.Amount.Has(f.Amount) }
func (c *Condition) destination(f *Facts) bool { return in(c.Destinations, f.Class) }

func (c *Condition) selector(f *Facts) bool {
	if f.Selector == "" {
		return in(c.Selectors, None)
	}
	return in(c.Selectors, f.Selector)
}

// contract takes letters of either size for the same: an address that was copied in
// another form must not slip past a rule.
func (c *Condition) contract(f *Facts) bool {
	if len(c.Contracts) == 0 {
		return true
	}
	for _, is := range c.Contracts {
		if strings.EqualFold(is, f.Contract) || is == None && f.Contract == "" {
			return true
		}
	}
	return false
}

func (c *Condition) requester(f *Facts) bool {
	if c.Requesters.IsZero() {
		return true
	}
	for _, id := range c.Requesters.IDs {
		if id == f.Requester {
			return true
		}
		if prefix, ok := strings.CutSuffix(id, "*"); ok && strings.HasPrefix(f.Requester, prefix) {
			return true
		}
	}
	if strings.Contains(f.Requester, ":") {
		return false
	}
	for _, group := range c.Requesters.Groups {
		if slices.Contains(f.Groups, group) {
			return true
		}
	}
	return false
}

func (c *Condition) time(f *Facts) bool {
	if len(c.Times) == 0 {
		return true
	}
	day, minute := moment(f.At)
	for i := range c.Times {
		if c.Times[i].has(day, minute) {
			return true
		}
	}
	return false
}

// total is the sum with the request itself.
func (c *Condition) total(s *Sum, f *Facts) (money.Units, bool) {
	for i := range f.Spent {
		if f.Spent[i].Window.is(c, s) {
			total, err := f.Spent[i].Amount.Add(f.Amount)
			return total, err == nil
		}
	}
	return money.Units{}, false
}
