package shardchaos

import (
	"context"
	"fmt"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/client"
	"strongroom/matching/engine"
)

// checkpoints is how many are taken before nodes are compared: each looks at a part of
// what they hold, and what it finds is in the events, whose chain is compared.
const checkpoints = 16

// fence offers, after another leader was elected, an event that only the epoch before
// could have made: one that continues the chain and is of that epoch, to the consumer,
// which must refuse it; and asks all nodes for events as somebody does who has seen a
// later epoch than they have: as old as such a node is, it must not answer.
func (r *run) fence(ctx context.Context) error {
	h := r.history
	for !r.forge() {
		if !pause(ctx, look) {
			return ctx.Err() //nolint:wrapcheck // the caller's own
		}
	}
	for i := range r.cfg.Nodes {
		status, err := r.status(ctx, i)
		if err != nil {
			continue // the one that was killed
		}
		err = r.stale(ctx, i, status.GetEpoch()+1)
		if reason := client.Reason(err); reason != matchingv1.Reason_REASON_EPOCH {
			again, err := r.status(ctx, i)
			if err == nil && again.GetEpoch() == status.GetEpoch() {
				h.mu.Lock()
				h.wrong = append(h.wrong, fmt.Sprintf("node %d of epoch %d answers one that has seen the next with %s", i+1, status.GetEpoch(), reason))
				h.mu.Unlock()
			}
		}
		r.asked++
	}
	return ctx.Err() //nolint:wrapcheck // the caller's own
}

// forge offers an event of the epoch before the consumer's newest, once for each that
// it sees. It reports whether there was one to offer.
func (r *run) forge() bool {
	h := r.history
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.epoch <= r.fenced {
		return h.err != nil // then there will be none
	}
	before := len(h.events)
	forged := engine.Event{Seq: uint64(before) + 1, Kind: engine.EventTrade, Price: 1, Qty: 1}
	h.take(&client.Batch{Epoch: h.epoch - 1, Before: h.hash, Hash: h.hash.Next(&forged), Events: []engine.Event{forged}})
	r.offered++
	r.accepted += len(h.events) - before
	r.fenced = h.epoch
	return true
}

// stale asks a node for events as one who has seen an epoch, and returns how it refuses;
// nil if it does not.
func (r *run) stale(ctx context.Context, node int, epoch uint64) error {
	ctx, cancel := context.WithTimeout(ctx, leadWithin)
	defer cancel()
	stream, err := r.client.Any(node).Events(ctx, &matchingv1.EventsRequest{Epoch: epoch, Seq: 1})
	if err == nil {
		_, err = stream.Recv()
	}
	return err //nolint:wrapcheck // its reason is looked at
}

// checkpoint has digests of what the engine holds put among the events.
func (r *run) checkpoint(ctx context.Context) error {
	session, err := r.client.Open(ctx, client.Options{})
	if err != nil {
		return err
	}
	defer session.Close()
	for range checkpoints {
		if _, err := session.Do(ctx, engine.Command{Op: engine.OpCheckpoint}); err != nil {
			return err
		}
	}
	return nil
}
