package policy

import (
	"slices"

	"strongroom/treasury/consent"
)

// Implies reports whether whoever meets a meets b too. It goes by the form: where it says
// yes that is so; a no may be one that it does not see, and then both are asked, which
// comes to the same.
func Implies(a, b *consent.Requirement) bool {
	by := func(list []consent.Requirement, holds func(*consent.Requirement) bool) (all, some bool) {
		all = len(list) > 0
		for i := range list {
			is := holds(&list[i])
			all, some = all && is, some || is
		}
		return all, some
	}
	over := func(m *consent.Requirement) bool { return Implies(a, m) }
	under := func(m *consent.Requirement) bool { return Implies(m, b) }
	switch {
	case a.Group != "" && b.Group != "":
		return a.Group == b.Group && a.Count >= b.Count
	case len(b.All) > 0: // what b is made of is taken apart first: it loses nothing
		all, _ := by(b.All, over)
		return all
	case len(a.Any) > 0:
		all, _ := by(a.Any, under)
		return all
	}
	_, some := by(b.Any, over)
	if !some {
		_, some = by(a.All, under)
	}
	return some
}

// join is what has to be met so that each of the requirements is: the strongest where one
// implies the others, else all that none of the others implies.
func join(all []*consent.Requirement) consent.Requirement {
	kept := make([]*consent.Requirement, 0, MaxLayers)
	for _, r := range all {
		if slices.ContainsFunc(kept, func(k *consent.Requirement) bool { return Implies(k, r) }) {
			continue
		}
		kept = slices.DeleteFunc(kept, func(k *consent.Requirement) bool { return Implies(r, k) })
		kept = append(kept, r)
	}
	if len(kept) == 1 {
		return *kept[0]
	}
	joined := consent.Requirement{All: make([]consent.Requirement, 0, len(kept))}
	for _, k := range kept {
		joined.All = append(joined.All, *k)
	}
	return joined
}

// Change is how one decision stands to another.
type Change string

// The changes.
const (
	Same     Change = "same"
	Stricter Change = "stricter" // whatever passes now would have passed before
	Laxer    Change = "laxer"    // whatever passed before passes now
	Other    Change = "other"    // neither
)

// Compare says how a decision changed. What lives shorter is stricter.
func Compare(before, after *Decision) Change {
	up, down := covers(after, before), covers(before, after)
	switch {
	case up && down:
		return Same
	case up:
		return Stricter
	case down:
		return Laxer
	}
	return Other
}

// covers reports whether a is at least as strict as b.
func covers(a, b *Decision) bool {
	if a.Outcome != Quorum || b.Outcome != Quorum {
		return strictness(a.Outcome) >= strictness(b.Outcome)
	}
	return a.Lives <= b.Lives && Implies(&a.Requirement, &b.Requirement)
}

// strictness orders outcomes; what is not known is a denial.
func strictness(o Outcome) int {
	switch o {
	case Allow:
		return 0
	case Quorum:
		return 1
	case Deny:
	}
	return 2
}
