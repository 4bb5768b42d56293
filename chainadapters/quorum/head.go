package quorum

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"strongroom/chainadapters"
)

// headerInquiry asks for the header of a height. Nodes that told their head
// already are taken at their word where that is the height.
func (q *Adapter) headerInquiry(height uint64, heads map[*node]chainadapters.Header) inquiry[chainadapters.Header] {
	return inquiry[chainadapters.Header]{
		kind: headers, what: fmt.Sprintf("header %d", height),
		ask: func(ctx context.Context, n *node) (chainadapters.Header, error) {
			if head, told := heads[n]; told && head.Height == height {
				return head, nil
			}
			h, err := n.adapter.HeaderAt(ctx, height)
			if err == nil && h.Height != height {
				return h, fmt.Errorf("%w: asked for %d it gave %d", chainadapters.ErrIncomplete, height, h.Height)
			}
			return h, err
		},
		key:  fingerprint[chainadapters.Header],
		show: func(h chainadapters.Header) string { return h.Hash },
		note: func(n *node, h chainadapters.Header) { q.hear(n, h) },
	}
}

// hear holds a node to what it says. q.mu is held.
func (q *Adapter) hear(n *node, h chainadapters.Header) {
	if !n.remember(h.Ref) {
		return
	}
	for _, other := range q.nodes {
		if other != n && other.state != chainadapters.NodeEjected && other.knows(h.Ref) {
			q.eject(n, fmt.Sprintf("header %d: it took back %s and came back to it, %s never left it", h.Height, h.Hash, other.name))
			return
		}
	}
}

// HeaderAt implements chainadapters.Adapter.
func (q *Adapter) HeaderAt(ctx context.Context, height uint64) (chainadapters.Header, error) {
	return agree(ctx, q, q.headerInquiry(height, nil))
}

// Head implements chainadapters.Adapter. It is the newest block that enough nodes
// have: a node that is ahead of all others moves nothing, and one that is too far
// behind is left out until it caught up.
func (q *Adapter) Head(ctx context.Context) (chainadapters.Header, error) {
	voters, watched := q.seats(true)
	replies, err := hold(ctx, q, ballot[chainadapters.Header]{
		voters: voters, watched: watched, grace: q.cfg.Grace,
		ask:    func(ctx context.Context, n *node) (chainadapters.Header, error) { return n.adapter.Head(ctx) },
		enough: func(replies []reply[chainadapters.Header]) bool { return len(told(replies)) >= q.need(len(voters)) },
		judge:  q.noteHeads,
	})
	if err != nil {
		return chainadapters.Header{}, err
	}
	fresh := q.measure(told(replies))
	need := q.need(len(fresh))
	if len(fresh) < need {
		q.accompany(ctx, fresh)
		return chainadapters.Header{}, undecided(q, "head", replies, nil, func(h chainadapters.Header) string { return strconv.FormatUint(h.Height, 10) })
	}
	head, err := q.headAt(ctx, fresh, fresh[need-1].value.Height)
	if lowest := fresh[len(fresh)-1].value.Height; errors.Is(err, ErrSplit) && lowest < fresh[need-1].value.Height {
		head, err = q.headAt(ctx, fresh, lowest) // those that lag a little can decide further down
	}
	if err != nil {
		return chainadapters.Header{}, err
	}
	q.judgeRetreats(told(replies), head.Height)
	if reason := q.ringing(head.Height); reason != "" {
		return chainadapters.Header{}, fmt.Errorf("%w: %s", ErrSplit, reason)
	}
	return head, nil
}

// headAt asks the nodes that have a height for its header. Ejected nodes are
// asked too: agreeing is how they come back.
func (q *Adapter) headAt(ctx context.Context, fresh []reply[chainadapters.Header], height uint64) (chainadapters.Header, error) {
	heads := map[*node]chainadapters.Header{}
	var have []*node
	for _, r := range fresh {
		heads[r.node] = r.value
		if r.value.Height >= height {
			have = append(have, r.node)
		}
	}
	head, err := agreeAmong(ctx, q, q.headerInquiry(height, heads), have, nil)
	if err == nil {
		q.accompanyAt(ctx, head)
	}
	return head, err
}

// accompany lets ejected nodes be measured by the one node that is left.
func (q *Adapter) accompany(ctx context.Context, fresh []reply[chainadapters.Header]) {
	if len(fresh) == 1 {
		q.accompanyAt(ctx, fresh[0].value)
	}
}

// accompanyAt asks ejected nodes for a header that is known. Their answers come
// when they come.
func (q *Adapter) accompanyAt(ctx context.Context, head chainadapters.Header) {
	_, watched := q.seats(true)
	in := q.headerInquiry(head.Height, nil)
	for _, n := range watched {
		q.under.Go(func() {
			r := question(ctx, q, n, false, in.ask)
			q.mu.Lock()
			defer q.mu.Unlock()
			switch {
			case r.err != nil:
			case in.key(r.value) == in.key(head):
				n.height = r.value.Height
				q.probation(n, head.Ref)
			default:
				q.eject(n, fmt.Sprintf("%s: it says %s, the others say %s", in.what, r.value.Hash, head.Hash))
			}
		})
	}
}

