package signer

import (
	"slices"
	"strconv"
	"testing"
	"time"

	signerv1 "strongroom/internal/gen/signer/v1"
)

// BenchmarkConsented measures whole requests with three approvals each, the journal on disk:
// two passkeys, and an Ed25519 key or a hardware wallet. The goal is 5 ms for the median
// and for 99 of 100.
func BenchmarkConsented(b *testing.B) {
	for name, people := range map[string][]string{
		"passkeys and ed25519": {"ada", "bea", "dov"}, "passkeys and wallet": {"ada", "cem", "dov"}, "without people": nil,
	} {
		b.Run(name, func(b *testing.B) {
			c := newChamber(b)
			var took []time.Duration
			for b.Loop() {
				b.StopTimer()
				req := c.nextPayment(b, people)
				start := time.Now() //nolint:forbidigo // it measures
				b.StartTimer()
				if _, err := c.Sign(req); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

// nextPayment is a request of its own id and nonce.
func (c *chamber) nextPayment(b *testing.B, people []string) *signerv1.SignRequest {
	b.Helper()
	n := c.journal.head.seq
	if len(people) > 0 {
		return c.pay(b, "wdr_"+strconv.FormatUint(n, 10), n, 10_000, people...)
	}
	c.clock.advance(time.Minute) // a day's window never holds more than it may
	return c.pay(b, "wdr_"+strconv.FormatUint(n, 10), n, 1)
}
