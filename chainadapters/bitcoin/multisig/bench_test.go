package multisig

import "testing"

// What a signer waits for: reading a spend of two coins of 2 of 3 that one has signed.
func BenchmarkInspect(b *testing.B) {
	h := openHouse(b, "regtest", 2, 3, "bench")
	raw, _ := h.typical(b)
	raw = h.sign(b, raw, 0)
	for b.Loop() {
		if _, err := h.Inspect(raw, nil); err != nil {
			b.Fatal(err)
		}
	}
}
