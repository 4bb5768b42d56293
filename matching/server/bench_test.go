package server_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

// The bench's load: connections, commands a message, and how long each rate lasts.
const (
	benchStreams = 4
	benchMessage = 16
	benchTime    = 2 * time.Second
	benchMaximum = 600_000 // commands of the run without a schedule
)

// BenchmarkOpenLoop sends 16 commands a message over four TLS connections at times that
// are fixed before, and measures from these times to the results: a server that falls
// behind pays for it. Half of the commands are limit orders near one price, on either
// side, so that some trade; the others cancel orders sent before. Clients and server
// share the process; the log is in memory. Run with -benchtime=1x.
func BenchmarkOpenLoop(b *testing.B) {
	for _, rate := range []int{10_000, 50_000, 100_000, 200_000, 0} {
		name := fmt.Sprintf("rate=%d", rate)
		if rate == 0 {
			name = "maximum"
		}
		b.Run(name, func(b *testing.B) {
			h := open(b, true, nil)
			h.prepare(b)
			for b.Loop() {
				load(b, h, rate)
			}
		})
	}
}

func load(b *testing.B, h *house, rate int) {
	b.Helper()
	messages, pause := benchMaximum/benchStreams/benchMessage, time.Duration(0)
	if rate > 0 {
		pause = time.Second * benchStreams * benchMessage / time.Duration(rate)
		messages = int(benchTime / pause)
	}
	times := make([][]time.Duration, benchStreams)
	traders := make([]*trader, benchStreams)
	for i := range traders {
		traders[i] = h.trader(b, "api", &matchingv1.Hello{})
	}
	var all sync.WaitGroup
	begun := time.Now().Add(20 * time.Millisecond) //nolint:forbidigo // real time is what is measured
	for i, tr := range traders {
		offset := begun.Add(pause / benchStreams * time.Duration(i))
		all.Go(func() { shoot(tr, engine.AccountID(i+1), messages, offset, pause) })
		all.Go(func() { times[i] = collect(tr, messages, offset, pause) })
	}
	all.Wait()
	took := time.Since(begun)
	sorted := slices.Concat(times...)
	slices.Sort(sorted)
	b.ReportMetric(float64(benchStreams*messages*benchMessage)/took.Seconds(), "orders/s")
	if rate > 0 {
		b.ReportMetric(float64(sorted[len(sorted)/2].Microseconds()), "p50-µs")
		b.ReportMetric(float64(sorted[len(sorted)*99/100].Microseconds()), "p99-µs")
	}
	refused := h.gauge(b, "strongroom_matching_rejects_total")
	b.ReportMetric(100*refused/float64(benchStreams*messages*benchMessage), "refused-%")
	b.ReportMetric(h.gauge(b, "strongroom_matching_fills_total"), "fills")
	b.ReportMetric(0, "ns/op")
}

// shoot sends each message at its time.
func shoot(tr *trader, account engine.AccountID, messages int, begun time.Time, pause time.Duration) {
	key := uint64(account) << 40
	commands := make([]engine.Command, benchMessage)
	for m := range messages {
		for i := range commands {
			n := m*benchMessage + i
			if i%2 == 0 {
				commands[i] = order(account, engine.Side(n/2%2), 1000+int64(n/2%2)*4+int64(n*7%5)-2, 1+int64(n%9), key+uint64(n))
				continue
			}
			commands[i] = engine.Command{Op: engine.OpCancel, Account: account, Key: engine.Key{Lo: key + uint64(max(0, n-1-benchMessage))}}
		}
		f := &matchingv1.ClientFrame{Version: wire.Version, First: uint64(m*benchMessage) + 1, Commands: pack(commands...)}
		if pause > 0 {
			time.Sleep(time.Until(begun.Add(pause * time.Duration(m)))) //nolint:forbidigo // keeps to the schedule
		}
		if err := tr.stream.Send(f); err != nil {
			tr.t.Error(err)
			return
		}
	}
}

// collect waits for the results and returns how long after its time each message's last came.
func collect(tr *trader, messages int, begun time.Time, pause time.Duration) []time.Duration {
	out, done := make([]time.Duration, 0, messages), 0
	var results []wire.Result
	for len(out) < messages {
		f, err := tr.stream.Recv()
		if err != nil {
			tr.t.Error(err)
			return out
		}
		now := time.Now() //nolint:forbidigo // real time is what is measured
		if results, err = wire.ReadResults(f.GetResults(), results[:0]); err != nil {
			tr.t.Error(err)
			return out
		}
		for done += len(results); len(out) < done/benchMessage; {
			out = append(out, now.Sub(begun.Add(pause*time.Duration(len(out)))))
		}
	}
	return out
}
