package server_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/engine"
	"strongroom/matching/engine/flow"
	"strongroom/matching/server"
	"strongroom/matching/wire"
)

// script is log entries with some of everything: sessions of two owners that come and
// go, markets, and commands of all sorts.
func script(tb testing.TB, n int) (entries [][]byte, shard engine.Config) {
	tb.Helper()
	stream := flow.NewAny(7, flow.All)
	e, err := engine.New(stream.Shard())
	if err != nil {
		tb.Fatal(err)
	}
	now, numbers := int64(0), map[engine.SessionID]uint64{}
	entry := wire.AppendOpen(wire.AppendOpen(wire.AppendEntry(nil, 1), 1, "api"), 2, "maker")
	for i, step := range flow.Record(stream, e, n) {
		now = max(now, step.Command.Time)
		entries = append(entries, entry)
		entry = wire.AppendEntry(nil, now)
		switch session := engine.SessionID(1 + i%2); {
		case step.Config != nil:
			entry = wire.AppendMarket(entry, uint64(i), step.Command.Market, step.Config)
		case step.Command.Op == engine.OpTime, step.Command.Op == engine.OpDisconnect:
		default:
			step.Command.Time, step.Command.Session = 0, session
			numbers[session]++
			entry = wire.AppendCommands(entry, session, numbers[session], 1, wire.AppendCommand(nil, &step.Command))
		}
		if i%100 == 99 {
			entry = wire.AppendEnd(wire.AppendOpen(entry, uint64(i), "api"), engine.SessionID(2+i/100))
		}
	}
	return append(entries, entry), stream.Shard()
}

func machineOf(tb testing.TB, shard engine.Config) (*server.Machine, *[]*matchingv1.EventBatch) {
	tb.Helper()
	e, err := engine.New(shard)
	if err != nil {
		tb.Fatal(err)
	}
	m := server.NewMachine(e, nil, noClock)
	var batches []*matchingv1.EventBatch
	m.Record(func(b *matchingv1.EventBatch) { batches = append(batches, b) })
	return m, &batches
}

func feed(tb testing.TB, m *server.Machine, entries [][]byte) {
	tb.Helper()
	for _, entry := range entries {
		if err := m.Apply(epoch, false, entry); err != nil {
			tb.Fatal(err)
		}
	}
	m.Settle()
}

func keep(tb testing.TB, m *server.Machine) *bytes.Buffer {
	tb.Helper()
	w, err := m.Snapshot(nil)
	if err != nil {
		tb.Fatal(err)
	}
	var b bytes.Buffer
	if n, err := w.WriteTo(&b); err != nil || n != int64(b.Len()) {
		tb.Fatalf("wrote %d bytes of %d: %v", n, b.Len(), err)
	}
	return &b
}

// TestRestoredMachineGoesOnAsTheFirst takes a copy half way, writes it when the first
// machine is at the end, and lets a second one go on from it.
func TestRestoredMachineGoesOnAsTheFirst(t *testing.T) {
	entries, shard := script(t, 12_000)
	first, batches := machineOf(t, shard)
	feed(t, first, entries[:8000])
	half, seen := first.Contents(), len(*batches)
	copied, err := first.Snapshot(func(seq uint64) error {
		if last := (*batches)[seen-1]; seq != last.GetFirst()+uint64(last.GetCount())-1 {
			t.Errorf("event %d before writing, the last batch is %d and %d more", seq, last.GetFirst(), last.GetCount())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	feed(t, first, entries[8000:])
	var kept bytes.Buffer
	if _, err := copied.WriteTo(&kept); err != nil {
		t.Fatal(err)
	}
	second, again := machineOf(t, shard)
	restore(t, second, shard, kept.Bytes())
	if second.Contents() != half {
		t.Fatal("a restored machine has other contents")
	}
	feed(t, second, entries[8000:])
	if second.Contents() != first.Contents() || second.Digest() != first.Digest() {
		t.Error("machines part after a restore")
	}
	same := slices.EqualFunc(*again, (*batches)[seen:], func(a, b *matchingv1.EventBatch) bool {
		return a.GetFirst() == b.GetFirst() && bytes.Equal(a.GetHash(), b.GetHash()) && bytes.Equal(a.GetEvents(), b.GetEvents())
	})
	if !same {
		t.Error("a restored machine makes other batches")
	}
	if !bytes.Equal(keep(t, first).Bytes(), keep(t, second).Bytes()) {
		t.Error("equal machines are kept as other bytes")
	}
}

func restore(tb testing.TB, m *server.Machine, shard engine.Config, kept []byte) {
	tb.Helper()
	_, err := m.Restore(bytes.NewReader(kept), func(r io.Reader) (server.Engine, error) { return engine.Restore(r, shard) })
	if err != nil {
		tb.Fatal(err)
	}
}

func TestStateThatIsNotWholeIsRefused(t *testing.T) {
	entries, shard := script(t, 500)
	m, _ := machineOf(t, shard)
	feed(t, m, entries)
	kept, before := keep(t, m).Bytes(), m.Contents()
	load := func(r io.Reader) (server.Engine, error) { return engine.Restore(r, shard) }
	for n := 0; n < len(kept); n += 11 {
		if _, err := m.Restore(bytes.NewReader(kept[:n]), load); !errors.Is(err, server.ErrState) && !errors.Is(err, engine.ErrSnapshot) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	if m.Contents() != before {
		t.Error("what was refused has changed the state")
	}
}

func FuzzState(f *testing.F) {
	entries, shard := script(f, 300)
	m, _ := machineOf(f, shard)
	feed(f, m, entries)
	f.Add(keep(f, m).Bytes())
	load := func(r io.Reader) (server.Engine, error) { return engine.Restore(r, shard) }
	f.Fuzz(func(t *testing.T, kept []byte) {
		m, _ := machineOf(t, shard)
		if _, err := m.Restore(bytes.NewReader(kept), load); err == nil {
			restore(t, m, shard, keep(t, m).Bytes())
		}
	})
}
