package history_test

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/goleak"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/history"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(tb testing.TB, dir string, most int64) *history.Store {
	tb.Helper()
	s, err := history.Open(history.Config{Dir: dir, SegmentBytes: 4096, MaxBytes: most, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// batch is the one that begins with an event; the numbers say how long it is.
func batch(first uint64) *matchingv1.EventBatch {
	b := &matchingv1.EventBatch{Version: 1, Epoch: 3, First: first, Count: uint32(1 + first%7), Events: make([]byte, 50+first%40)}
	sum := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, first))
	b.Hash, b.Previous = sum[:], make([]byte, sha256.Size)
	return b
}

// fill appends batches from one that begins with first until event end, and returns
// where the last one ends.
func fill(tb testing.TB, s *history.Store, first, end uint64) uint64 {
	tb.Helper()
	for first < end {
		b := batch(first)
		if err := s.Append(b); err != nil {
			tb.Fatal(err)
		}
		first += uint64(b.GetCount())
	}
	return first
}

// read returns the first events of the batches from the one that holds seq on.
func read(tb testing.TB, s *history.Store, seq uint64) (firsts []uint64, end uint64, err error) {
	tb.Helper()
	err = s.Batches(tb.Context(), seq, func(b *matchingv1.EventBatch) error {
		want := batch(b.GetFirst())
		if !slices.Equal(b.GetHash(), want.GetHash()) || b.GetCount() != want.GetCount() {
			tb.Errorf("batch %d is another one", b.GetFirst())
		}
		if end != 0 && b.GetFirst() != end {
			tb.Errorf("batch %d behind event %d", b.GetFirst(), end-1)
		}
		firsts, end = append(firsts, b.GetFirst()), b.GetFirst()+uint64(b.GetCount())
		return nil
	})
	return firsts, end, err
}

func TestBatchesFromAnyEvent(t *testing.T) {
	s := open(t, t.TempDir(), 0)
	end := fill(t, s, 1, 2000)
	for seq := uint64(1); seq < end; seq += 13 {
		firsts, last, err := read(t, s, seq)
		if err != nil || last != end {
			t.Fatalf("from %d: to %d of %d, %v", seq, last, end, err)
		}
		if first := batch(firsts[0]); first.GetFirst() > seq || first.GetFirst()+uint64(first.GetCount()) <= seq {
			t.Fatalf("from %d: begins with the batch of %d", seq, firsts[0])
		}
	}
	for _, seq := range []uint64{end, end + 100} {
		if _, _, err := read(t, s, seq); !errors.Is(err, history.ErrNotKept) {
			t.Errorf("event %d: %v", seq, err)
		}
	}
	stop := errors.New("stop")
	if err := s.Batches(t.Context(), 1, func(*matchingv1.EventBatch) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("a reader that has enough: %v", err)
	}
}

func TestGoesOnAfterARestart(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 0)
	end := fill(t, s, 1, 1000)
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(batch(end)); !errors.Is(err, history.ErrClosed) {
		t.Errorf("closed, and takes more: %v", err)
	}
	s = open(t, dir, 0)
	fill(t, s, 1, 500) // a replay brings what is there
	end = fill(t, s, end, 2000)
	if _, last, err := read(t, s, 1); err != nil || last != end {
		t.Errorf("to %d of %d, %v", last, end, err)
	}
}

func TestTornEndIsCut(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 0)
	end := fill(t, s, 1, 300)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	name := names[len(names)-1]
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for cut := 0; cut < len(whole); cut += 5 {
		for _, tail := range [][]byte{nil, make([]byte, 700)} {
			if err := os.WriteFile(name, append(slices.Clone(whole[:cut]), tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, dir, 0)
			fill(t, s, 1, end) // the replay
			if _, last, err := read(t, s, 1); err != nil || last != end {
				t.Fatalf("cut at %d: to %d of %d, %v", cut, last, end, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestLostEndIsNotBridged begins the replay behind what was lost.
func TestLostEndIsNotBridged(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 0)
	end := fill(t, s, 1, 200)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(names[len(names)-1], 10); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, 0)
	if err := s.Append(batch(end)); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(t.Context()); !errors.Is(err, history.ErrDamaged) {
		t.Errorf("a gap: %v", err)
	}
	if err := s.Append(batch(end)); !errors.Is(err, history.ErrDamaged) {
		t.Errorf("goes on after a fault: %v", err)
	}
}

func TestDamageIsSeen(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 0)
	fill(t, s, 1, 2000)
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(whole); at += 3 {
		bad := slices.Clone(whole)
		bad[at] ^= 1 << (at % 8)
		if err := os.WriteFile(names[0], bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if firsts, _, err := read(t, s, 1); err == nil {
			t.Fatalf("byte %d: %d batches and no error", at, len(firsts))
		}
	}
}

func TestReplayThatDiffersIsRefused(t *testing.T) {
	s := open(t, t.TempDir(), 0)
	last := uint64(0)
	for first := uint64(1); first < 100; first += uint64(batch(first).GetCount()) {
		if err := s.Append(batch(first)); err != nil {
			t.Fatal(err)
		}
		last = first
	}
	other := batch(last)
	other.Hash = make([]byte, sha256.Size)
	if err := s.Append(other); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(t.Context()); !errors.Is(err, history.ErrDiverged) {
		t.Errorf("another batch under the same numbers: %v", err)
	}
}

func TestOldestFilesGo(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 20_000)
	end := fill(t, s, 1, 5000)
	if _, _, err := read(t, s, 1); !errors.Is(err, history.ErrNotKept) {
		t.Errorf("the first event: %v", err)
	}
	if _, last, err := read(t, s, end-100); err != nil || last != end {
		t.Errorf("the newest: to %d of %d, %v", last, end, err)
	}
	size := int64(0)
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > 25_000 {
		t.Errorf("%d bytes are kept", size)
	}
}

func TestGapOfAnotherNodesState(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 0)
	end := fill(t, s, 1, 500)
	if err := s.Skip(1000); err != nil {
		t.Fatal(err)
	}
	behind := fill(t, s, 1000, 1500)
	check := func(s *history.Store) {
		t.Helper()
		if _, last, err := read(t, s, 1); err != nil || last != end {
			t.Errorf("before the gap: to %d of %d, %v", last, end, err)
		}
		if _, _, err := read(t, s, end); !errors.Is(err, history.ErrNotKept) {
			t.Errorf("in the gap: %v", err)
		}
		if _, last, err := read(t, s, 1000); err != nil || last != behind {
			t.Errorf("behind the gap: to %d of %d, %v", last, behind, err)
		}
	}
	check(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check(open(t, dir, 0))
}

func TestForeignFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := history.Open(history.Config{Dir: dir, Log: slog.New(slog.DiscardHandler)}); !errors.Is(err, history.ErrDamaged) {
		t.Errorf("a folder of something else: %v", err)
	}
}
