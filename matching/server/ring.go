package server

import (
	"sort"
	"sync"

	matchingv1 "strongroom/internal/gen/matching/v1"
)

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
