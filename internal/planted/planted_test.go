//go:build !planted

package planted_test

import (
	"slices"
	"testing"

	"strongroom/internal/planted"
)

func TestNoBugIsLive(t *testing.T) {
	bugs := planted.Bugs()
	if sorted := slices.Compact(slices.Sorted(slices.Values(bugs))); len(sorted) != len(bugs) {
		t.Fatalf("%d bugs, %d names", len(bugs), len(sorted))
	}
	for _, b := range bugs {
		if planted.Live(b) {
			t.Errorf("%s is live", b)
		}
	}
}
