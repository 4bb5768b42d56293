package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Bounds of a dry run.
const (
	MaxDryRun  = 100_000 // requests
	MaxChanges = 1_000   // listed; all are counted
)

// Report is what another policy would have said to past requests.
type Report struct {
	Requests int             `json:"requests"` // that were decided
	Before   map[Outcome]int `json:"before"`
	After    map[Outcome]int `json:"after"`
	Changed  map[Change]int  `json:"changed"` // without Same
	Changes  []Changed       `json:"changes"` // the first MaxChanges, the oldest first
}

// Changed is one request that would be decided otherwise.
type Changed struct {
	At     int      `json:"at"` // place in the list that was handed over
	Facts  Facts    `json:"facts"`
	Before Decision `json:"before"`
	After  Decision `json:"after"`
	Change Change   `json:"change"`
}

// DryRun holds another policy against past requests, as if each were in force all the
// time and had let the same requests pass: sums are counted anew from the list itself, of
// all requests that the policy that is in force did not deny. Requests from before since
// are only counted, so that windows are full when the first one is decided: hand over
// MaxWindow more. Spent of the facts is not used. Errors: ErrPolicy where there are more
// than MaxDryRun.
func (p *Policy) DryRun(next *Policy, requests []Facts, since time.Time) (*Report, error) {
	if len(requests) > MaxDryRun {
		return nil, fmt.Errorf("%w: there are %d past requests, at most %d are looked at: take fewer days", ErrPolicy, len(requests), MaxDryRun)
	}
	order := make([]int, len(requests))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(requests[a].At, requests[b].At) })
	r := &Report{Before: make(map[Outcome]int), After: make(map[Outcome]int), Changed: make(map[Change]int)}
	tally := NewTally(append(p.Windows(), next.Windows()...)...)
	for _, at := range order {
		f := requests[at]
		tally.Fill(&f)
		before := p.judged(&f)
		if before.Outcome != Deny {
			tally.Add(Moved{f.Action, f.Asset, f.Requester, f.Amount, f.At})
		}
		if f.At >= since.Unix() {
			r.add(at, &f, before, next.judged(&f))
		}
	}
	return r, nil
}

// judged decides whenever the policy is or was in force.
func (p *Policy) judged(f *Facts) Decision {
	v := p.judge(f)
	if f.Environment != p.Environment {
		v = verdict{outcome: Deny, cause: errEnvironment}
	}
	d := p.decision(&v)
	d.Sentence = p.sentence(f, &v, &d, nil)
	return d
}

func (r *Report) add(at int, f *Facts, before, after Decision) {
	r.Requests++
	r.Before[before.Outcome]++
	r.After[after.Outcome]++
	change := Compare(&before, &after)
	if change == Same {
		return
	}
	r.Changed[change]++
	if len(r.Changes) < MaxChanges {
		r.Changes = append(r.Changes, Changed{at, *f, before, after, change})
	}
}

// String says the counts in one sentence.
func (r *Report) String() string {
	var said []string
	for _, c := range []Change{Stricter, Laxer, Other} {
		said = append(said, fmt.Sprintf("%d %s", r.Changed[c], c))
	}
	return fmt.Sprintf("Of %d requests %d would be decided otherwise: %s.", r.Requests, r.Changed[Stricter]+r.Changed[Laxer]+r.Changed[Other], strings.Join(said, ", "))
}