// told returns the replies that hold a head, the greatest first.
func told(replies []reply[chainadapters.Header]) []reply[chainadapters.Header] {
	list := slices.DeleteFunc(slices.Clone(replies), func(r reply[chainadapters.Header]) bool { return r.err != nil })
	slices.SortStableFunc(list, func(a, b reply[chainadapters.Header]) int { return cmp.Compare(b.value.Height, a.value.Height) })
	return list
}

// noteHeads notes who answers and who does not.
func (q *Adapter) noteHeads(all []reply[chainadapters.Header], from int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	foreign := 0
	for _, r := range all {
		if errors.Is(r.err, chainadapters.ErrForeign) {
			foreign++
		}
	}
	for _, r := range all[from:] {
		switch {
		case errors.Is(r.err, chainadapters.ErrForeign) && len(all)-foreign >= least:
			q.eject(r.node, r.err.Error())
		case r.node.state == chainadapters.NodeEjected:
		case r.err != nil:
			r.node.reason = clip(r.err.Error())
			q.enter(r.node, chainadapters.NodeDown)
		case r.node.state == chainadapters.NodeDown:
			r.node.reason = ""
			q.enter(r.node, chainadapters.NodeOK)
		}
	}
}

// measure notes heights and leaves out who lags: more than the policy's number of
// blocks behind a height that more than half of the nodes have reached, so that
// a minority that claims too much makes nobody else look late. Of two nodes the
// one behind is left out: nobody knows which of them is right.
func (q *Adapter) measure(heads []reply[chainadapters.Header]) (fresh []reply[chainadapters.Header]) {
	if len(heads) == 0 {
		return nil
	}
	best := heads[len(heads)/2].value.Height
	if len(heads) == least {
		best = heads[0].value.Height
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range heads {
		n := r.node
		n.height, n.lag = r.value.Height, best-min(best, r.value.Height)
		switch {
		case n.state == chainadapters.NodeEjected:
		case n.lag > q.cfg.Policy.MaxLag:
			n.reason = fmt.Sprintf("its head is %d, %d blocks behind", r.value.Height, n.lag)
			q.enter(n, chainadapters.NodeLagging)
		default:
			n.reason = ""
			q.enter(n, chainadapters.NodeOK)
			fresh = append(fresh, r)
		}
	}
	return fresh
}

// judgeRetreats looks for nodes whose head went back although the chain did not.
func (q *Adapter) judgeRetreats(heads []reply[chainadapters.Header], agreed uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range heads {
		n := r.node
		if r.value.Height < n.top && agreed >= n.top {
			q.doubt(n, retreats, fmt.Sprintf("its head went back from %d to %d, the others are at %d", n.top, r.value.Height, agreed))
			continue
		}
		q.concur(n, retreats)
		n.top = r.value.Height
	}
}

// Finalized implements chainadapters.Finalizer: the newest block that enough
// nodes call final. It is ErrNoFinality where enough of them name none.
func (q *Adapter) Finalized(ctx context.Context) (chainadapters.Ref, error) {
	voters, _ := q.seats(false)
	replies, err := hold(ctx, q, ballot[chainadapters.Ref]{
		voters: voters, grace: q.cfg.Grace,
		ask: func(ctx context.Context, n *node) (chainadapters.Ref, error) {
			if f, ok := n.adapter.(chainadapters.Finalizer); ok {
				return f.Finalized(ctx)
			}
			return chainadapters.Ref{}, chainadapters.ErrNoFinality
		},
		enough: func(replies []reply[chainadapters.Ref]) bool { return len(replies) >= q.need(len(voters)) },
		judge:  func([]reply[chainadapters.Ref], int) {},
	})
	if err != nil {
		return chainadapters.Ref{}, err
	}
	show := func(r chainadapters.Ref) string { return fmt.Sprintf("%d %s", r.Height, r.Hash) }
	groups := tally(replies, show)
	if none, ok := winner(q, groups, 0); ok && none.refusal != nil {
		return chainadapters.Ref{}, fmt.Errorf("final block: %w", none.members[0].err)
	}
	named := slices.DeleteFunc(slices.Clone(replies), func(r reply[chainadapters.Ref]) bool { return r.err != nil })
	slices.SortStableFunc(named, func(a, b reply[chainadapters.Ref]) int { return cmp.Compare(b.value.Height, a.value.Height) })
	need := q.need(len(named))
	if len(named) < need {
		return chainadapters.Ref{}, undecided(q, "final block", replies, nil, show)
	}
	return q.finalAt(ctx, named, named[need-1].value.Height)
}

// finalAt compares the final block of a height with the chain.
func (q *Adapter) finalAt(ctx context.Context, named []reply[chainadapters.Ref], height uint64) (chainadapters.Ref, error) {
	header, err := q.HeaderAt(ctx, height)
	if err != nil {
		return chainadapters.Ref{}, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range named {
		if r.value.Height == height && r.value.Hash != header.Hash {
			q.eject(r.node, fmt.Sprintf("it calls %d %s final, which is not on the chain", height, r.value.Hash))
		}
	}
	return header.Ref, nil
}
