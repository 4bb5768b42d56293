package policy

import (
	"fmt"
	"slices"
	"strings"

	"strongroom/treasury/consent"
	"strongroom/treasury/intent"
)

// Check reports what contradicts itself. Errors: ErrPolicy, with the layer, the rule, the
// member and what to do.
func (p *Policy) Check() error {
	switch {
	case !printed(p.Environment, MaxText):
		return fmt.Errorf("%w: environment: give the name of the installation, 1 to %d characters without spaces", ErrPolicy, MaxText)
	case p.Version == 0:
		return fmt.Errorf("%w: version is zero: the first one is 1", ErrPolicy)
	case p.NotBefore <= 0:
		return fmt.Errorf("%w: notBefore: give the time from which it counts, in Unix seconds", ErrPolicy)
	case len(p.Layers) == 0 || len(p.Layers) > MaxLayers:
		return fmt.Errorf("%w: layers: there are %d, give 1 to %d", ErrPolicy, len(p.Layers), MaxLayers)
	}
	total, known := 0, map[string]bool{}
	for i := range p.Layers {
		l := &p.Layers[i]
		if !name(l.Name) || known[l.Name] {
			return fmt.Errorf("%w: layers: %.70q is no short name in small letters, or is there twice", ErrPolicy, l.Name)
		}
		known[l.Name] = true
		if total += len(l.Rules); total > MaxRules {
			return fmt.Errorf("%w: layers: they have more than %d rules", ErrPolicy, MaxRules)
		}
		if err := l.check(); err != nil {
			return fmt.Errorf("%w: layer %s: %w", ErrPolicy, l.Name, err)
		}
	}
	return nil
}

func (l *Layer) check() error {
	if len(l.Rules) == 0 {
		return errorf("rules: there are none: a layer without rules says nothing, leave it out")
	}
	known := map[string]bool{}
	for i := range l.Rules {
		r := &l.Rules[i]
		if !name(r.Name) || known[r.Name] {
			return errorf("rules: %.70q is no short name in small letters, or is there twice", r.Name)
		}
		known[r.Name] = true
		if err := r.check(); err != nil {
			return fmt.Errorf("rule %s: %w", r.Name, err)
		}
	}
	return nil
}

func (r *Rule) check() error {
	if len(r.Note) > MaxNote || r.Note != "" && !printed(strings.ReplaceAll(r.Note, " ", ""), MaxNote) {
		return errorf("note: give at most %d characters of ASCII on one line", MaxNote)
	}
	if err := r.When.check(); err != nil {
		return fmt.Errorf("when: %w", err)
	}
	switch r.Outcome {
	case Allow, Deny:
		if r.Requirement != nil || r.Lives != 0 {
			return errorf("requirement and lives are for the outcome %s, this is %s: leave them out", Quorum, r.Outcome)
		}
		return nil
	case Quorum:
		return r.checkQuorum()
	}
	return errorf("outcome %.20q is not one of %s, %s, %s", r.Outcome, Allow, Quorum, Deny)
}

func (r *Rule) checkQuorum() error {
	if r.Requirement == nil {
		return errorf("requirement is missing: a quorum takes one")
	}
	if err := r.Requirement.Check(); err != nil {
		return fmt.Errorf("requirement: %w", err)
	}
	if deep := depth(r.Requirement); deep > MaxRequirementDepth {
		return errorf("requirement: it is nested %d deep, at most %d", deep, MaxRequirementDepth)
	}
	if r.Lives < MinLives || r.Lives > MaxLives {
		return errorf("lives: it is %s: give %s to %s", r.Lives, MinLives, MaxLives)
	}
	return nil
}

func depth(r *consent.Requirement) int {
	deepest := 0
	for _, members := range [][]consent.Requirement{r.All, r.Any} {
		for i := range members {
			deepest = max(deepest, depth(&members[i]))
		}
	}
	return deepest + 1
}

