package quorum

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"strongroom/chainadapters"
)

// errBusy is the answer on behalf of a node that owes too many answers.
var errBusy = errors.New("it owes too many answers")

// reply is what one node answered.
type reply[T any] struct {
	node  *node
	votes bool
	value T
	err   error
}

// ballot is one question to several nodes at once.
type ballot[T any] struct {
	voters, watched []*node
	ask             func(context.Context, *node) (T, error)
	// enough tells whether the replies of voters so far decide.
	enough func([]reply[T]) bool
	grace  time.Duration // how long to wait for the others once they do
	// judge draws conclusions about the nodes whose replies are at from and later.
	judge func(all []reply[T], from int)
}

// hold asks and returns the replies of voters once they decide, or once all are
// in. Whoever is slower is judged when its answer comes, within the timeout.
func hold[T any](ctx context.Context, q *Adapter, b ballot[T]) ([]reply[T], error) {
	total := len(b.voters) + len(b.watched)
	in := make(chan reply[T], total)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("ask nodes: %w", err)
	}
	for i, n := range slices.Concat(b.voters, b.watched) {
		go func() { in <- question(ctx, q, n, i < len(b.voters), b.ask) }()
	}
	all, err := gather(ctx, b, in)
	judged := len(all)
	if err == nil {
		b.judge(all, 0)
	} else {
		judged = 0
	}
	if len(all) < total {
		late := slices.Clone(all)
		q.under.Go(func() {
			for len(late) < total {
				late = append(late, <-in)
			}
			b.judge(late, judged)
		})
	}
	return votes(all), err
}

// gather takes replies until the voters decided and the grace is over.
func gather[T any](ctx context.Context, b ballot[T], in <-chan reply[T]) (all []reply[T], err error) {
	var over <-chan time.Time
	timer := time.NewTimer(b.grace)
	defer timer.Stop()
	for waiting := len(b.voters); waiting > 0; {
		select {
		case r := <-in:
			all = append(all, r)
			if r.votes {
				waiting--
			}
		case <-over:
			return all, nil
		case <-ctx.Done():
			return all, fmt.Errorf("ask nodes: %w", ctx.Err())
		}
		switch {
		case over != nil || waiting == 0 || !b.enough(votes(all)):
		case b.grace == 0:
			return all, nil
		default:
			timer.Reset(b.grace)
			over = timer.C
		}
	}
	return all, nil
}

// question asks one node in bounded time, also where the caller has gone: what it
// answers late tells whether it can be trusted.
func question[T any](ctx context.Context, q *Adapter, n *node, votes bool, ask func(context.Context, *node) (T, error)) reply[T] {
	r := reply[T]{node: n, votes: votes}
	defer n.pending.Add(-1)
	if n.pending.Add(1) > maxPending {
		r.err = errBusy
		return r
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), q.cfg.Timeout)
	defer cancel()
	r.value, r.err = ask(ctx, n)
	return r
}

func votes[T any](all []reply[T]) []reply[T] {
	return slices.DeleteFunc(slices.Clone(all), func(r reply[T]) bool { return !r.votes })
}

// group is nodes that answered alike. Refusals that follow from the chain itself
// are answers too: no such height, a payment that cannot work.
type group[T any] struct {
	key     string
	refusal error // nil for a value
	members []reply[T]
}

// tally sorts replies into groups, the largest first. Faults of a node are in
// none.
func tally[T any](replies []reply[T], key func(T) string) []group[T] {
	var groups []group[T]
	for _, r := range replies {
		k, refusal := "", refusalOf(r.err)
		switch {
		case refusal != nil:
			k = "no: " + refusal.Error()
		case r.err != nil:
			continue
		default:
			k = "yes: " + key(r.value)
		}
		i := slices.IndexFunc(groups, func(g group[T]) bool { return g.key == k })
		if i < 0 {
			groups, i = append(groups, group[T]{key: k, refusal: refusal}), len(groups)
		}
		groups[i].members = append(groups[i].members, r)
	}
	slices.SortStableFunc(groups, func(a, b group[T]) int { return len(b.members) - len(a.members) })
	return groups
}

func refusalOf(err error) error {
	for _, class := range []error{chainadapters.ErrNotFound, chainadapters.ErrPlan, chainadapters.ErrFunds, chainadapters.ErrNoFinality, chainadapters.ErrContract} {
		if errors.Is(err, class) {
			return class
		}
	}
	return nil
}

// winner returns the group that decides: enough nodes of those that answered, or
// of all voters where not all have answered yet.
func winner[T any](q *Adapter, groups []group[T], voters int) (group[T], bool) {
	answered := 0
	for _, g := range groups {
		answered += len(g.members)
	}
	if len(groups) == 0 || len(groups[0].members) < q.need(max(voters, answered)) {
		return group[T]{}, false
	}
	return groups[0], true
}

// undecided is the error where no group decides: who said what, and who is left
// out.
func undecided[T any](q *Adapter, what string, replies []reply[T], groups []group[T], show func(T) string) error {
	class, values := ErrTooFew, 0
	var parts []string
	for _, g := range groups {
		if g.refusal == nil {
			values++
		}
	}
	if values > 1 {
		class = ErrSplit
	}
	for _, r := range replies {
		if r.err != nil {
			parts = append(parts, fmt.Sprintf("%s: %v", r.node.name, r.err))
		} else {
			parts = append(parts, r.node.name+" says "+show(r.value))
		}
	}
	text := clip(strings.Join(append(parts, q.absent()...), "; "))
	if common := commonFault(replies); common != nil {
		return fmt.Errorf("%s: %w: %w: %s", what, class, common, text)
	}
	return fmt.Errorf("%s: %w: %s", what, class, text)
}

// absent names the nodes that do not count now.
func (q *Adapter) absent() (parts []string) {
	for _, n := range q.Nodes() {
		if n.State == chainadapters.NodeEjected || n.State == chainadapters.NodeLagging {
			parts = append(parts, fmt.Sprintf("%s is %s: %s", n.Name, n.State, n.Reason))
		}
	}
	return parts
}

// commonFault returns the class of error that every voter failed with, if any.
func commonFault[T any](replies []reply[T]) error {
	for _, class := range []error{chainadapters.ErrForeign, chainadapters.ErrIncomplete, chainadapters.ErrForged, context.DeadlineExceeded} {
		if len(replies) > 0 && !slices.ContainsFunc(replies, func(r reply[T]) bool { return !errors.Is(r.err, class) }) {
			return class
		}
	}
	return nil
}
