package engine

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestACopyOfIDsIsWholeHoweverItWasMade adds, ends and expires client ids, over more
// words of dirty bits than one, copies some ahead now and then, and compares each whole
// copy, into two memories in turn.
func TestACopyOfIDsIsWholeHoweverItWasMade(t *testing.T) {
	for seed := range uint64(4) {
		dice := rand.New(rand.NewPCG(seed, 1))
		e := &Engine{keys: newKeys(1<<17, false)}
		copies := []*Frozen{{}, {}}
		var open []uint32
		now := int64(0)
		for round := range 40 {
			for range dice.IntN(6_000) {
				now++
				switch p := dice.IntN(10); {
				case p < 6 && !e.keys.full():
					open = append(open, e.keys.add(uint32(dice.IntN(4)), Key{Hi: 1, Lo: uint64(now)}, OrderID(now), now))
				case p < 9 && len(open) > 0:
					at := dice.IntN(len(open))
					e.keys.ended(open[at])
					open[at] = open[len(open)-1]
					open = open[:len(open)-1]
				case p == 9:
					e.keys.expire(now - int64(dice.IntN(1<<17)))
				}
				if dice.IntN(50) == 0 {
					e.mirrored(copies[round/5%2])
					e.keys.copySome(&copies[round/5%2].e.keys, dice.IntN(2_000))
				}
			}
			into := copies[round/5%2]
			e.mirrored(into)
			e.keys.copyAll(&into.e.keys)
			if !slices.Equal(into.e.keys.list, e.keys.list) {
				t.Fatalf("seed %d, round %d: the copy is another one", seed, round)
			}
		}
		if len(e.keys.list) <= 1<<dirtyBits {
			t.Fatalf("seed %d: %d ids fill one word", seed, len(e.keys.list))
		}
	}
}

// TestCopyingAheadLeavesLittle: where ids rest, little by little all is copied.
func TestCopyingAheadLeavesLittle(t *testing.T) {
	e, into := &Engine{keys: newKeys(1<<17, false)}, &Frozen{}
	for i := range 100_000 {
		e.keys.add(1, Key{Lo: uint64(i) + 1}, 1, int64(i))
	}
	e.mirrored(into)
	chunks := len(e.keys.list)/chunkEntries + 1
	for range chunks {
		e.keys.copySome(&into.e.keys, 0)
	}
	for chunk := range chunks - 1 {
		if e.keys.dirty[chunk>>6]&(1<<(chunk&63)) != 0 {
			t.Fatalf("chunk %d of %d is not copied", chunk, chunks)
		}
	}
	if e.keys.dirty[(chunks-1)>>6]&(1<<((chunks-1)&63)) == 0 {
		t.Error("the chunk that fills was copied")
	}
}
