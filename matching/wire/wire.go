// Package wire packs commands, events, results and log entries of matching into bytes
// and reads them back. A command or event is a mask of the words that are not zero,
// then those words, little-endian: a cancel takes 36 bytes, a limit order 44 to 60.
// One value has one encoding, so equal bytes mean equal values. Reading holds
// everything to bounds and refuses what it does not know; it never judges whether a
// command makes sense, which is the engine's to say.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// Version of all packings here. It changes with any of them.
const Version = 1

// Bounds of what is read at once.
const (
	// MaxFrameCommands is how many commands a frame may hold.
	MaxFrameCommands = 256
	// MaxCommandBytes and MaxEventBytes are the largest packings of one.
	MaxCommandBytes = maskBytes + wordBytes*commandWords
	MaxEventBytes   = maskBytes + wordBytes*eventWords
	// MaxFrameBytes is the largest frame of commands.
	MaxFrameBytes = MaxFrameCommands * MaxCommandBytes

	maskBytes = 4
	wordBytes = 8
)

// Why bytes were refused.
var (
	// ErrMalformed reports bytes that are no packing of anything.
	ErrMalformed = errors.New("malformed packing")
	// ErrOversized reports more than may come at once.
	ErrOversized = errors.New("too much in one frame")
)

// pack appends the words that are not zero behind their mask.
func pack(b []byte, words []uint64) []byte {
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	mask := uint32(0)
	for i, w := range words {
		if w != 0 {
			mask |= 1 << i
			b = binary.LittleEndian.AppendUint64(b, w)
		}
	}
	binary.LittleEndian.PutUint32(b[at:], mask)
	return b
}

// unpack reads words, which are zero before, and returns what follows them.
func unpack(b []byte, words []uint64) ([]byte, error) {
	if len(b) < maskBytes {
		return nil, fmt.Errorf("%w: %d bytes for a mask", ErrMalformed, len(b))
	}
	mask := binary.LittleEndian.Uint32(b)
	b = b[maskBytes:]
	if mask>>len(words) != 0 || len(b) < wordBytes*bits.OnesCount32(mask) {
		return nil, fmt.Errorf("%w: mask %08x before %d bytes", ErrMalformed, mask, len(b))
	}
	for ; mask != 0; mask &= mask - 1 {
		w := binary.LittleEndian.Uint64(b)
		if w == 0 {
			return nil, fmt.Errorf("%w: a zero is written out", ErrMalformed)
		}
		words[bits.TrailingZeros32(mask)] = w
		b = b[wordBytes:]
	}
	return b, nil
}
