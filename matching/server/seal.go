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
const maxUnsealed = 8

// batch is events that follow each other, as the engine made them.
type batch struct {
	epoch  uint64
	events []engine.Event
}

// sealer packs batches, hashes them and hands them on, in order, beside the goroutine
// that applies: packing and hashing an event takes longer than making it. Its own
// goroutine lives as long as there is something to do.
type sealer struct {
	emit func(*matchingv1.EventBatch)
	// kept returns the batch that begins with an event where it was sealed in an earlier
	// life, nil from the first that was not. It is nil where nothing is kept.
	kept func(first uint64) *matchingv1.EventBatch

	mu      sync.Mutex
	changed sync.Cond // fewer batches wait, or none
	queue   []batch
	free    [][]engine.Event // memory of batches that are sealed
	working bool
	hash    chain.Hash // behind the last batch that was sealed
}

func newSealer(emit func(*matchingv1.EventBatch)) *sealer {
	s := &sealer{emit: emit}
	s.changed.L = &s.mu
	return s
}

// put hands a batch over, which is not empty, and returns memory for the next one. It
// waits while too many are there.
func (s *sealer) put(b batch) (memory []engine.Event) {
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
	if n := len(s.free); n > 0 {
		memory, s.free = s.free[n-1], s.free[:n-1]
	}
	return memory
}

// work seals what is there and ends.
func (s *sealer) work() {
	var batches []batch
	var packed []byte
	for {
		s.mu.Lock()
		for i := range batches {
			if len(s.free) < maxUnsealed {
				s.free = append(s.free, batches[i].events[:0])
			}
		}
		clear(batches)
		s.working = len(s.queue) > 0
		batches, s.queue = s.queue, batches[:0]
		hash := s.hash
		s.changed.Broadcast()
		s.mu.Unlock()
		if len(batches) == 0 {
			return
		}
		for i := range batches {
			var sealed *matchingv1.EventBatch
			sealed, packed = s.seal(&batches[i], &hash, packed)
			s.emit(sealed)
		}
		s.mu.Lock()
		s.hash = hash
		s.mu.Unlock()
	}
}

// seal packs a batch and continues the chain with it. It uses and returns memory.
func (s *sealer) seal(b *batch, hash *chain.Hash, memory []byte) (sealed *matchingv1.EventBatch, packed []byte) {
	packed = memory[:0]
	if s.kept != nil {
		if sealed, packed = s.again(b, hash, packed); sealed != nil {
			return sealed, packed
		}
		s.kept = nil // what follows was not sealed before, either
	}
	packed = packed[:0]
	before := *hash
	for i := range b.events {
		from := len(packed)
		packed = wire.AppendEvent(packed, &b.events[i])
		*hash = hash.NextPacked(packed[from:])
	}
	return &matchingv1.EventBatch{
		Version: wire.Version, Epoch: b.epoch, First: b.events[0].Seq, Count: uint32(len(b.events)), //nolint:gosec // at most MaxBatchEvents
		Events: bytes.Clone(packed), Previous: before[:], Hash: bytes.Clone(hash[:]),
	}, packed
}

// again takes a batch from an earlier life, with its hash, where it is byte for byte
// the one that a replay makes: to compare costs a fraction of what hashing costs. A
// batch that differs is sealed anew, and who keeps batches finds that it does.
func (s *sealer) again(b *batch, hash *chain.Hash, memory []byte) (sealed *matchingv1.EventBatch, packed []byte) {
	sealed = s.kept(b.events[0].Seq)
	if sealed.GetVersion() != wire.Version || sealed.GetEpoch() != b.epoch || int(sealed.GetCount()) != len(b.events) ||
		!bytes.Equal(sealed.GetPrevious(), hash[:]) || len(sealed.GetHash()) != len(hash) {
		return nil, memory
	}
	packed = memory
	for i := range b.events {
		packed = wire.AppendEvent(packed, &b.events[i])
	}
	if !bytes.Equal(packed, sealed.GetEvents()) {
		return nil, packed
	}
	*hash = chain.Hash(sealed.GetHash())
	return sealed, packed
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
