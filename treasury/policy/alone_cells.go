package policy

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"strongroom/money"
	"strongroom/treasury/consent"
	"strongroom/treasury/intent"
)

// ruleSet is a set of rules, by their places in Policy.rules.
type ruleSet [MaxRules / 64]uint64

func (s *ruleSet) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s *ruleSet) has(i int) bool { return s[i/64]>>(i%64)&1 == 1 }

func (s *ruleSet) and(t *ruleSet) ruleSet {
	both := *s
	for i := range both {
		both[i] &= t[i]
	}
	return both
}

// search is one run of Alone.
type search struct {
	p       *Policy
	asset   string
	above   money.Units
	roster  *consent.Roster
	rules   []*Rule
	layers  [][]int // places of their rules
	index   map[*Rule]int
	windows []Window
	askers  []asker
	roles   []role
	cells   []cell
	times   []weekTime
	far     money.Units // above all limits
	left    int         // evaluations
}

// asker is those who ask that the policy cannot tell apart, but for sums of their own.
type asker struct {
	names []string
	// fresh begins the names of those of them whom nobody counts, as customers, or is empty.
	fresh string
	fits  ruleSet
}

// cell is the requests of which the same rules may fit, by all but amount, sums and time.
type cell struct {
	facts  Facts // of one of them, without requester, time, amount and sums
	asker  int
	inside bool
	fits   ruleSet
	limits limits
}

// weekTime is a time of the week from which on other rules fit than before.
type weekTime struct {
	offset int64 // seconds since Monday
	at     int64 // the first such time at which the policy is in force
	fits   ruleSet
}

// maxCells bounds what is held in memory: some 10 MB.
const maxCells = 1 << 14

const daySeconds, weekSeconds = 24 * 3600, 7 * 24 * 3600

func newSearch(p *Policy, roster *consent.Roster, asset string, above money.Units) *search {
	s := &search{p: p, asset: asset, above: above, roster: roster, left: MaxEvaluations, index: map[*Rule]int{}}
	if p.Check() != nil {
		s.makeRoles(roster)
		return s // it may not come into force
	}
	s.rules = p.rules()
	for i := range p.Layers {
		var places []int
		for j := range p.Layers[i].Rules {
			places = append(places, len(s.index))
			s.index[&p.Layers[i].Rules[j]] = len(s.index)
		}
		s.layers = append(s.layers, places)
	}
	for _, w := range p.Windows() {
		if w.Asset == asset {
			s.windows = append(s.windows, w)
		}
	}
	s.makeAskers()
	s.makeRoles(roster)
	s.makeTimes()
	s.makeCells()
	return s
}

// fitting is the rules of which a part fits.
func (s *search) fitting(has part, f *Facts) ruleSet {
	var set ruleSet
	for i, rule := range s.rules {
		if has(&rule.When, f) {
			set.add(i)
		}
	}
	return set
}

// makeAskers lists each person, each requester that a rule names, somebody for each
// "customer:*", a customer whom no rule names, and somebody whose kind no rule names.
func (s *search) makeAskers() {
	named, prefixes := []string{}, []string{"customer:"}
	for _, rule := range s.rules {
		for _, id := range rule.When.Requesters.IDs {
			if prefix, ok := strings.CutSuffix(id, "*"); ok {
				prefixes = append(prefixes, prefix)
			} else {
				named = append(named, id)
			}
		}
	}
	prefixes = append(prefixes, unnamed("other", append(slices.Clone(prefixes), named...))+":")
	for _, prefix := range prefixes {
		s.addAsker(unnamed(prefix+"anybody", named), true)
	}
	if s.roster != nil {
		for i := range s.roster.Persons {
			s.addAsker(s.roster.Persons[i].ID, false)
		}
	}
	for _, id := range named {
		s.addAsker(id, false)
	}
}

// unnamed is a text that none of the names begins with, in letters of any size.
func unnamed(text string, names []string) string {
	for slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(strings.ToLower(name), text) }) {
		text += "x"
	}
	return text
}

func (s *search) addAsker(name string, countless bool) {
	if s.askerOf(name) >= 0 {
		return
	}
	fits := s.fitting((*Condition).requester, &Facts{Requester: name, Groups: s.groups(name)})
	at := slices.IndexFunc(s.askers, func(a asker) bool { return a.fits == fits })
	if at < 0 {
		s.askers = append(s.askers, asker{fits: fits})
		at = len(s.askers) - 1
	}
	if countless && s.askers[at].fresh == "" {
		s.askers[at].fresh = name
	}
	s.askers[at].names = append(s.askers[at].names, name)
}

func (s *search) askerOf(name string) int {
	return slices.IndexFunc(s.askers, func(a asker) bool { return slices.Contains(a.names, name) })
}

func (s *search) groups(name string) []string {
	if s.roster == nil {
		return nil
	}
	if p := s.roster.Person(name); p != nil {
		return p.Member()
	}
	return nil
}

