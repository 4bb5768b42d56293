package consent

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Bounds of a requirement.
const (
	MaxRequirementBytes = 16 << 10
	MaxDepth            = 4
	MaxMembers          = 16
	MaxCount            = 64
)

// ErrRequirement reports a requirement that asks for nothing, for several things at once,
// or for too much.
var ErrRequirement = errors.New("requirement is not valid")

// Requirement is whose consent it takes. It is one of three: so many people of a group,
// all of some requirements, or any one of them. A person who is in two groups counts in
// each; to have different people, ask for a count of a group that holds both. The zero
// value is not valid and is never met.
type Requirement struct {
	Group string        `json:"group,omitempty"`
	Count int           `json:"count,omitempty"` // of the group, at least 1
	All   []Requirement `json:"all,omitempty"`
	Any   []Requirement `json:"any,omitempty"`
}

// ParseRequirement reads the form that json.Marshal writes and nothing else. Errors:
// ErrRequirement.
func ParseRequirement(text []byte) (Requirement, error) {
	var r Requirement
	if len(text) > MaxRequirementBytes {
		return r, fmt.Errorf("%w: it has %d bytes, at most %d are read", ErrRequirement, len(text), MaxRequirementBytes)
	}
	if err := strict(text, &r); err != nil {
		return Requirement{}, fmt.Errorf("%w: %w", ErrRequirement, err)
	}
	if err := r.Check(); err != nil {
		return Requirement{}, err
	}
	return r, nil
}

// Check reports what can never be met, or would be met by nobody. Errors: ErrRequirement,
// with the member.
func (r *Requirement) Check() error { return r.check(1) }

func (r *Requirement) check(depth int) error {
	group := r.Group != "" || r.Count != 0
	members := append(slices.Clone(r.All), r.Any...)
	switch {
	case depth > MaxDepth:
		return fmt.Errorf("%w: it is nested more than %d deep", ErrRequirement, MaxDepth)
	case group == (len(members) > 0), len(r.All) > 0 && len(r.Any) > 0:
		return fmt.Errorf("%w: give one of group with count, all, and any", ErrRequirement)
	case len(members) > MaxMembers:
		return fmt.Errorf("%w: all or any has more than %d members", ErrRequirement, MaxMembers)
	case group:
		return r.checkGroup()
	}
	for at := range members {
		if err := members[at].check(depth + 1); err != nil {
			return err
		}
	}
	return nil
}

func (r *Requirement) checkGroup() error {
	if !identifier(r.Group) {
		return fmt.Errorf("%w: group %.40q is not a short name in small letters", ErrRequirement, r.Group)
	}
	if r.Count < 1 || r.Count > MaxCount {
		return fmt.Errorf("%w: count of %s is %d: give 1 to %d", ErrRequirement, r.Group, r.Count, MaxCount)
	}
	return nil
}

// Met reports whether the consent of those people is enough: the groups of each distinct
// person. What Check refuses is never met.
func (r *Requirement) Met(people [][]string) bool { return r.Check() == nil && r.met(people) }

func (r *Requirement) met(people [][]string) bool {
	by := func(m Requirement) bool { return m.met(people) }
	switch {
	case r.Group != "":
		return r.lacks(people) <= 0
	case len(r.All) > 0:
		return !slices.ContainsFunc(r.All, func(m Requirement) bool { return !by(m) })
	}
	return slices.ContainsFunc(r.Any, by)
}

// lacks is how many more of the group it takes.
func (r *Requirement) lacks(people [][]string) int {
	lacks := r.Count
	for _, groups := range people {
		if slices.Contains(groups, r.Group) {
			lacks--
		}
	}
	return lacks
}

// Missing is what it takes beyond those people, or nil where nothing: of a group the
// count that lacks, of all those that are not met, of any every way that is left.
func (r *Requirement) Missing(people [][]string) *Requirement {
	if r.met(people) {
		return nil
	}
	if r.Group != "" {
		return &Requirement{Group: r.Group, Count: r.lacks(people)}
	}
	left := make([]Requirement, 0, len(r.All)+len(r.Any))
	for _, members := range [][]Requirement{r.All, r.Any} {
		for at := range members {
			if m := members[at].Missing(people); m != nil {
				left = append(left, *m)
			}
		}
	}
	switch {
	case len(left) == 1:
		return &left[0]
	case len(r.All) > 0:
		return &Requirement{All: left}
	}
	return &Requirement{Any: left}
}

// Groups lists the groups that it names, sorted, each once.
func (r *Requirement) Groups() []string {
	var groups []string
	if r.Group != "" {
		groups = append(groups, r.Group)
	}
	for _, members := range [][]Requirement{r.All, r.Any} {
		for at := range members {
			groups = append(groups, members[at].Groups()...)
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// String says it in words: "2 of treasury and (1 of risk or 1 of board)".
func (r *Requirement) String() string {
	if r.Group != "" {
		return strconv.Itoa(r.Count) + " of " + r.Group
	}
	members, word := r.All, " and "
	if len(members) == 0 {
		members, word = r.Any, " or "
	}
	if len(members) == 0 {
		return "nobody"
	}
	parts := make([]string, 0, len(members))
	for at := range members {
		text := members[at].String()
		if members[at].Group == "" && len(members) > 1 {
			text = "(" + text + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, word)
}
