package bitcoin

// maxTries bounds the search for a selection without change.
const maxTries = 1_000_000

// search looks through sets of coins for the one without change that wastes
// least. It walks over the coins from the largest down, each with it before
// without it, and turns back where nothing can follow (branch and bound).
type search struct {
	*table
	from  []candidate
	worth []uint64 // of each coin, less the least that spending it costs
	rest  []uint64 // worth of all coins from i on
	costs int64    // what one more coin adds to the waste; below zero where coins are cheap to spend

	picked []int
	total  uint64 // amounts of what is picked
	sum    uint64 // worth of what is picked
	found  bool
	best   []int
	waste  int64
}

// exact returns the selection without change that wastes least, as far as the
// bound lets it look.
func (t *table) exact(from []candidate) (selection, bool) {
	s := &search{
		table: t, from: from, worth: make([]uint64, len(from)), rest: make([]uint64, len(from)+1),
		costs: int64(feeFor(inputWeight, t.rate)) - int64(feeFor(inputWeight, longTermSatPerKVB)), //nolint:gosec // fees are bounded
	}
	for i := len(from) - 1; i >= 0; i-- {
		s.worth[i] = from[i].amount - inputWeight*t.rate/(perByte*perKVB)
		s.rest[i] = s.rest[i+1] + s.worth[i]
	}
	s.run()
	if !s.found {
		return selection{}, false
	}
	out := selection{waste: s.waste}
	for _, i := range s.best {
		out.picked, out.total = append(out.picked, from[i]), out.total+from[i].amount
	}
	return out, true
}

func (s *search) run() {
	next := 0
	for range maxTries {
		if next < len(s.from) && len(s.picked) < maxInputs && s.goOn(next) {
			s.pick(next)
			next++
			continue
		}
		if len(s.picked) == 0 {
			return
		}
		next = s.drop()
	}
}

// goOn says whether a selection that holds what is picked and some of the coins
// from next on may be better than the best.
func (s *search) goOn(next int) bool {
	n := len(s.picked)
	switch {
	case s.sum+s.rest[next] < s.low:
		return false
	case s.found && s.costs >= 0 && int64(n)*s.costs > s.waste:
		return false
	case !s.reaches(n, s.total):
		return true
	}
	// Enough: more coins are worth a look only where it is cheap to spend them.
	return s.costs < 0 && s.total-s.need[n] < s.keep[n]
}

// pick adds a coin and notes the selection where it is the best so far.
func (s *search) pick(i int) {
	s.picked = append(s.picked, i)
	s.total, s.sum = s.total+s.from[i].amount, s.sum+s.worth[i]
	n := len(s.picked)
	if !s.reaches(n, s.total) || s.total-s.need[n] >= s.keep[n] {
		return
	}
	if waste := s.wasteOf(n, s.total); !s.found || waste < s.waste {
		s.found, s.waste = true, waste
		s.best = append(s.best[:0], s.picked...)
	}
}

// drop takes the last coin out and returns the next to try: one of the same
// amount would only repeat what was seen.
func (s *search) drop() int {
	last := s.picked[len(s.picked)-1]
	s.picked = s.picked[:len(s.picked)-1]
	s.total, s.sum = s.total-s.from[last].amount, s.sum-s.worth[last]
	next := last + 1
	for next < len(s.from) && s.from[next].amount == s.from[last].amount {
		next++
	}
	return next
}
