// Package chain hashes the events of a shard, one on the other, so that whoever
// receives them can tell whether they continue what was received before, however they
// were cut into batches. It keeps nothing and knows nothing of what events mean.
package chain

import (
	"crypto/sha256"
	"encoding/binary"

	"strongroom/matching/engine"
)

// Hash is a SHA-256: of one event, or of all up to one. The chain begins with zeros.
type Hash [sha256.Size]byte

// eventBytes is the length of an event as it is hashed.
const eventBytes = 18*8 + 2*4 + 2*2 + 5

// Of hashes one event: all fields, in the order in which engine.Event names them,
// little end first, with nothing between.
func Of(e *engine.Event) Hash {
	var packed [eventBytes]byte
	at := 0
	for _, word := range [...]uint64{
		e.Seq, uint64(e.Time), e.Key.Hi, e.Key.Lo, uint64(e.Order), uint64(e.Maker), uint64(e.Price), uint64(e.Qty), //nolint:gosec // bits as they are
		uint64(e.Shown), uint64(e.Left), uint64(e.TakerLeft), e.Amount.Hi, e.Amount.Lo, e.Balance.Hi, e.Balance.Lo, //nolint:gosec // bits as they are
		uint64(e.Until), e.Digest, e.Balances, //nolint:gosec // bits as they are
	} {
		binary.LittleEndian.PutUint64(packed[at:], word)
		at += 8
	}
	binary.LittleEndian.PutUint32(packed[at:], uint32(e.Account))
	binary.LittleEndian.PutUint32(packed[at+4:], uint32(e.MakerAccount))
	binary.LittleEndian.PutUint16(packed[at+8:], uint16(e.Market))
	binary.LittleEndian.PutUint16(packed[at+10:], uint16(e.Asset))
	copy(packed[at+12:], []byte{byte(e.Kind), byte(e.Code), byte(e.Side), byte(e.Type), byte(e.State)})
	return sha256.Sum256(packed[:])
}

// Next continues the chain that ends in h with the event whose hash is given.
func (h Hash) Next(event Hash) Hash {
	var both [2 * sha256.Size]byte
	copy(both[:], h[:])
	copy(both[sha256.Size:], event[:])
	return sha256.Sum256(both[:])
}

// Over continues the chain that ends in h with events.
func (h Hash) Over(events []engine.Event) Hash {
	for i := range events {
		h = h.Next(Of(&events[i]))
	}
	return h
}

// Mark is the first eight bytes of a hash: enough to see that two events differ by
// accident or error.
func (h Hash) Mark() uint64 { return binary.LittleEndian.Uint64(h[:]) }
