package quorum

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"strongroom/chainadapters"
)

// sighting is where nodes see one transaction, as far as they must agree: waiting
// and absent are one, since pools differ.
func sighting(s chainadapters.TxStatus) string {
	if s.State != chainadapters.Mined {
		return "not mined"
	}
	return fmt.Sprintf("mined in %d %s, success %t, fee %s", s.Block.Height, s.Block.Hash, s.Success, s.Fee)
}

// Statuses implements chainadapters.Adapter. A transaction is mined where enough
// nodes say so with the same block, outcome and fee; it waits where enough say
// that it is not mined and one of them has it in its pool, and is absent where
// none has.
func (q *Adapter) Statuses(ctx context.Context, txids []string) ([]chainadapters.TxStatus, error) {
	voters, watched := q.seats(false)
	knew, agreed := q.memories()
	replies, err := hold(ctx, q, ballot[[]chainadapters.TxStatus]{
		voters: voters, watched: watched,
		ask: func(ctx context.Context, n *node) ([]chainadapters.TxStatus, error) {
			list, err := n.adapter.Statuses(ctx, txids)
			if err == nil && !inOrder(list, txids) {
				return nil, fmt.Errorf("%w: statuses of other transactions", chainadapters.ErrIncomplete)
			}
			return list, err
		},
		enough: func(replies []reply[[]chainadapters.TxStatus]) bool {
			list, err := q.settleAll(replies, len(voters), txids)
			return err == nil && !slices.ContainsFunc(list, func(s chainadapters.TxStatus) bool { return s.State == chainadapters.Absent })
		},
		judge: func(all []reply[[]chainadapters.TxStatus], from int) {
			for i := range txids {
				q.judgeSightings(pick(all, i), from, knew, agreed)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	list, err := q.settleAll(replies, 0, txids)
	if err != nil {
		return nil, q.unresolved(receipts, err)
	}
	q.resolved(receipts)
	return list, nil
}

func inOrder(list []chainadapters.TxStatus, txids []string) bool {
	if len(list) != len(txids) {
		return false
	}
	for i, s := range list {
		if s.TxID != txids[i] {
			return false
		}
	}
	return true
}

// pick takes one transaction out of replies about several.
func pick(replies []reply[[]chainadapters.TxStatus], i int) []reply[chainadapters.TxStatus] {
	list := make([]reply[chainadapters.TxStatus], len(replies))
	for j, r := range replies {
		list[j] = reply[chainadapters.TxStatus]{node: r.node, votes: r.votes, err: r.err}
		if r.err == nil {
			list[j].value = r.value[i]
		}
	}
	return list
}

// settleAll decides on each transaction, or fails for all.
func (q *Adapter) settleAll(replies []reply[[]chainadapters.TxStatus], voters int, txids []string) ([]chainadapters.TxStatus, error) {
	list := make([]chainadapters.TxStatus, len(txids))
	for i, id := range txids {
		s, err := q.settle(pick(replies, i), voters, id)
		if err != nil {
			return nil, err
		}
		list[i] = s
	}
	if len(txids) == 0 && len(replies) < q.need(max(voters, len(replies))) {
		return nil, fmt.Errorf("statuses: %w", ErrTooFew)
	}
	return list, nil
}

func (q *Adapter) settle(replies []reply[chainadapters.TxStatus], voters int, txid string) (chainadapters.TxStatus, error) {
	groups := tally(replies, sighting)
	won, ok := winner(q, groups, voters)
	if !ok {
		err := undecided(q, "transaction "+txid, replies, groups, sighting)
		if !forked(groups) {
			// One block more or less on a node explains it: no contradiction yet.
			err = fmt.Errorf("%w: %s", ErrTooFew, clip(err.Error()))
			if common := commonFault(replies); common != nil {
				err = fmt.Errorf("%w: %w", common, err)
			}
		}
		return chainadapters.TxStatus{}, err
	}
	for _, m := range won.members {
		if m.value.State == chainadapters.Pooled {
			return m.value, nil
		}
	}
	return won.members[0].value, nil
}

// forked tells whether two nodes tell another outcome of one transaction in one
// block: no moment explains that.
func forked(groups []group[chainadapters.TxStatus]) bool {
	seen := map[chainadapters.Ref]bool{}
	for _, g := range groups {
		if s := g.members[0].value; s.State == chainadapters.Mined {
			if seen[s.Block] {
				return true
			}
			seen[s.Block] = true
		}
	}
	return false
}

// memories returns what each node had told until now, and the height that was
// agreed on.
func (q *Adapter) memories() (map[*node]map[uint64]said, uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	knew := make(map[*node]map[uint64]said, len(q.nodes))
	for _, n := range q.nodes {
		knew[n] = maps.Clone(n.told)
	}
	return knew, q.agreed
}

// judgeSightings holds what each node says of one transaction against what most
// of the voters say.
func (q *Adapter) judgeSightings(all []reply[chainadapters.TxStatus], from int, knew map[*node]map[uint64]said, agreed uint64) {
	won, decided := winner(q, tally(votes(all), sighting), 0)
	if !decided {
		return
	}
	most := won.members[0].value
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range all[from:] {
		if r.err == nil {
			q.judgeSighting(r, most, len(won.members), knew[r.node][most.Block.Height].hash == most.Block.Hash, agreed)
		}
	}
}

// judgeSighting judges one node's word on a transaction against that of most;
// has tells whether it had the block when it was asked. q.mu is held.
func (q *Adapter) judgeSighting(r reply[chainadapters.TxStatus], most chainadapters.TxStatus, others int, has bool, agreed uint64) {
	reason := fmt.Sprintf("transaction %s: it says %s, %d others say %s", most.TxID, sighting(r.value), others, sighting(most))
	is, mined := r.value, most.State == chainadapters.Mined
	switch {
	case sighting(is) == sighting(most):
		q.concur(r.node, sightings)
	case mined && is.State == chainadapters.Mined && is.Block == most.Block:
		q.eject(r.node, reason)
	case mined && is.State != chainadapters.Mined && has:
		q.eject(r.node, reason+", and it has that block")
	case is.State == chainadapters.Mined && (mined || is.Block.Height <= agreed):
		q.doubt(r.node, sightings, reason)
	}
}
