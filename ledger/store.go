package ledger

import "hash/maphash"

// accountStore is the cache of accounts. It holds up to millions for as long as
// the process runs, so nothing in it is a pointer: the garbage collector would
// follow each of them again and again, while callers wait.
type accountStore struct {
	limit int
	seeds [2]maphash.Seed
	index map[accountKey]uint32
	slabs [][]account
	free  []uint32
	used  uint32 // slots that were ever taken
}

// accountKey is 128 bits of a hash whose seeds nobody outside knows; the id is
// compared as well.
type accountKey [2]uint64

const slabSize = 1024

func newAccountStore(limit int) *accountStore {
	return &accountStore{
		limit: max(limit, 1), index: map[accountKey]uint32{}, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
	}
}

func (s *accountStore) key(id AccountID) accountKey {
	return accountKey{maphash.String(s.seeds[0], string(id)), maphash.String(s.seeds[1], string(id))}
}

func (s *accountStore) at(slot uint32) *account { return &s.slabs[slot/slabSize][slot%slabSize] }

func (s *accountStore) find(id AccountID) (*account, bool) {
	slot, ok := s.index[s.key(id)]
	if !ok {
		return nil, false
	}
	a := s.at(slot)
	return a, string(a.id.text()) == string(id)
}

// put takes a copy of a, which is not there yet.
func (s *accountStore) put(a *account) {
	slot := s.slot()
	s.index[s.key(a.accountID())] = slot
	*s.at(slot) = *a
}

func (s *accountStore) slot() uint32 {
	if last := len(s.free) - 1; last >= 0 {
		slot := s.free[last]
		s.free = s.free[:last]
		return slot
	}
	if int(s.used) == len(s.slabs)*slabSize {
		s.slabs = append(s.slabs, make([]account, slabSize))
	}
	s.used++
	return s.used - 1
}

// age brings the cache back within its limit: a map is walked from a random
// place. Accounts stay where they are between two calls.
func (s *accountStore) age() {
	for key, slot := range s.index {
		if len(s.index) <= s.limit {
			return
		}
		delete(s.index, key)
		s.free = append(s.free, slot)
	}
}

func (s *accountStore) clear() {
	s.index, s.free, s.used = map[accountKey]uint32{}, s.free[:0], 0
}
