package quorum

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"strongroom/chainadapters"
)

var _ chainadapters.SenderReader = (*Adapter)(nil)

// errUntraced stands for the internal movements of a node that traces nothing.
var errUntraced = errors.New("it does not trace")

// Block implements chainadapters.Adapter: header, transactions, movements and
// spends must agree. What contracts moved on is known to nodes that trace only:
// it is in the answer where enough nodes trace and agree on it, and the block is
// Untraced otherwise.
func (q *Adapter) Block(ctx context.Context, ref chainadapters.Ref, contracts []string) (chainadapters.Block, error) {
	what := fmt.Sprintf("block %d %s", ref.Height, ref.Hash)
	traced := inquiry[chainadapters.Block]{kind: blocks, what: what + " with traces", key: content, show: describe}
	in := inquiry[chainadapters.Block]{
		kind: blocks, what: what,
		ask: func(ctx context.Context, n *node) (chainadapters.Block, error) {
			return n.adapter.Block(ctx, ref, contracts)
		},
		key:  func(b chainadapters.Block) string { return content(untraced(b)) },
		show: describe,
		also: func(all []reply[chainadapters.Block], from int) { compare(q, traced, tracing(all), from) },
	}
	voters, watched := q.seats(false)
	in.wait = func(replies []reply[chainadapters.Block]) bool {
		groups := tally(tracing(replies), traced.key)
		_, ok := winner(q, groups, len(voters))
		return !ok && len(groups) > 0
	}
	won, err := convene(ctx, q, in, voters, watched)
	if err != nil {
		return chainadapters.Block{}, err
	}
	groups := tally(tracing(won.members), traced.key)
	most, ok := winner(q, groups, 0)
	switch {
	case ok:
		return most.members[0].value, nil
	case len(groups) > 1:
		return chainadapters.Block{}, undecided(q, traced.what, won.members, groups, describe)
	}
	return untraced(won.members[0].value), nil
}

// tracing leaves only nodes that trace. Places stay what they are.
func tracing(all []reply[chainadapters.Block]) []reply[chainadapters.Block] {
	list := slices.Clone(all)
	for i := range list {
		if list[i].err == nil && list[i].value.Untraced {
			list[i].err = errUntraced
		}
	}
	return list
}

// untraced is the block as a node tells it that does not trace.
func untraced(b chainadapters.Block) chainadapters.Block {
	b.Movements = slices.DeleteFunc(slices.Clone(b.Movements), func(m chainadapters.Movement) bool { return m.Index >= chainadapters.InternalIndex })
	b.Untraced = true
	return b
}

// content is equal for blocks that say the same: an empty list is as good as none.
func content(b chainadapters.Block) string {
	if len(b.TxIDs) == 0 {
		b.TxIDs = nil
	}
	if len(b.Movements) == 0 {
		b.Movements = nil
	}
	if len(b.Spends) == 0 {
		b.Spends = nil
	}
	return fingerprint(b)
}

func describe(b chainadapters.Block) string {
	return fmt.Sprintf("%d transactions with %d movements and %d spends (digest %.8s)", len(b.TxIDs), len(b.Movements), len(b.Spends), content(b))
}

// Senders implements chainadapters.SenderReader. Where too few nodes know all
// senders, it names whomever any node named, and that not all are known.
func (q *Adapter) Senders(ctx context.Context, txid string, in chainadapters.Ref) (chainadapters.Senders, error) {
	voters, _ := q.seats(false)
	replies, err := hold(ctx, q, ballot[chainadapters.Senders]{
		voters: voters, grace: q.cfg.Grace,
		ask: func(ctx context.Context, n *node) (chainadapters.Senders, error) {
			if reader, can := n.adapter.(chainadapters.SenderReader); can {
				return reader.Senders(ctx, txid, in)
			}
			return chainadapters.Senders{Unknown: 1}, nil
		},
		enough: func(replies []reply[chainadapters.Senders]) bool { return len(replies) >= q.need(len(voters)) },
		judge:  func([]reply[chainadapters.Senders], int) {},
	})
	if err != nil {
		return chainadapters.Senders{}, err
	}
	what, answers := "senders of "+txid, slices.DeleteFunc(slices.Clone(replies), func(r reply[chainadapters.Senders]) bool { return r.err != nil })
	if len(answers) < q.need(len(answers)) {
		return chainadapters.Senders{}, undecided(q, what, replies, nil, fingerprint)
	}
	complete := slices.DeleteFunc(slices.Clone(answers), func(r reply[chainadapters.Senders]) bool { return r.value.Unknown > 0 })
	groups := tally(complete, senderNames)
	most, ok := winner(q, groups, 0)
	switch {
	case ok:
		return most.members[0].value, nil
	case len(groups) > 1:
		return chainadapters.Senders{}, undecided(q, what, replies, groups, senderNames)
	}
	return anySenders(answers), nil
}

func senderNames(s chainadapters.Senders) string {
	return fmt.Sprintf("%q and %d unknown", slices.Sorted(slices.Values(s.Addresses)), s.Unknown)
}

// anySenders joins what nodes know in part.
func anySenders(answers []reply[chainadapters.Senders]) chainadapters.Senders {
	out := chainadapters.Senders{Unknown: 1}
	for _, r := range answers {
		out.Addresses = append(out.Addresses, r.value.Addresses...)
		out.Unknown = max(out.Unknown, r.value.Unknown)
	}
	slices.Sort(out.Addresses)
	out.Addresses = slices.Compact(out.Addresses)
	return out
}
