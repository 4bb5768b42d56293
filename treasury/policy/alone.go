package policy

import (
	"cmp"
	"slices"

	"strongroom/money"
	"strongroom/treasury/consent"
)

// MaxEvaluations bounds the work of Alone: about a second.
const MaxEvaluations = 200_000

// Powers says who can move more than some amount of an asset alone: with nobody's consent,
// or with that of exactly one person.
type Powers struct {
	Asset  string      `json:"asset"`
	Above  money.Units `json:"above"`
	Out    []Power     `json:"out"`    // to destinations that are allow-listed or new
	Inside []Power     `json:"inside"` // to destinations of the house
	// Complete is false where MaxEvaluations, or 16,384 sets of rules that fit together, were
	// not enough. What was not shown by then counts as something that can be done.
	Complete    bool `json:"complete"`
	Evaluations int  `json:"evaluations"`
}

// Power is what persons can do, each of them alone.
type Power struct {
	Persons []string `json:"persons,omitempty"` // sorted; none: it takes nobody's consent
	AtOnce  Reach    `json:"atOnce"`            // in one transaction
	Daily   Reach    `json:"daily"`             // in one after the other within 24 hours
}

// Reach is how much that is.
type Reach struct {
	// More is set where it is more than Above, and where it is not shown that it is not.
	More    bool        `json:"more"`
	Most    money.Units `json:"most"`    // the most that was found, which Steps show
	Endless bool        `json:"endless"` // there is no amount at which it ends
	Bound   money.Units `json:"bound"`   // it is shown never to be more; counts where Bounded is set
	Bounded bool        `json:"bounded"`
	// Steps are those of the first of the persons; where more than MaxSteps, the first.
	Steps []Step `json:"steps,omitempty"`
}

// Step is a request that passes, again and again where Times says so.
type Step struct {
	Facts    Facts    `json:"facts"` // with what moved before the first of them
	Decision Decision `json:"decision"`
	Times    uint64   `json:"times"` // zero: without end
	// Anew is set where each time somebody else asks, whose name begins in the same way.
	Anew bool `json:"anew,omitempty"`
}

// Alone finds who can move more than an amount of an asset with nobody's consent, or with
// that of one person of the roster. Who asks is never who consents; it may otherwise be
// anybody, since nobody signs that a request is his. A nil roster has no persons.
//
// It asks the policy itself, about every request that it can tell from another: each set
// of rules that action, chain, contract, selector, destination, requester and time let
// fit, with amounts and sums on both sides of each limit. AtOnce is exact in that, for any
// past: sums are taken as they may stand to each other where all that one window counts is
// counted by another too. Daily has two sides. Most is found by moving the largest amount
// that passes, until none does, beginning with a past in which nothing moved: whoever
// repeats the steps gets as far. Bound is proven: whatever passes falls under a sum that
// has an upper limit, and the limits are added up. Between the two it is not known, and
// More is set.
func Alone(p *Policy, roster *consent.Roster, asset string, above money.Units) *Powers {
	s := newSearch(p, roster, asset, above)
	powers := &Powers{Asset: asset, Above: above}
	once := s.once()
	powers.Out, powers.Inside = s.powers(once, false), s.powers(once, true)
	powers.Complete, powers.Evaluations = s.left > 0, MaxEvaluations-max(s.left, 0)
	return powers
}

// More reports whether anybody alone can move more than Above out of the house, at once or
// within 24 hours, or it is not shown that nobody can.
func (p *Powers) More() bool {
	return slices.ContainsFunc(p.Out, func(o Power) bool { return o.AtOnce.More || o.Daily.More })
}

// role is persons that the policy cannot tell apart. The first role is nobody.
type role struct {
	persons []string
	accepts ruleSet // rules that let a request pass by the consent of one of them, or by none
	asker   int     // their place among those who ask
}

// is reports whether a name is that of whoever consents: the first of the role.
func (r *role) is(name string) bool { return len(r.persons) > 0 && r.persons[0] == name }

// roles groups the persons of a roster by what their consent is worth.
func (s *search) makeRoles(roster *consent.Roster) {
	s.roles = []role{{accepts: s.accepted(nil), asker: -1}}
	if roster == nil {
		return
	}
	for i := range roster.Persons {
		p := &roster.Persons[i]
		is := role{persons: []string{p.ID}, accepts: s.accepted(p), asker: s.askerOf(p.ID)}
		at := slices.IndexFunc(s.roles, func(r role) bool {
			return len(r.persons) > 0 && r.accepts == is.accepts && r.asker == is.asker
		})
		if at < 0 {
			s.roles = append(s.roles, is)
		} else {
			s.roles[at].persons = append(s.roles[at].persons, p.ID)
		}
	}
}

// accepted are the rules that let pass by the consent of that person at most.
func (s *search) accepted(p *consent.Person) ruleSet {
	var set ruleSet
	for i, rule := range s.rules {
		switch rule.strict() {
		case Allow:
			set.add(i)
		case Quorum:
			if p != nil && rule.Requirement.Met([][]string{p.Member()}) {
				set.add(i)
			}
		case Deny:
		}
	}
	return set
}

func (s *search) powers(once map[onceKey]Reach, inside bool) []Power {
	powers := make([]Power, 0, len(s.roles))
	for i := range s.roles {
		r := &s.roles[i]
		is := Power{Persons: r.persons, AtOnce: once[onceKey{i, inside}]}
		is.AtOnce.Bound, is.AtOnce.Bounded = is.AtOnce.Most, !is.AtOnce.Endless && s.left > 0
		is.Daily = s.daily(r, inside, &is.AtOnce)
		is.AtOnce.judge(s.above)
		is.Daily.judge(s.above)
		powers = append(powers, is)
	}
	slices.SortStableFunc(powers[1:], func(a, b Power) int { return cmp.Compare(a.Persons[0], b.Persons[0]) })
	return powers
}

func (r *Reach) judge(above money.Units) {
	r.More = r.Endless || !r.Bounded || above.Less(r.Bound) || above.Less(r.Most)
}
