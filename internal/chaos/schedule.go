//go:build chaos

package chaos

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// Bounds of the faults.
const (
	firstFault = 5 * time.Second
	mostDepth  = 3 // within the policy of every asset of development, with room for a node's own losses
	minute     = time.Minute
	// reorgsAMinute is per chain: a rewind is the rarest of what a worker does, and
	// some of the reorganisations come while the chain's node or worker is down.
	reorgsAMinute = 5
)

// schedule collects faults that lie within the load.
type schedule struct {
	rng    *rand.Rand
	length time.Duration
	list   []Fault
}

// add puts a fault at a random time of the minute that begins at from.
func (s *schedule) add(from time.Duration, f Fault) {
	f.At = from + time.Duration(s.rng.Int64N(int64(minute)))
	if f.At >= firstFault && f.At < s.length {
		s.list = append(s.list, f)
	}
}

// faults fills each minute with the same kinds in another order.
func faults(rng *rand.Rand, length time.Duration) []Fault {
	s := &schedule{rng: rng, length: length}
	for from, n := time.Duration(0), 0; from < length; from, n = from+minute, n+1 {
		s.chains(from, n)
		s.processes(from, n)
	}
	slices.SortStableFunc(s.list, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	return s.list
}

// chains plans one minute of the nodes. anvil is killed in the first minute only and
// stopped for seconds later: each time it has to be read again whole, and all of its
// pool sent again.
func (s *schedule) chains(from time.Duration, n int) {
	for i := range reorgsAMinute {
		for _, chain := range []string{Bitcoin, Litecoin, Ethereum} {
			depth := 1 + s.rng.IntN(mostDepth)
			// Of a reorganisation anvil gives nothing back to its pool, and payments of one
			// key wait for the lowest nonce: more often, and they would do nothing else.
			if chain != Ethereum || (n > 0 && i%2 == 0) {
				s.add(from, Fault{Act: Reorg, Target: chain, Depth: depth})
			}
		}
	}
	if n == 0 {
		s.add(from, Fault{Act: Kill, Target: "anvil"})
	} else {
		s.add(from, Fault{Act: Freeze, Target: "anvil", Length: s.seconds(2, 8)})
	}
	if n%2 == 1 {
		s.add(from, Fault{Act: Wipe, Target: Ethereum})
	}
	s.add(from, Fault{Act: Kill, Target: "btcd"})
	s.add(from, Fault{Act: Kill, Target: "litecoind"})
}

// processes plans one minute of everything else.
func (s *schedule) processes(from time.Duration, n int) {
	for range 2 {
		s.add(from, Fault{Act: Links, Length: s.seconds(4, 10)})
		s.add(from, Fault{Act: Kill, Target: []string{Signer, Worker, Worker2, API}[s.rng.IntN(4)]})
	}
	s.add(from, Fault{Act: Kill, Target: []string{"postgres", "temporal", "postgres"}[n%3]})
	if n%3 == 1 {
		s.add(from, Fault{Act: Freeze, Target: []string{Worker, Worker2}[s.rng.IntN(2)], Length: s.seconds(20, 40)})
	}
}

// seconds draws a length in [from, to).
func (s *schedule) seconds(from, to int) time.Duration {
	return time.Duration(from+s.rng.IntN(to-from)) * time.Second
}
