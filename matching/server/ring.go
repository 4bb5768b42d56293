package server

import (
	"bytes"
	"sort"
	"sync"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/chain"
	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

// batcher makes batches out of events.
type batcher struct {
	epoch  uint64
	before chain.Hash
	hash   chain.Hash
	first  uint64
	count  uint32
	bytes  []byte
}

// add packs v and returns its packing, good until the next add.
func (c *batcher) add(v *engine.Event) []byte {
	if c.count == 0 {
		c.first, c.before = v.Seq, c.hash
	}
	from := len(c.bytes)
	c.bytes = wire.AppendEvent(c.bytes, v)
	c.count++
	c.hash = c.hash.Next(chain.Of(v))
	return c.bytes[from:]
}

// close returns what came since the last batch as one, nil if nothing did.
func (c *batcher) close() *matchingv1.EventBatch {
	if c.count == 0 {
		return nil
	}
	b := &matchingv1.EventBatch{
		Version: wire.Version, Epoch: c.epoch, First: c.first, Count: c.count, Events: c.bytes,
		Previous: bytes.Clone(c.before[:]), Hash: bytes.Clone(c.hash[:]),
	}
	c.count, c.bytes = 0, make([]byte, 0, len(c.bytes))
	return b
}

// ring keeps the newest batches for who streams them.
type ring struct {
	mu      sync.Mutex
	batches []*matchingv1.EventBatch
	first   uint64 // event of the first batch, or of the next one where there is none
	size    int
	changed chan struct{}
}

func newRing() *ring { return &ring{first: 1, changed: make(chan struct{})} }

func (r *ring) push(b *matchingv1.EventBatch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batches = append(r.batches, b)
	r.size += len(b.GetEvents())
	for len(r.batches) > 1 && (r.size > maxRingBytes || len(r.batches) > maxRingBatches) {
		r.size -= len(r.batches[0].GetEvents())
		r.batches[0], r.batches = nil, r.batches[1:]
	}
	r.first = r.batches[0].GetFirst()
	close(r.changed)
	r.changed = make(chan struct{})
}

// clear forgets all batches; the next one begins with event first.
func (r *ring) clear(first uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batches, r.size, r.first = nil, 0, first
	close(r.changed)
	r.changed = make(chan struct{})
}

// from returns up to n batches, the first of which holds event seq. Without any, kept
// tells whether seq is still to come; then changed is closed when there is more.
func (r *ring) from(seq uint64, n int) (out []*matchingv1.EventBatch, kept bool, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if seq < r.first || len(r.batches) == 0 {
		return nil, seq >= r.first, r.changed
	}
	at := sort.Search(len(r.batches), func(i int) bool { return seq < end(r.batches[i]) })
	return append(out, r.batches[at:min(at+n, len(r.batches))]...), true, r.changed
}

// end is the number of the event behind b.
func end(b *matchingv1.EventBatch) uint64 { return b.GetFirst() + uint64(b.GetCount()) }
