package desk_test

import (
	"strconv"
	"sync/atomic"
	"testing"

	"strongroom/trading"
)

// BenchmarkPlace gives orders that wait in, and takes each out again, through gRPC with
// mutual TLS to a shard without a disk: what the desk costs.
func BenchmarkPlace(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(strconv.Itoa(callers), func(b *testing.B) {
			h := open(b, nil)
			var ids atomic.Int64
			b.SetParallelism(callers)
			b.ResetTimer()
			b.RunParallel(func(p *testing.PB) {
				me := name(int(ids.Add(1)%customers) + 1)
				for p.Next() {
					o, _, err := h.desk.Place(b.Context(), me, trading.NewOrder{
						ClientID: strconv.FormatInt(ids.Add(1), 10), Market: "BTC-USDC", Side: "sell", Type: trading.TypeLimit, Price: "70000", Quantity: "0.001",
					})
					if err == nil {
						_, err = h.desk.Cancel(b.Context(), me, o.ID)
					}
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
