// Package chain hashes the events of a shard, one on the other, so that whoever
// receives them can tell whether they continue what was received before, however they
// were cut into batches. It keeps nothing and knows nothing of what events mean.
package chain

import (
	"crypto/sha256"
	"encoding/binary"

	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

// Hash is a SHA-256: of one event, or of all up to one. The chain begins with zeros.
type Hash [sha256.Size]byte

// Of hashes one event by itself, as package wire packs it: all fields that are not
// zero, behind a mask that says which they are.
func Of(e *engine.Event) Hash {
	var packed [wire.MaxEventBytes]byte
	return sha256.Sum256(wire.AppendEvent(packed[:0], e))
}

// Next continues the chain that ends in h with an event: it hashes h and then the
// event as package wire packs it.
func (h Hash) Next(e *engine.Event) Hash {
	var both [sha256.Size + wire.MaxEventBytes]byte
	return sha256.Sum256(wire.AppendEvent(append(both[:0], h[:]...), e))
}

// NextPacked is Next for an event that is packed already.
func (h Hash) NextPacked(packed []byte) Hash {
	var both [sha256.Size + wire.MaxEventBytes]byte
	return sha256.Sum256(append(append(both[:0], h[:]...), packed...))
}

// Over continues the chain that ends in h with events.
func (h Hash) Over(events []engine.Event) Hash {
	for i := range events {
		h = h.Next(&events[i])
	}
	return h
}

// Mark is the first eight bytes of a hash: enough to see that two events differ by
// accident or error.
func (h Hash) Mark() uint64 { return binary.LittleEndian.Uint64(h[:]) }
