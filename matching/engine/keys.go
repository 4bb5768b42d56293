package engine

import (
	"math/bits"

	"strongroom/internal/hugepage"
)

func (k Key) isZero() bool { return k.Hi|k.Lo == 0 }

// hash spreads a key and whose it is.
func (k Key) hash(of uint32) uint64 {
	h := (k.Lo ^ uint64(of)*roundC) * roundA
	h = (h ^ h>>32 ^ k.Hi) * roundB
	return h ^ h>>29
}

// keyEntry is a client id that is kept.
type keyEntry struct {
	key     Key
	order   OrderID
	time    int64
	account uint32
	next    uint32 // the one that came after it; also the list of free entries
	prev    uint32
	open    bool // its order waits
	past    bool // its retention is over
}

// keys keeps client ids: a table of entries by account and key, and a queue of them by
// time. Entry zero is none. A place of the table has some of the hash beside
// the entry, so that what is not there, as most new ids are not, costs one look at it.
type keys struct {
	list        []keyEntry
	index       []uint32 // twice the entries or more, linear probing
	entries     uint32   // the bits of a slot that are the entry
	first, tail uint32   // by time
	head        uint32   // first whose retention is not over
	free        uint32
	used        uint32
	bound       uint32
	brief       bool // ids are kept no longer than their orders wait

	dirty []uint64 // a bit for each chunk of entries that changed since it was copied
	sweep uint32   // chunk that is looked at next
}

// A chunk of entries is copied as one. It is small, so that an id that changes costs
// little to copy again.
const (
	chunkBits    = 8
	chunkEntries = 1 << chunkBits
	dirtyBits    = chunkBits + 6 // entries of a word of bits
)

// touch notes that an entry changes.
func (k *keys) touch(i uint32) { k.dirty[i>>dirtyBits] |= 1 << (i >> chunkBits & 63) }

// slot is a place of the table: an entry, and above it as much of the top of its hash
// as there is room for. Zero is free.
func (k *keys) slot(hash uint64, i uint32) uint32 { return uint32(hash>>32)&^k.entries | i }

// tableSize returns a power of two of at least twice n.
func tableSize(n uint32) int {
	size := 8
	for size < 2*int(n) {
		size *= 2
	}
	return size
}

func newKeys(n uint32, brief bool) keys {
	return keys{
		list: hugepage.Make[keyEntry](int(n) + 1)[:1], index: hugepage.Make[uint32](tableSize(n)), bound: n, brief: brief,
		entries: 1<<bits.Len32(n) - 1, dirty: make([]uint64, n>>dirtyBits+1),
	}
}

func (k *keys) full() bool { return k.used == k.bound }

func (k *keys) find(account uint32, key Key) *keyEntry {
	mask, hash := uint64(len(k.index)-1), key.hash(account)
	for at := hash & mask; ; at = (at + 1) & mask {
		slot := k.index[at]
		if slot == 0 {
			return nil
		}
		if (slot^uint32(hash>>32))&^k.entries != 0 {
			continue
		}
		if en := &k.list[slot&k.entries]; en.key == key && en.account == account {
			return en
		}
	}
}

// add keeps the id of an order that came in.
func (k *keys) add(account uint32, key Key, order OrderID, now int64) uint32 {
	i := k.free
	if i != 0 {
		k.free = k.list[i].next
	} else {
		i = uint32(len(k.list))
		k.list = append(k.list, keyEntry{})
	}
	k.touch(i)
	k.list[i] = keyEntry{key: key, order: order, time: now, account: account, open: true, past: k.brief, prev: k.tail}
	mask, hash := uint64(len(k.index)-1), key.hash(account)
	at := hash & mask
	for k.index[at] != 0 {
		at = (at + 1) & mask
	}
	k.index[at] = k.slot(hash, i)
	if k.tail != 0 {
		k.touch(k.tail)
		k.list[k.tail].next = i
	} else {
		k.first = i
	}
	if k.head == 0 && !k.brief {
		k.head = i
	}
	k.tail = i
	k.used++
	return i
}

// ended notes that the order of an entry has ended.
func (k *keys) ended(i uint32) {
	k.touch(i)
	k.list[i].open = false
	if k.list[i].past {
		k.remove(i)
	}
}

// expire forgets ids that came at or before a time, those of open orders only once
// these end.
func (k *keys) expire(until int64) {
	for k.head != 0 && k.list[k.head].time <= until {
		i := k.head
		en := &k.list[i]
		k.touch(i)
		k.head = en.next
		en.past = true
		if !en.open {
			k.remove(i)
		}
	}
}

// remove takes an entry out of the table, moving those behind it up.
func (k *keys) remove(i uint32) {
	mask := uint64(len(k.index) - 1)
	at := k.list[i].key.hash(k.list[i].account) & mask
	for k.index[at]&k.entries != i {
		at = (at + 1) & mask
	}
	hole := at
	for at = (at + 1) & mask; k.index[at] != 0; at = (at + 1) & mask {
		en := &k.list[k.index[at]&k.entries]
		if home := en.key.hash(en.account) & mask; (at-home)&mask >= (at-hole)&mask {
			k.index[hole] = k.index[at]
			hole = at
		}
	}
	k.index[hole] = 0
	en := &k.list[i]
	k.touch(i)
	if en.prev != 0 {
		k.touch(en.prev)
		k.list[en.prev].next = en.next
	} else {
		k.first = en.next
	}
	if en.next != 0 {
		k.touch(en.next)
		k.list[en.next].prev = en.prev
	} else {
		k.tail = en.prev
	}
	k.list[i] = keyEntry{next: k.free}
	k.free = i
	k.used--
}

// forget drops client ids whose retention is over.
func (e *Engine) forget() {
	if e.keys.head != 0 && e.now >= e.cfg.Retention {
		e.keys.expire(e.now - e.cfg.Retention)
	}
}
