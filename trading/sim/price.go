package sim

import "math/rand/v2"

// How the reference moves, in parts per million of where it began: by steps of any size
// up to most, drawn back to the middle, never farther out than bound.
const (
	walkMost  = 400
	walkBack  = 60 // the share of the distance that each step takes back is one in this
	walkBound = 40_000
	million   = 1_000_000
)

// walk is a price that drifts.
type walk struct {
	rng    *rand.Rand
	middle int64 // ticks
	off    int64 // parts per million away from it
}

func newWalk(rng *rand.Rand, middle int64) *walk { return &walk{rng: rng, middle: middle} }

// step moves the price and returns it, in ticks, at least 1.
func (w *walk) step() int64 {
	w.off += w.rng.Int64N(2*walkMost+1) - walkMost - w.off/walkBack
	w.off = min(max(w.off, -walkBound), walkBound)
	// Divided first where the product would not fit.
	if w.middle > 1<<40 {
		return w.middle + w.middle/million*w.off
	}
	return max(w.middle+w.middle*w.off/million, 1)
}