// makeTimes cuts the week where a rule begins or ceases to fit.
func (s *search) makeTimes() {
	minutes := []Minute{0}
	for _, rule := range s.rules {
		for _, t := range rule.When.Times {
			minutes = append(minutes, t.From, t.Until)
		}
	}
	slices.Sort(minutes)
	minutes = slices.Compact(minutes)
	monday := s.p.NotBefore - s.p.NotBefore%daySeconds + daySeconds
	for day, _ := moment(monday); day != Monday; day, _ = moment(monday) {
		monday += daySeconds
	}
	for day := range int64(7) {
		for _, m := range minutes {
			offset := day*daySeconds + int64(m)*int64(time.Minute/time.Second)
			at := monday + offset
			fits := s.fitting((*Condition).time, &Facts{At: at})
			if n := len(s.times); n == 0 || s.times[n-1].fits != fits {
				s.times = append(s.times, weekTime{offset, at, fits})
			}
		}
	}
}

// option is a value of one fact.
type option struct {
	set  func(*cell)
	fits ruleSet
}

// makeCells multiplies out what requests may be, and keeps one of those to which the same
// rules fit. Where no rule of the base layer can fit, all is denied.
func (s *search) makeCells() {
	type key struct {
		fits   ruleSet
		action intent.Action
		asker  int
		inside bool
	}
	f := Facts{Environment: s.p.Environment, Asset: s.asset}
	cells := []cell{{facts: f, fits: s.fitting((*Condition).asset, &f)}}
	for _, options := range s.options() {
		if len(options) == 0 {
			s.left = 0 // nobody said what there is: nothing is shown
			return
		}
		var next []cell
		known := map[key]bool{}
		for i := range cells {
			for _, o := range options {
				c := cells[i]
				o.set(&c)
				c.fits = c.fits.and(&o.fits)
				k := key{c.fits, c.facts.Action, c.asker, c.inside}
				if s.left--; s.left <= 0 || len(next) == maxCells {
					s.left = 0
					return
				}
				if !known[k] && s.speaks(0, &c.fits) {
					known[k], next = true, append(next, c)
				}
			}
		}
		cells = next
	}
	for i := range cells {
		cells[i].limits = s.limitsOf(&cells[i].fits)
	}
	s.cells = cells
	s.far = s.farthest()
}

func (s *search) speaks(layer int, fits *ruleSet) bool {
	return slices.ContainsFunc(s.layers[layer], fits.has)
}

// options are the values of each fact between which the policy can tell. There are as many
// lists as parts, without asset, amount and time; none of them is empty.
func (s *search) options() [partCount - 3][]option {
	var all [partCount - 3][]option
	add := func(at int, has part, set func(*cell)) {
		var c cell
		set(&c)
		fits := s.fitting(has, &c.facts)
		if at < 2 || !slices.ContainsFunc(all[at], func(o option) bool { return o.fits == fits }) {
			all[at] = append(all[at], option{set, fits})
		}
	}
	for _, action := range []intent.Action{intent.Withdrawal, intent.Sweep, intent.Refill, intent.ColdSpend} {
		add(0, (*Condition).action, func(c *cell) { c.facts.Action = action })
	}
	for _, class := range []Class{New, Allowlisted, Own} {
		add(1, (*Condition).destination, func(c *cell) { c.facts.Class, c.inside = class, class == Own })
	}
	for _, chain := range s.named(func(c *Condition) []string { return c.Chains }, "another-chain") {
		add(2, (*Condition).chain, func(c *cell) { c.facts.Chain = chain })
	}
	for _, contract := range s.named(func(c *Condition) []string { return c.Contracts }, "", "another-contract") {
		add(3, (*Condition).contract, func(c *cell) { c.facts.Contract = contract })
	}
	for _, selector := range s.named(func(c *Condition) []string { return c.Selectors }, "", s.otherSelector()) {
		add(4, (*Condition).selector, func(c *cell) { c.facts.Selector = selector })
	}
	for i := range s.askers {
		all[5] = append(all[5], option{func(c *cell) { c.asker = i }, s.askers[i].fits})
	}
	return all
}

// named lists what the policy names, and before that what it does not.
func (s *search) named(of func(*Condition) []string, others ...string) []string {
	var names []string
	for _, rule := range s.rules {
		for _, is := range of(&rule.When) {
			if is != None && !slices.Contains(names, is) {
				names = append(names, is)
			}
		}
	}
	for i, other := range others {
		if other != "" {
			others[i] = unnamed(other, names)
		}
	}
	return append(others, names...)
}

func (s *search) otherSelector() string {
	named := s.named(func(c *Condition) []string { return c.Selectors })
	for n := uint64(1); ; n++ {
		is := strconv.FormatUint(n, 16)
		is = strings.Repeat("0", 8-len(is)) + is
		if !slices.Contains(named, is) {
			return is
		}
	}
}
