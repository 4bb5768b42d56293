package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
)

const testIdentity = 7

func entryOf(index uint64, data string) *raftpb.Entry {
	term := uint64(1)
	return &raftpb.Entry{Term: &term, Index: &index, Data: []byte(data)}
}

// smallLog writes frames with entries of the given sizes and returns the one segment's
// bytes and the offset behind each frame.
func smallLog(tb testing.TB, sizes ...int) (raw []byte, ends []int) {
	tb.Helper()
	dir := tb.TempDir()
	if err := createWAL(dir, testIdentity, minSegmentBytes); err != nil {
		tb.Fatal(err)
	}
	r, err := readLog(dir, testIdentity)
	if err != nil {
		tb.Fatal(err)
	}
	w, err := openWAL(dir, testIdentity, minSegmentBytes, r)
	if err != nil {
		tb.Fatal(err)
	}
	for i, size := range sizes {
		data := string(bytes.Repeat([]byte{0}, size)) // the worst: sectors of zeros
		hs := state{term: 1, vote: 1, commit: uint64(i)}
		if err := w.append(&hs, []*raftpb.Entry{entryOf(uint64(i+1), data)}, nil); err != nil {
			tb.Fatal(err)
		}
		ends = append(ends, int(w.off))
	}
	if err := w.close(); err != nil {
		tb.Fatal(err)
	}
	raw, err = os.ReadFile(filepath.Join(dir, segmentName(1)))
	if err != nil {
		tb.Fatal(err)
	}
	return raw, ends
}

func readRaw(raw []byte) (*replay, error) {
	r := &replay{}
	return r, r.segment(slices.Clone(raw), 1, testIdentity, true)
}

// Whatever byte of a written frame changes, in whatever way, the log refuses: the last
// frame is no exception, since a write that was cut short looks different.
func TestEveryChangedByteIsFound(t *testing.T) {
	raw, ends := smallLog(t, 3, 700, 0, 1500, 90)
	last := ends[len(ends)-1]
	for at := range last {
		for _, change := range []byte{0xff, 0x01, 0x80, raw[at]} {
			if change == 0 {
				continue
			}
			bad := slices.Clone(raw)
			bad[at] ^= change
			if _, err := readRaw(bad); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrForeign) {
				t.Fatalf("byte %d of %d changed by %02x: %v", at, last, change, err)
			}
		}
	}
}

// Behind the last frame nothing was promised: a change there is either cut or refused,
// and never costs an entry.
func TestBytesBehindTheEndCostNothing(t *testing.T) {
	raw, ends := smallLog(t, 3, 700)
	for at := ends[len(ends)-1]; at < len(raw); at += 7 {
		bad := slices.Clone(raw)
		bad[at] = 0xff
		if r, err := readRaw(bad); err == nil && len(r.entries) != 2 {
			t.Fatalf("byte %d: %d entries", at, len(r.entries))
		}
	}
}

// A last write that misses sectors, any of them, is cut, and all before it stays.
func TestTornLastWriteIsCut(t *testing.T) {
	raw, ends := smallLog(t, 3, 700, 90, 3000)
	from, to := ends[2], ends[3]
	var edges []int
	for at := from; at < to; at = at/sector*sector + sector {
		edges = append(edges, at)
	}
	for lost := 1; lost < 1<<len(edges); lost++ {
		torn := slices.Clone(raw)
		for i, at := range edges {
			if lost&(1<<i) != 0 {
				clear(torn[at:min(at/sector*sector+sector, to)])
			}
		}
		r, err := readRaw(torn)
		if err != nil || len(r.entries) != 3 || r.off != int64(from) {
			t.Fatalf("sectors %b missing: %d entries, %v", lost, len(r.entries), err)
		}
	}
	for size := from; size < to; size++ {
		if r, err := readRaw(raw[:size]); err != nil || len(r.entries) != 3 {
			t.Fatalf("file of %d bytes: %d entries, %v", size, len(r.entries), err)
		}
	}
}

// The same holes in any other frame are damage.
func TestHoleBeforeTheLastFrameIsRefused(t *testing.T) {
	raw, ends := smallLog(t, 3, 3000, 90)
	for at := ends[0]; at < ends[1]; at += frameAlign {
		bad := slices.Clone(raw)
		clear(bad[at:min(at+sector, ends[1])])
		if _, err := readRaw(bad); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("hole at %d: %v", at, err)
		}
	}
}

