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
	"slices"
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

// pack appends the words that are not zero behind their mask. It writes every word and
// goes on behind those that count: most packings have some of each, in no order that a
// processor could guess.
func pack(b []byte, words []uint64) []byte {
	from := len(b)
	b = slices.Grow(b, maskBytes+wordBytes*len(words))
	out := b[from : from+maskBytes+wordBytes*len(words)]
	mask, at := uint32(0), maskBytes
	for i, w := range words {
		binary.LittleEndian.PutUint64(out[at:], w)
		counts := (w | -w) >> 63
		mask |= uint32(counts) << i
		at += wordBytes * int(counts)
	}
	binary.LittleEndian.PutUint32(out, mask)
	return b[:from+at]
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
