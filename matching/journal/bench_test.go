package journal

import (
	"fmt"
	"io"
	"slices"
	"testing"
	"time"
)

const (
	commandBytes = 64
	inFlight     = 64
)

// counter is a machine that costs next to nothing.
type counter struct{ commands, digest uint64 }

func (c *counter) Apply(e Entry) error {
	c.commands += uint64(len(e.Data) / commandBytes)
	for at := 0; at < len(e.Data); at += commandBytes {
		c.digest = c.digest*31 + uint64(e.Data[at])
	}
	return nil
}

func (c *counter) Snapshot() (io.WriterTo, error) { return nil, io.ErrUnexpectedEOF }
func (c *counter) Restore(io.Reader) error        { return io.ErrUnexpectedEOF }
func (c *counter) Digest() uint64                 { return c.digest }

// benchLog is a leader of one or three nodes with full-size files.
func benchLog(b *testing.B, nodes int) *Log {
	b.Helper()
	if nodes == 1 {
		cfg := alone(folder(b))
		cfg.SegmentBytes, cfg.CheckEvery = DefaultSegmentBytes, DefaultCheckEvery
		return openNew(b, cfg, &counter{})
	}
	c := startCluster(b, func(cfg *Config) { cfg.SegmentBytes, cfg.CheckEvery = DefaultSegmentBytes, DefaultCheckEvery })
	return c.logs[c.leader(0)]
}

// BenchmarkPropose measures entries of 1, 64 and 1,024 commands of 64 bytes, one entry
// under way and 64. The time of an entry is from its proposal to its outcome.
func BenchmarkPropose(b *testing.B) {
	for _, nodes := range []int{1, 3} {
		for _, commands := range []int{1, 64, 1024} {
			for _, depth := range []int{1, inFlight} {
				b.Run(fmt.Sprintf("nodes=%d/commands=%d/underway=%d", nodes, commands, depth), func(b *testing.B) {
					benchPropose(b, benchLog(b, nodes), make([]byte, commands*commandBytes), depth)
				})
			}
		}
	}
}

func benchPropose(b *testing.B, l *Log, entry []byte, depth int) {
	b.Helper()
	type flight struct {
		ticket *Ticket
		begun  time.Time
	}
	flights, times := make([]flight, 0, depth), make([]time.Duration, 0, b.N)
	land := func() {
		if _, err := flights[0].ticket.Wait(ctx()); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(flights[0].begun))
		flights = append(flights[:0], flights[1:]...)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if len(flights) == depth {
			land()
		}
		begun := time.Now() //nolint:forbidigo // real time is what is measured
		ticket, err := l.Begin(ctx(), entry)
		if err != nil {
			b.Fatal(err)
		}
		flights = append(flights, flight{ticket, begun})
	}
	for len(flights) > 0 {
		land()
	}
	b.StopTimer()
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64(b.N*len(entry)/commandBytes)/b.Elapsed().Seconds(), "commands/s")
}

// BenchmarkReplay measures how fast a node reads, checks and applies its log when it
// starts: 1,024 commands of 64 bytes an entry.
func BenchmarkReplay(b *testing.B) {
	const entries, commands = 2000, 1024
	cfg := alone(folder(b))
	cfg.SegmentBytes, cfg.CheckEvery = DefaultSegmentBytes, DefaultCheckEvery
	l := openNew(b, cfg, &counter{})
	entry := make([]byte, commands*commandBytes)
	var last *Ticket
	for range entries {
		var err error
		if last, err = l.Begin(ctx(), entry); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := last.Wait(ctx()); err != nil {
		b.Fatal(err)
	}
	closeLog(b, l)
	b.ResetTimer()
	for range b.N {
		m := &counter{}
		l := open(b, cfg, m)
		eventually(b, "log is replayed", func() bool { return l.Status().Leading })
		b.StopTimer()
		if m.commands != entries*commands {
			b.Fatalf("%d commands came back", m.commands)
		}
		closeLog(b, l)
		b.StartTimer()
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)*entries*commands/b.Elapsed().Seconds(), "commands/s")
}