func TestLogGoesOnBehindACut(t *testing.T) {
	dir := t.TempDir()
	raw, ends := smallLog(t, 3, 700, 2000)
	name := filepath.Join(dir, segmentName(1))
	if err := os.WriteFile(name, raw[:ends[1]+600], fileMode); err != nil {
		t.Fatal(err)
	}
	r, err := readLog(dir, testIdentity)
	if err != nil {
		t.Fatal(err)
	}
	w, err := openWAL(dir, testIdentity, minSegmentBytes, r)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.append(nil, []*raftpb.Entry{entryOf(3, "again")}, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	r, err = readLog(dir, testIdentity)
	if err != nil || len(r.entries) != 3 || string(r.entries[2].GetData()) != "again" {
		t.Fatalf("%d entries, %v", len(r.entries), err)
	}
}

// A log over several files: each missing or swapped file is found.
func TestMissingFileIsFound(t *testing.T) {
	dir := t.TempDir()
	if err := createWAL(dir, testIdentity, minSegmentBytes); err != nil {
		t.Fatal(err)
	}
	r, err := readLog(dir, testIdentity)
	if err != nil {
		t.Fatal(err)
	}
	w, err := openWAL(dir, testIdentity, minSegmentBytes, r)
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(80) {
		if err := w.append(nil, []*raftpb.Entry{entryOf(i+1, string(make([]byte, 900)))}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	if r, err = readLog(dir, testIdentity); err != nil || len(r.entries) != 80 || len(r.segs) < 4 {
		t.Fatalf("%d entries in %d files, %v", len(r.entries), len(r.segs), err)
	}
	if err := os.Rename(filepath.Join(dir, segmentName(2)), filepath.Join(dir, "aside")); err != nil {
		t.Fatal(err)
	}
	if _, err := readLog(dir, testIdentity); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("without file 2: %v", err)
	}
	if err := os.Link(filepath.Join(dir, segmentName(3)), filepath.Join(dir, segmentName(2))); err != nil {
		t.Fatal(err)
	}
	if _, err := readLog(dir, testIdentity); err == nil {
		t.Fatal("file 3 passed for file 2")
	}
}

// Later entries void earlier ones of the same index, as Raft wants it.
func TestOverwrittenEntriesAreGone(t *testing.T) {
	r := &replay{}
	for _, index := range []uint64{1, 2, 3, 2} {
		if err := r.entry(entryOf(index, strconv.FormatUint(index, 10))); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.entries) != 2 {
		t.Fatalf("%d entries", len(r.entries))
	}
	if err := r.entry(entryOf(4, "")); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("gap: %v", err)
	}
	if err := r.snapshot(snapMark{index: 9, term: 1, reset: true}); err != nil {
		t.Fatal(err)
	}
	if err := r.entry(entryOf(11, "")); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("gap behind a snapshot: %v", err)
	}
	if err := r.entry(entryOf(10, "")); err != nil {
		t.Fatal(err)
	}
}

// FuzzSegment reads arbitrary bytes as a log file: no panic, no entry that was not
// written whole, and reading twice says the same.
func FuzzSegment(f *testing.F) {
	raw, ends := smallLog(f, 3, 700)
	f.Add(raw[:ends[1]])
	f.Add(raw[:ends[0]+5])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, p []byte) {
		first, err := readRaw(p)
		second, again := readRaw(p)
		if (err == nil) != (again == nil) || len(first.entries) != len(second.entries) {
			t.Fatalf("%v, then %v", err, again)
		}
	})
}

// discard takes records and counts their bytes.
type discard struct{ bytes int }

func (d *discard) entry(e *raftpb.Entry) error { d.bytes += entryHead + len(e.GetData()); return nil }
func (d *discard) state(state) error           { d.bytes += stateBytes; return nil }
func (d *discard) snapshot(snapMark) error     { d.bytes += snapBytes; return nil }

// FuzzRecords decodes arbitrary payloads: no panic, and never more than was there.
func FuzzRecords(f *testing.F) {
	f.Add(putState(putEntry(nil, entryOf(1, "x")), state{1, 2, 3}))
	f.Add(putSnap(nil, snapMark{index: 1, term: 1, reset: true}))
	f.Add(binary.LittleEndian.AppendUint32([]byte{recordEntry}, 1<<31))
	f.Fuzz(func(t *testing.T, p []byte) {
		var d discard
		if err := readRecords(p, &d); d.bytes > len(p) {
			t.Fatalf("%d bytes out of %d, %v", d.bytes, len(p), err)
		}
	})
}

// FuzzMessage decodes what a peer may send.
func FuzzMessage(f *testing.F) {
	var b bytes.Buffer
	kind := raftpb.MsgApp
	if _, err := writeMessage(&b, nil, &raftpb.Message{Type: &kind, Entries: []*raftpb.Entry{entryOf(1, "x")}}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte{255, 255, 255, 255})
	f.Fuzz(func(_ *testing.T, p []byte) {
		_, _ = readMessage(bytes.NewReader(p))
		_, _ = readHello(bytes.NewReader(p))
	})
}
