package server

import (
	"bytes"
	"sync"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/chain"
	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

// maxUnsealed is how many batches wait for their hash; then applying waits.
const maxUnsealed = 64

// batcher makes batches out of events.
type batcher struct {
	epoch uint64
	first uint64
	count uint32
	bytes []byte
}

// add packs v and returns its packing, good until the next add.
func (c *batcher) add(v *engine.Event) []byte {
	if c.count == 0 {
		c.first = v.Seq
	}
	from := len(c.bytes)
	c.bytes = wire.AppendEvent(c.bytes, v)
	c.count++
	return c.bytes[from:]
}

// close returns what came since the last batch as one, without its hashes, nil if
// nothing did.
func (c *batcher) close() *matchingv1.EventBatch {
	if c.count == 0 {
		return nil
	}
	b := &matchingv1.EventBatch{
		Version: wire.Version, Epoch: c.epoch, First: c.first, Count: c.count, Events: bytes.Clone(c.bytes),
	}
	c.count, c.bytes = 0, c.bytes[:0]
	return b
}

// sealer hashes batches and hands them on, in order, beside the goroutine that applies:
// hashing an event takes longer than making it. Its own goroutine lives as long as
// there is something to do.
type sealer struct {
	emit func(*matchingv1.EventBatch)

	mu      sync.Mutex
	changed sync.Cond // fewer batches wait, or none
	queue   []*matchingv1.EventBatch
	working bool
	hash    chain.Hash // behind the last batch that was sealed
}

func newSealer(emit func(*matchingv1.EventBatch)) *sealer {
	s := &sealer{emit: emit}
	s.changed.L = &s.mu
	return s
}

// put hands a batch over. It waits while too many are there.
func (s *sealer) put(b *matchingv1.EventBatch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) >= maxUnsealed {
		s.changed.Wait()
	}
	s.queue = append(s.queue, b)
	if !s.working {
		s.working = true
		go s.work()
	}
}

// work seals what is there and ends.
func (s *sealer) work() {
	var batches []*matchingv1.EventBatch
	for {
		s.mu.Lock()
		s.working = len(s.queue) > 0
		batches, s.queue = s.queue, batches[:0]
		hash := s.hash
		s.changed.Broadcast()
		s.mu.Unlock()
		if len(batches) == 0 {
			return
		}
		for _, b := range batches {
			b.Previous = bytes.Clone(hash[:])
			hash = over(hash, b.GetEvents())
			b.Hash = bytes.Clone(hash[:])
			s.emit(b)
		}
		s.mu.Lock()
		s.hash = hash
		s.mu.Unlock()
	}
}

// over continues a chain with packed events, which are whole.
func over(hash chain.Hash, packed []byte) chain.Hash {
	for len(packed) > 0 {
		n := wire.PackedLen(packed)
		hash = hash.NextPacked(packed[:n])
		packed = packed[n:]
	}
	return hash
}

// settled waits until all that was put is handed on, and returns the chain's hash
// behind it.
func (s *sealer) settled() chain.Hash {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.working {
		s.changed.Wait()
	}
	return s.hash
}

// Settle waits until the events of all entries that were applied are handed on.
func (m *Machine) Settle() { m.sealer.settled() }

// begin lets the chain go on from a hash. Nothing waits.
func (s *sealer) begin(hash chain.Hash) {
	s.settled()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hash = hash
}
