package desk_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"strongroom/treasury"
)

const waiting = 10_000

// BenchmarkQueue is a page of what waits for a person, of 10,000 requests that wait.
func BenchmarkQueue(b *testing.B) {
	h := open(b)
	for n := range waiting {
		h.asked(h.name("wdr", n), uint64(5000+n))
	}
	for name, f := range map[string]treasury.Filter{
		"needs-me": {Person: "ada", Limit: 50}, "all": {States: []treasury.State{treasury.Waiting}, Limit: 50},
		"expiring": {States: []treasury.State{treasury.Waiting}, Before: h.clock().Add(48 * time.Hour), Limit: 50},
	} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				began := time.Now() //nolint:forbidigo // a measurement
				page, err := h.List(b.Context(), f)
				require.NoError(b, err)
				require.Equal(b, waiting, page.Total)
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
		})
	}
}

// BenchmarkTold is how long after somebody signed another process hears of it.
func BenchmarkTold(b *testing.B) {
	h := open(b)
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	other := &house{tb: b, pool: h.pool, people: h.people, now: h.clock()}
	other.restart()
	go func() { _ = other.Run(ctx) }()
	changes, err := other.Changes(ctx)
	require.NoError(b, err)
	n := 0
	for b.Loop() {
		h.asked(h.name("wdr", n), 5000)
		n++
		<-changes
	}
}
