package settle_test

import (
	"errors"
	"testing"

	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/matching/settle/settletest"
)

func TestNumbersHaveNames(t *testing.T) {
	h := newHouse(t, 1, 3, false)
	for round := range 2 { // read, and remembered
		for no := range engine.AccountID(3) {
			if name, err := h.registry.Customer(t.Context(), no+1); err != nil || name != settletest.Customer(no+1) {
				t.Errorf("round %d: account %d is %q, %v", round, no+1, name, err)
			}
		}
		for no, code := range h.world.Assets {
			if name, err := h.registry.Code(t.Context(), engine.AssetID(no)); err != nil || name != code {
				t.Errorf("round %d: asset %d is %q, %v", round, no, name, err)
			}
		}
		for _, no := range []engine.AccountID{0, 4, 1 << 31} {
			if name, err := h.registry.Customer(t.Context(), no); !errors.Is(err, settle.ErrUnknown) {
				t.Errorf("account %d is %q, %v", no, name, err)
			}
		}
		if name, err := h.registry.Code(t.Context(), 99); !errors.Is(err, settle.ErrUnknown) {
			t.Errorf("asset 99 is %q, %v", name, err)
		}
	}
	late, err := h.registry.Account(t.Context(), "cus_late") // unknown is not remembered
	h.must(err)
	if name, err := h.registry.Customer(t.Context(), late); err != nil || name != "cus_late" {
		t.Errorf("%q, %v", name, err)
	}
}
