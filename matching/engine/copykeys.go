package engine

import (
	"math"
	"math/bits"

	"strongroom/internal/hugepage"
)

// keysAhead is of how many commands one has a chunk of client ids copied ahead: twice as
// often as new ids fill one.
const keysAhead = chunkEntries / 2

// grow gives a copy room for as many entries as are there. What it does not hold yet is
// dirty.
func (k *keys) grow(into *keys) {
	if cap(into.list) < len(k.list) {
		into.list = hugepage.Make[keyEntry](int(k.bound) + 1)
		k.allDirty()
	}
	into.list = into.list[:len(k.list)]
}

// allDirty has all copied again.
func (k *keys) allDirty() {
	for i := range k.dirty {
		k.dirty[i] = math.MaxUint64
	}
}

// copyAll copies what is dirty.
func (k *keys) copyAll(into *keys) {
	k.grow(into)
	for word := range k.dirty[:uint32(len(k.list)-1)>>dirtyBits+1] {
		k.copyWord(into, uint32(word))
	}
}

func (k *keys) copyWord(into *keys, word uint32) {
	for left := k.dirty[word]; left != 0; left &= left - 1 {
		k.copyChunk(into, word<<6|uint32(bits.TrailingZeros64(left)))
	}
}

// copyChunk copies one chunk as far as there are entries.
func (k *keys) copyChunk(into *keys, chunk uint32) {
	at := int(chunk) << chunkBits
	if end := min(at+chunkEntries, len(k.list)); at < end {
		copy(into.list[at:end], k.list[at:end])
	}
	k.dirty[chunk>>6] &^= 1 << (chunk & 63)
}

// copySome copies a few dirty chunks, going round. The one that fills is left for later.
func (k *keys) copySome(into *keys, commands int) {
	k.grow(into)
	words := uint32(len(k.list)-1)>>dirtyBits + 1
	filling := uint32(len(k.list)-1) >> chunkBits
	budget := 1 + commands/keysAhead
	for looked := uint32(0); looked <= words && budget > 0; looked++ {
		word := k.sweep >> 6
		if word >= words {
			k.sweep, word = 0, 0
		}
		left := k.dirty[word] >> (k.sweep & 63) << (k.sweep & 63)
		for ; left != 0 && budget > 0; left &= left - 1 {
			chunk := word<<6 | uint32(bits.TrailingZeros64(left))
			if chunk >= filling {
				left = 0
				break
			}
			k.copyChunk(into, chunk)
			k.sweep = chunk + 1
			budget--
		}
		if left == 0 {
			k.sweep = (word + 1) << 6
		}
	}
}
