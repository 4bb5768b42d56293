package shardchaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/chain"
	"strongroom/matching/client"
	"strongroom/matching/engine"
)

const (
	mostViolations = 20
	agreeWithin    = 60 * time.Second
)

// history is the events of the shard as one consumer got them, through all kills.
type history struct {
	mu     sync.Mutex
	events []engine.Event // from event 1 on
	hash   chain.Hash
	epoch  uint64
	wrong  []string
	err    error

	refused int // events of an old epoch that were not taken
}

func newHistory() *history { return &history{} }

// follow reads events until ctx ends.
func (h *history) follow(ctx context.Context, c *client.Client) {
	for b, err := range c.Events(ctx, 0, 1) {
		h.mu.Lock()
		if err != nil {
			h.err = err
		} else {
			h.take(&b)
		}
		h.mu.Unlock()
	}
}

// take takes a batch in: what comes again must be the same, what is new must continue
// the chain. New events of an epoch that is older than the newest are refused.
func (h *history) take(b *client.Batch) {
	if b.Epoch < h.epoch && b.Events[len(b.Events)-1].Seq > uint64(len(h.events)) {
		h.refused += len(b.Events)
		return
	}
	h.epoch = max(h.epoch, b.Epoch)
	for i := range b.Events {
		v := b.Events[i]
		switch next := uint64(len(h.events)) + 1; {
		case v.Seq > next:
			h.wrong = append(h.wrong, fmt.Sprintf("event %d comes where %d is next", v.Seq, next))
			return
		case v.Seq < next:
			if h.events[v.Seq-1] != v {
				h.wrong = append(h.wrong, fmt.Sprintf("event %d is another one the second time", v.Seq))
			}
		default:
			if i == 0 && b.Before != h.hash {
				h.wrong = append(h.wrong, fmt.Sprintf("event %d continues another chain", v.Seq))
			}
			h.hash = h.hash.Next(&v)
			h.events = append(h.events, v)
		}
	}
	if uint64(len(h.events)) == b.Events[len(b.Events)-1].Seq && h.hash != b.Hash {
		h.wrong = append(h.wrong, fmt.Sprintf("the chain behind event %d is another", len(h.events)))
	}
}

var errNoAgreement = errors.New("nodes do not come to the same state")

// judge waits until all nodes are at the same event, and compares.
func (r *run) judge(ctx context.Context, out *Report) error {
	if err := r.checkpoint(ctx); err != nil {
		return err
	}
	seq, err := r.agree(ctx)
	if err != nil {
		return err
	}
	out.Agreed = r.cfg.Nodes
	h := r.history
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return h.err
	}
	out.Events, out.OldOffered, out.OldAccepted = uint64(len(h.events)), r.offered, r.accepted
	if r.accepted > 0 || h.refused < r.offered {
		h.wrong = append(h.wrong, fmt.Sprintf("%d events of old epochs were offered, %d were refused, %d accepted", r.offered, h.refused, r.accepted))
	}
	report := func(format string, args ...any) {
		if len(out.Violations) < mostViolations {
			out.Violations = append(out.Violations, fmt.Sprintf(format, args...))
		}
	}
	for _, wrong := range h.wrong {
		report("%s", wrong)
	}
	if out.Events < seq {
		report("the consumer has %d events of %d", out.Events, seq)
	}
	for _, t := range r.traders {
		h.audit(t, out, report)
	}
	return r.conserved(ctx, report)
}

// audit holds what a trader was told against what happened.
func (h *history) audit(t *trader, out *Report, report func(string, ...any)) {
	if t.err != nil {
		report("trader %d: %v", t.account, t.err)
	}
	out.Acknowledged += len(t.told)
	out.Fills += len(t.fills)
	for i := range t.told {
		if why := h.contradicts(&t.told[i]); why != "" {
			out.OrdersLost++
			report("trader %d, command %d: %s", t.account, i+1, why)
		}
	}
	for i := range t.fills {
		if why := h.lacks(&t.fills[i]); why != "" {
			out.FillsLost++
			report("trader %d: %s", t.account, why)
		}
	}
}

// contradicts says what is wrong with an acknowledged result.
func (h *history) contradicts(t *told) string {
	if t.result.Event == 0 || t.result.Event > uint64(len(h.events)) {
		return fmt.Sprintf("was acknowledged as event %d, the shard has %d", t.result.Event, len(h.events))
	}
	v := &h.events[t.result.Event-1]
	if v.Kind != t.result.Kind || v.Code != t.result.Code || v.Account != t.command.Account ||
		v.Kind != engine.EventRejected && v.Order != t.result.Order || t.command.Op == engine.OpNew && v.Key != t.command.Key {
		return fmt.Sprintf("was acknowledged as %+v, event %d is %+v", t.result, t.result.Event, *v)
	}
	return ""
}

// lacks says what is wrong with a fill that a trader was told of.
func (h *history) lacks(fill *engine.Event) string {
	if fill.Seq > uint64(len(h.events)) {
		return fmt.Sprintf("fill %d is lost, the shard has %d events", fill.Seq, len(h.events))
	}
	v := &h.events[fill.Seq-1]
	if v.Kind != engine.EventTrade || v.Price != fill.Price || v.Qty != fill.Qty {
		return fmt.Sprintf("fill %d of %d at %d is now %+v", fill.Seq, fill.Qty, fill.Price, *v)
	}
	return ""
}

// agree waits until all nodes have the same newest event and chain, and the consumer
// has it too. Log time goes on, and with it nothing happens.
func (r *run) agree(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, agreeWithin)
	defer cancel()
	var last []string
	for {
		var seqs []uint64
		var hashes []string
		for i := range r.cfg.Nodes {
			if s, err := r.status(ctx, i); err == nil {
				seqs, hashes = append(seqs, s.GetSeq()), append(hashes, fmt.Sprintf("%d/%x", s.GetSeq(), s.GetHash()))
			}
		}
		last = hashes
		r.history.mu.Lock()
		have := uint64(len(r.history.events))
		failed := r.history.err
		r.history.mu.Unlock()
		if failed != nil {
			return 0, failed
		}
		if len(hashes) == r.cfg.Nodes && len(slices.Compact(slices.Clone(hashes))) == 1 && have >= seqs[0] {
			return seqs[0], nil
		}
		if !pause(ctx, look) {
			return 0, fmt.Errorf("%w: %v, the consumer has %d", errNoAgreement, last, have)
		}
	}
}

// conserved adds all balances up: what came in must be there.
func (r *run) conserved(ctx context.Context, report func(string, ...any)) error {
	leader, err := r.client.Leader(ctx)
	if err != nil {
		return err
	}
	var sums [2]uint64
	for a := range uint32(traders + 1) {
		got, err := leader.Balances(ctx, &matchingv1.BalancesRequest{Account: a, Assets: []uint32{0, 1}})
		if err != nil {
			return fmt.Errorf("read balances: %w", err)
		}
		for i, b := range got.GetBalances() {
			sums[i] += b.GetAvailable().GetLo() + b.GetReserved().GetLo()
		}
	}
	for asset, sum := range sums {
		if sum != traders*funds {
			report("asset %d adds up to %d instead of %d", asset, sum, uint64(traders*funds))
		}
	}
	return nil
}

func middle(of []time.Duration) time.Duration {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

func worst(of []time.Duration) time.Duration {
	if len(of) == 0 {
		return 0
	}
	return slices.Max(of)
}
