package id_test

import (
	"slices"
	"testing"

	"strongroom/internal/id"
)

func TestIDsSortByTimeAndKnowTheirKind(t *testing.T) {
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = id.New("wdr")
	}
	if !slices.IsSorted(ids) {
		t.Error("ids made one after another do not sort in that order")
	}
	for bad, why := range map[string]string{
		id.New("dep"): "other kind", "wdr_": "no digits", "wdr_zz": "not hex",
		"wdr_019A0000000070008000000000000000": "upper case",
	} {
		if id.Valid("wdr", bad) {
			t.Errorf("%q accepted: %s", bad, why)
		}
	}
	if !id.Valid("wdr", ids[0]) {
		t.Errorf("%q refused", ids[0])
	}
}
