package crash_test

import (
	"slices"
	"testing"

	"strongroom/internal/crash"
)

func TestPointsAreDistinctAndHarmless(t *testing.T) {
	points := crash.Points()
	if sorted := slices.Compact(slices.Sorted(slices.Values(points))); len(sorted) != len(points) {
		t.Fatalf("%d points, %d names", len(points), len(sorted))
	}
	for _, p := range points {
		crash.At(p) // without a plan nothing happens
	}
}
