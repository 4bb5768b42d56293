package custodydb

import (
	"slices"
	"testing"
)

func TestWhatIsDueIsToldAtOnceAndThenInDoublingGaps(t *testing.T) {
	var told []uint64
	for depth := range uint64(40) {
		if worthTelling(depth+1, 3) && depth+1 >= 3 {
			told = append(told, depth+1)
		}
	}
	if want := []uint64{3, 4, 5, 7, 11, 19, 35}; !slices.Equal(told, want) {
		t.Errorf("told at depths %v, want %v", told, want)
	}
	if !worthTelling(9, 0) {
		t.Error("what does not wait for depth is told with each block")
	}
}
