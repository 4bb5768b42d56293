package settle_test

import (
	"testing"
	"time"

	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/matching/settle/settletest"
)

// BenchmarkFills settles trades among 500 accounts, each behind the event of the order
// that came in, on a server that waits for its disk.
func BenchmarkFills(b *testing.B) {
	h := newHouse(b, 1, 500, true)
	for no := range 500 {
		for asset := range h.world.Assets {
			h.world.Credit(engine.AccountID(no+1), engine.AssetID(asset), 1<<40, false)
		}
	}
	s := h.settler(&settletest.Source{World: h.world}, h.ledger)
	h.must(s.Run(b.Context()))
	first := len(h.world.Events)
	for range 100_000 {
		h.world.Trade()
	}
	h.world.Checkpoint()
	trades := 0
	for _, e := range h.world.Events[first:] {
		if e.Kind == engine.EventTrade {
			trades++
		}
	}
	b.ResetTimer()
	for range b.N {
		began := time.Now() //nolint:forbidigo // to measure
		h.must(s.Run(b.Context()))
		took := time.Since(began)
		b.ReportMetric(float64(trades)/took.Seconds(), "fills/s")
		b.ReportMetric(float64(len(h.world.Events)-first)/took.Seconds(), "events/s")
	}
	b.StopTimer()
	cursor, err := settle.LoadCursor(b.Context(), h.pool, 0)
	h.must(err)
	if cursor.Next != uint64(len(h.world.Events))+1 {
		b.Fatalf("settled up to %d of %d", cursor.Next-1, len(h.world.Events))
	}
	h.sound()
}