func (c *Condition) check() error {
	err := first(
		list("actions", c.Actions, intent.Action.Known),
		list("chains", c.Chains, text),
		list("assets", c.Assets, text),
		list("contracts", c.Contracts, text),
		list("selectors", c.Selectors, func(s string) bool { return s == None || selector(s) }),
		list("destinations", c.Destinations, func(k Class) bool { return k == Own || k == Allowlisted || k == New }),
		list("requesters: groups", c.Requesters.Groups, name),
		list("requesters: ids", c.Requesters.IDs, requesterID),
		c.checkAmounts(),
		c.checkTimes(),
	)
	return err
}

func text(s string) bool { return printed(s, MaxText) }

// requesterID accepts a star only as the whole of what is behind the colon.
func requesterID(s string) bool {
	return requester(s) && len(s) <= MaxText && (!strings.Contains(s, "*") || strings.Index(s, ":*") == len(s)-2)
}

func (c *Condition) checkAmounts() error {
	if c.Amount.IsZero() && len(c.Sums) == 0 {
		return nil
	}
	if len(c.Assets) != 1 {
		return errorf("assets: amount and sums are base units of one asset: name exactly one, not %d", len(c.Assets))
	}
	if i := slices.IndexFunc(c.Actions, func(a intent.Action) bool { return !a.Moves() }); i >= 0 {
		return errorf("actions: %s moves no money: it has no amount", c.Actions[i])
	}
	if !c.Amount.IsZero() && !c.Amount.ordered() {
		return errorf("amount: from %s is not below %s", c.Amount.From, c.Amount.Below)
	}
	if len(c.Sums) > MaxSums {
		return errorf("sums: there are %d, at most %d", len(c.Sums), MaxSums)
	}
	for i := range c.Sums {
		if err := c.Sums[i].check(); err != nil {
			return err
		}
		if slices.ContainsFunc(c.Sums[:i], func(s Sum) bool { return s.Per == c.Sums[i].Per && s.Window == c.Sums[i].Window }) {
			return errorf("sums: that per %s in %s is there twice", c.Sums[i].Per, c.Sums[i].Window)
		}
	}
	return nil
}

func (r Range) ordered() bool { return r.Below.IsZero() || r.From.Less(r.Below) }

func (s *Sum) check() error {
	switch {
	case s.Per != House && s.Per != Requester:
		return errorf("sums: per: %.20q is not %s or %s", s.Per, House, Requester)
	case s.Window < MinWindow || s.Window > MaxWindow || s.Window%hour != 0:
		return errorf("sums: window: it is %s: give whole hours, %s to %s", s.Window, MinWindow, MaxWindow)
	case s.IsZero():
		return errorf("sums: give from, below, or both")
	case !s.ordered():
		return errorf("sums: from %s is not below %s", s.From, s.Below)
	}
	return nil
}

func (c *Condition) checkTimes() error {
	if len(c.Times) > MaxTimes {
		return errorf("times: there are %d, at most %d", len(c.Times), MaxTimes)
	}
	for i := range c.Times {
		if err := c.Times[i].check(); err != nil {
			return err
		}
	}
	return nil
}

func (t *Times) check() error {
	last := Day(0)
	for _, day := range t.Days {
		if day <= last || day > Sunday {
			return errorf("times: days: %s is there twice or not in the order of the week", day)
		}
		last = day
	}
	switch {
	case !t.From.valid() || !t.Until.valid():
		return errorf("times: from %s or until %s is no time of day", t.From, t.Until)
	case t.Until != 0 && t.Until <= t.From:
		return errorf("times: from %s is not before until %s: what goes past midnight takes two times", t.From, t.Until)
	case len(t.Days) == 0 && t.From == 0 && t.Until == 0:
		return errorf("times: one of them is always: leave times out")
	}
	return nil
}

func (m Minute) valid() bool { return m >= 0 && m < dayMinutes }

// list reports a member that is not valid, double or out of order.
func list[T ~string](member string, members []T, valid func(T) bool) error {
	if len(members) > MaxListed {
		return errorf("%s: there are %d, at most %d", member, len(members), MaxListed)
	}
	for i, is := range members {
		if !valid(is) {
			return errorf("%s: %.70q is not one that can be", member, is)
		}
		if i > 0 && is <= members[i-1] {
			return errorf("%s: %s is there twice or not in order: sort them", member, is)
		}
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// errorf makes an error that Check puts ErrPolicy in front of.
func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }
