//go:build chaos

package crash

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPlanReadsWhatItWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Rule {
			return Rule{
				Point: rapid.SampledFrom(Points()).Draw(t, "point"), Hit: rapid.IntRange(1, 1e6).Draw(t, "hit"),
				Pause: time.Duration(rapid.IntRange(0, 60).Draw(t, "seconds")) * time.Second,
			}
		}), 0, 20).Draw(t, "plan")
		again, err := ParsePlan(Plan(plan).String())
		if err != nil || Plan(plan).String() != again.String() {
			t.Fatalf("%v, %v", again, err)
		}
	})
	for _, bad := range []string{",", "x@1=kill", "hold-after-commit@0=kill", "hold-after-commit@1", "hold-after-commit@1=pause:-1s", "hold-after-commit@1=stop"} {
		if _, err := ParsePlan(bad); !errors.Is(err, ErrPlan) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Hits of former lives count: a rule fires once.
func TestHitsAreCountedOverLives(t *testing.T) {
	name := filepath.Join(t.TempDir(), "hits")
	fired := 0
	for range 3 {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		count, err := CountHits(name)
		if err != nil {
			t.Fatal(err)
		}
		var slept time.Duration
		s := &seam{
			plan: Plan{{Point: HoldAfter, Hit: 5}, {Point: HoldAfter, Hit: 6, Pause: time.Minute}}, hits: f, count: count,
			kill: func() { fired++ }, sleep: func(d time.Duration) { slept += d },
			calm: func() bool { return false },
		}
		for range 4 {
			s.at(HoldAfter)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		fired += int(slept / time.Minute * 100)
	}
	if fired != 101 {
		t.Fatalf("fired %d, want one kill and one pause", fired)
	}
}
