package engine_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"strongroom/matching/engine"
	"strongroom/matching/engine/flow"
)

// snapshot returns an engine after some commands of everything, its configuration and
// its snapshot.
func snapshot(tb testing.TB, seed uint64, n int) (*engine.Engine, *flow.Any, []byte) {
	tb.Helper()
	stream := flow.NewAny(seed, flow.All)
	e, err := engine.New(stream.Shard())
	if err != nil {
		tb.Fatal(err)
	}
	flow.Record(stream, e, n)
	var b bytes.Buffer
	if err := e.Snapshot(&b); err != nil {
		tb.Fatal(err)
	}
	return e, stream, b.Bytes()
}

func TestRestoredShardGoesOnAsTheFirst(t *testing.T) {
	for seed := range uint64(20) {
		e, stream, image := snapshot(t, seed, 2000)
		r, err := engine.Restore(bytes.NewReader(image), stream.Shard())
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		var again bytes.Buffer
		if err := r.Snapshot(&again); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(image, again.Bytes()) {
			t.Fatalf("seed %d: a restored shard writes other bytes", seed)
		}
		for i, step := range flow.Record(stream, e, 1000) {
			step.Do(r, nil)
			if i == 999 && r.Digest() != e.Digest() {
				t.Fatalf("seed %d: shards part after a restore", seed)
			}
		}
	}
}

func TestDamagedSnapshotIsRefused(t *testing.T) {
	_, stream, image := snapshot(t, 3, 1000)
	for i := range image {
		bad := bytes.Clone(image)
		bad[i] ^= 1 << (i % 8)
		if _, err := engine.Restore(bytes.NewReader(bad), stream.Shard()); err == nil {
			t.Fatalf("damage at byte %d of %d was not seen", i, len(image))
		}
	}
	for n := 0; n < len(image); n += 7 {
		if _, err := engine.Restore(bytes.NewReader(image[:n]), stream.Shard()); err == nil {
			t.Fatalf("a snapshot cut at %d was taken", n)
		}
	}
	other := stream.Shard()
	other.Orders++
	if _, err := engine.Restore(bytes.NewReader(image), other); err == nil {
		t.Fatal("a snapshot of another configuration was taken")
	}
}

func FuzzRestore(f *testing.F) {
	_, stream, image := snapshot(f, 1, 300)
	f.Add(image)
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := engine.Restore(bytes.NewReader(data), stream.Shard())
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := e.Snapshot(&b); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzRestoreSealed changes numbers of a snapshot and makes its sum right again, so that
// what is left to refuse it is the look at each number. A state that is taken must be
// one that can go on: it can be written and read again, and no command breaks it.
func FuzzRestoreSealed(f *testing.F) {
	e, stream, image := snapshot(f, 1, 300)
	numbers := engine.Numbers(image)
	if !bytes.Equal(engine.Seal(numbers), image) {
		f.Fatal("numbers are not what a snapshot is written as")
	}
	after := flow.Record(stream, e, 300)
	for at := range numbers {
		for _, value := range []uint64{0, 1, numbers[at] + 1, numbers[at] - 1, 1 << 62} {
			f.Add(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint16(nil, uint16(at)), value))
		}
	}
	f.Fuzz(func(t *testing.T, edits []byte) {
		changed := slices.Clone(numbers)
		for ; len(edits) >= 10; edits = edits[10:] {
			changed[int(binary.BigEndian.Uint16(edits))%len(changed)] = binary.BigEndian.Uint64(edits[2:])
		}
		sealed := engine.Seal(changed)
		e, err := engine.Restore(bytes.NewReader(sealed), stream.Shard())
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := e.Snapshot(&b); err != nil {
			t.Fatal(err)
		}
		again, err := engine.Restore(&b, stream.Shard())
		if err != nil || again.Digest() != e.Digest() {
			t.Fatalf("a state that was taken is not the same again: %v", err)
		}
		var events []engine.Event
		for i := range after {
			events = after[i].Do(e, events[:0])
		}
		_ = e.Digest()
	})
}

// TestFrozenStaysAsItWas goes on after a copy: the copy writes what the shard would
// have written then, and its memory serves for the next one.
func TestFrozenStaysAsItWas(t *testing.T) {
	for seed := range uint64(20) {
		var f, spare *engine.Frozen = nil, &engine.Frozen{}
		e, stream, image := snapshot(t, seed, 2000)
		for round := range 3 {
			f, spare = e.Freeze(spare), f
			if spare == nil {
				spare = &engine.Frozen{}
			}
			digest, seq := e.Digest(), f.Seq()
			for range 5 {
				flow.Record(stream, e, 100)
				e.Prepare(spare, int(seed)*40)
			}
			var b bytes.Buffer
			if err := f.Snapshot(&b); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(b.Bytes(), image) {
				t.Fatalf("seed %d, round %d: the copy of event %d has changed", seed, round, seq)
			}
			if f.Digest() != digest {
				t.Fatalf("seed %d, round %d: the copy has another digest", seed, round)
			}
			b.Reset()
			if err := e.Snapshot(&b); err != nil {
				t.Fatal(err)
			}
			image = b.Bytes()
		}
	}
}
