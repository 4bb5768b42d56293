package consent

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// ErrCloned reports a sign counter that another approval has used, or that is behind: the
// passkey has a copy somewhere.
var ErrCloned = errors.New("sign counter does not grow: somebody may hold a copy of the passkey")

// Counters knows the sign counters of passkeys.
type Counters interface {
	// Fresh reports ErrCloned where an approval other than that one has used the counter,
	// or where it should have been higher.
	Fresh(c Count) error
}

// Count is the sign counter of one verified approval.
type Count struct {
	Person   string            `json:"person"`
	Key      string            `json:"key"`
	Count    uint32            `json:"count"` // zero: this passkey does not count
	Approval [sha256.Size]byte `json:"approval"`
}

// keptCounts is how many of the newest counters of each key Counts keeps.
const keptCounts = 256

// Counts is Counters in memory. Whoever takes approvals in where they are made sets
// Rising: each counter is above all before it. Whoever gets them in any order and again,
// as a signer does, does not: there the same approval passes again, a counter that
// another approval used never does, and neither does one behind the 256 newest. A key
// that has counted does not stop to. The zero value is ready. Several goroutines may use
// it.
type Counts struct {
	Rising bool

	mu   sync.Mutex
	kept map[string][]Count // by person and key, growing
}

// Fresh implements Counters.
func (c *Counts) Fresh(of Count) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.kept[of.name()]
	if len(kept) == 0 {
		return nil
	}
	at, used := slices.BinarySearchFunc(kept, of.Count, compare)
	switch {
	case used && kept[at].Approval == of.Approval:
		return nil
	case used:
		return fmt.Errorf("%w: %d was used by another approval", ErrCloned, of.Count)
	case of.Count == 0, c.Rising && at < len(kept), at == 0 && len(kept) == keptCounts:
		return fmt.Errorf("%w: it is %d, and was %d", ErrCloned, of.Count, kept[len(kept)-1].Count)
	}
	return nil
}

// Note keeps the counters of approvals that were judged, those of a Judgement.
func (c *Counts) Note(counts ...Count) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil {
		c.kept = map[string][]Count{}
	}
	for _, of := range counts {
		kept := c.kept[of.name()]
		at, used := slices.BinarySearchFunc(kept, of.Count, compare)
		if used || of.Count == 0 {
			continue
		}
		kept = slices.Insert(kept, at, of)
		c.kept[of.name()] = kept[max(0, len(kept)-keptCounts):]
	}
}

func (c *Count) name() string { return c.Person + " " + c.Key }

func compare(c Count, count uint32) int {
	switch {
	case c.Count < count:
		return -1
	case c.Count > count:
		return 1
	}
	return 0
}
