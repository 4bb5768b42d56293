package quorum

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"strongroom/chainadapters"
	"strongroom/money"
)

// question to which all nodes must give one answer, whatever the moment, or (for
// what time can explain) once they have come to the same block.
type inquiry[T any] struct {
	kind kind
	what string // for people
	ask  func(context.Context, *node) (T, error)
	key  func(T) string                 // equal for answers that agree
	show func(T) string                 // for people; nil for key
	note func(*node, T)                 // called for what a node said; Adapter.mu is held
	also func(all []reply[T], from int) // judges further; nil for nothing
	wait func(replies []reply[T]) bool  // tells that further replies are needed; nil for no
}

// agree asks all voters and returns what enough of them say.
func agree[T any](ctx context.Context, q *Adapter, in inquiry[T]) (T, error) {
	voters, watched := q.seats(in.kind == identities)
	return agreeAmong(ctx, q, in, voters, watched)
}

func agreeAmong[T any](ctx context.Context, q *Adapter, in inquiry[T], voters, watched []*node) (T, error) {
	won, err := convene(ctx, q, in, voters, watched)
	if err != nil {
		var none T
		return none, err
	}
	return won.members[0].value, nil
}

// convene returns the nodes that agree, of which there are enough, with what each
// of them said.
func convene[T any](ctx context.Context, q *Adapter, in inquiry[T], voters, watched []*node) (group[T], error) {
	if in.show == nil {
		in.show = in.key
	}
	replies, err := hold(ctx, q, ballot[T]{
		voters: voters, watched: watched, ask: in.ask,
		enough: func(replies []reply[T]) bool {
			_, ok := winner(q, tally(replies, in.key), len(voters))
			return ok && (in.wait == nil || !in.wait(replies))
		},
		judge: func(all []reply[T], from int) {
			compare(q, in, all, from)
			if in.also != nil {
				in.also(all, from)
			}
		},
	})
	if err != nil {
		return group[T]{}, err
	}
	groups := tally(replies, in.key)
	won, ok := winner(q, groups, 0)
	switch {
	case !ok:
		return won, q.unresolved(in.kind, undecided(q, in.what, replies, groups, in.show))
	case won.refusal != nil:
		return won, fmt.Errorf("%s: %w", in.what, won.members[0].err)
	}
	q.resolved(in.kind)
	return won, nil
}

// compare holds what each node said against what most of the voters said.
func compare[T any](q *Adapter, in inquiry[T], all []reply[T], from int) {
	won, decided := winner(q, tally(votes(all), in.key), 0)
	alike := commonFault(votes(all)) != nil // a fault of all is of the chain, or of what is asked
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range all[from:] {
		switch {
		case errors.Is(r.err, chainadapters.ErrForged) && !alike:
			q.eject(r.node, in.what+": "+r.err.Error())
		case errors.Is(r.err, chainadapters.ErrForeign) && decided && won.refusal == nil:
			q.eject(r.node, in.what+": "+r.err.Error())
		case r.err != nil:
		default:
			if in.note != nil {
				in.note(r.node, r.value)
			}
			if decided && won.refusal == nil {
				judgeValue(q, in, r, won)
			}
		}
	}
}

// judgeValue judges one answer against the winning one. q.mu is held.
func judgeValue[T any](q *Adapter, in inquiry[T], r reply[T], won group[T]) {
	if "yes: "+in.key(r.value) == won.key {
		q.concur(r.node, in.kind)
		return
	}
	reason := fmt.Sprintf("%s: it says %s, %d others say %s", in.what, in.show(r.value), len(won.members), in.show(won.members[0].value))
	switch in.kind { //nolint:exhaustive // the others have one answer, whatever the moment
	case nonces: // heads differ by a moment: nobody is to blame
	case headers:
		q.doubt(r.node, in.kind, reason)
	default:
		q.eject(r.node, reason)
	}
}

// unresolved raises an alarm for a contradiction about something that the watcher
// of the chain does not ask for itself.
func (q *Adapter) unresolved(k kind, err error) error {
	if errors.Is(err, ErrSplit) && (k == balances || k == receipts) {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.raise(k, err.Error())
	}
	return err
}

// resolved ends the alarm of a kind.
func (q *Adapter) resolved(k kind) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.alarms, k)
}

// Identity implements chainadapters.Adapter. Where all nodes are on another
// network, it is ErrForeign.
func (q *Adapter) Identity(ctx context.Context) (chainadapters.Identity, error) {
	is, err := agree(ctx, q, inquiry[chainadapters.Identity]{
		kind: identities, what: "identity",
		ask: func(ctx context.Context, n *node) (chainadapters.Identity, error) { return n.adapter.Identity(ctx) },
		key: func(is chainadapters.Identity) string { return is.Network + " " + is.Genesis },
	})
	if errors.Is(err, ErrTooFew) {
		// Whoever follows the chain asks this first and gets no further: the head is
		// what ejected nodes are measured by.
		if _, watched := q.seats(true); len(watched) > 0 {
			_, _ = q.Head(ctx)
		}
	}
	return is, err
}

// fingerprint is equal for values whose every field is equal.
func fingerprint[T any](v T) string {
	text, err := json.Marshal(v)
	if err != nil { // no value of the port is without a JSON form
		return "unreadable: " + err.Error()
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Holdings implements chainadapters.Adapter: the sums must agree to the unit.
func (q *Adapter) Holdings(ctx context.Context, ask chainadapters.Holdings) (money.Units, error) {
	return agree(ctx, q, inquiry[money.Units]{
		kind: balances, what: fmt.Sprintf("holdings at block %d %s", ask.At.Height, ask.At.Hash),
		ask: func(ctx context.Context, n *node) (money.Units, error) { return n.adapter.Holdings(ctx, ask) },
		key: money.Units.String,
	})
}

// NextNonce implements chainadapters.Adapter. Nodes whose heads differ for a
// moment agree on none: the answer is then ErrTooFew or ErrSplit, and nobody is
// to blame.
func (q *Adapter) NextNonce(ctx context.Context, from string) (uint64, error) {
	return agree(ctx, q, inquiry[uint64]{
		kind: nonces, what: "next nonce of " + from,
		ask: func(ctx context.Context, n *node) (uint64, error) { return n.adapter.NextNonce(ctx, from) },
		key: func(n uint64) string { return strconv.FormatUint(n, 10) },
	})
}
