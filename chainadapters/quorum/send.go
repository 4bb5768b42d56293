package quorum

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"strongroom/chainadapters"
	"strongroom/money"
)

// Broadcast implements chainadapters.Adapter. Every node is handed the bytes,
// also those that do not count. It is done once a node that counts has them, and
// the others had a moment to take them too;
// otherwise the errors of all are joined, and the outcome is as unknown as ever.
func (q *Adapter) Broadcast(ctx context.Context, raw []byte) error {
	if _, err := q.Decode(raw); err != nil {
		return fmt.Errorf("broadcast: %w", err)
	}
	voters, watched := q.seats(true)
	replies, err := hold(ctx, q, ballot[struct{}]{
		voters: voters, watched: watched, grace: q.cfg.Grace,
		ask: func(ctx context.Context, n *node) (struct{}, error) { return struct{}{}, n.adapter.Broadcast(ctx, raw) },
		enough: func(replies []reply[struct{}]) bool {
			return slices.ContainsFunc(replies, func(r reply[struct{}]) bool { return r.err == nil })
		},
		judge: func([]reply[struct{}], int) {},
	})
	if err != nil {
		return err
	}
	lost := make([]error, 0, len(replies))
	for _, r := range replies {
		if r.err == nil {
			return nil
		}
		lost = append(lost, fmt.Errorf("%s: %w", r.node.name, r.err))
	}
	if len(lost) == 0 {
		return fmt.Errorf("broadcast: %w: no node counts", ErrTooFew)
	}
	return errors.Join(lost...)
}

// Quote implements chainadapters.Adapter: the median of what the nodes quote, of
// two the cheaper price and the greater gas limit. Each quote is within the floor
// and ceiling of its chain's driver, and so is the median.
func (q *Adapter) Quote(ctx context.Context, plan chainadapters.Plan) (chainadapters.Fee, error) {
	voters, _ := q.seats(false)
	none := chainadapters.Fee{}
	replies, err := hold(ctx, q, ballot[chainadapters.Fee]{
		voters: voters, grace: q.cfg.Grace,
		ask:    func(ctx context.Context, n *node) (chainadapters.Fee, error) { return n.adapter.Quote(ctx, plan) },
		enough: func(replies []reply[chainadapters.Fee]) bool { return len(replies) >= q.need(len(voters)) },
		judge:  func([]reply[chainadapters.Fee], int) {},
	})
	if err != nil {
		return none, err
	}
	// All prices count as one answer here: only that the payment works must agree.
	groups := tally(replies, func(chainadapters.Fee) string { return "" })
	won, ok := winner(q, groups, 0)
	switch {
	case !ok:
		return none, undecided(q, "quote", replies, groups, func(f chainadapters.Fee) string { return fmt.Sprintf("%+v", f) })
	case won.refusal != nil:
		return none, fmt.Errorf("quote: %w", won.members[0].err)
	}
	return median(won.members), nil
}

// median takes each number's own median. Caps stay above tips: they are above
// them in every quote.
func median(quotes []reply[chainadapters.Fee]) chainadapters.Fee {
	var gas, rates []uint64
	var tips, caps []money.Units
	for _, r := range quotes {
		gas, rates = append(gas, r.value.GasLimit), append(rates, r.value.SatPerKVB)
		tips, caps = append(tips, r.value.TipCap), append(caps, r.value.FeeCap)
	}
	slices.Sort(gas)
	slices.Sort(rates)
	slices.SortFunc(tips, money.Units.Cmp)
	slices.SortFunc(caps, money.Units.Cmp)
	low := (len(quotes) - 1) / 2
	return chainadapters.Fee{GasLimit: gas[len(gas)/2], TipCap: tips[low], FeeCap: caps[low], SatPerKVB: rates[low]}
}
