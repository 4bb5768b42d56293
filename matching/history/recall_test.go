package history_test

import (
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"strongroom/matching/history"
)

// kept returns a store that was closed and opened again, and the event behind its last.
func kept(t *testing.T, damage func(dir string)) (*history.Store, uint64) {
	t.Helper()
	dir := t.TempDir()
	s := open(t, dir, 0)
	end := fill(t, s, 1, 1000) // several files
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if damage != nil {
		damage(dir)
	}
	return open(t, dir, 0), end
}

// recalled counts the events from first on that are given, batch by batch.
func recalled(t *testing.T, r *history.Recall, first uint64) (end uint64) {
	t.Helper()
	for {
		b := r.At(first)
		if b == nil {
			return first
		}
		if !proto.Equal(b, batch(first)) {
			t.Fatalf("batch %d is another one", first)
		}
		first += uint64(b.GetCount())
	}
}

func TestRecallGivesWhatWasKept(t *testing.T) {
	s, end := kept(t, nil)
	var firsts []uint64
	for first := uint64(1); first < end; first += uint64(batch(first).GetCount()) {
		firsts = append(firsts, first)
	}
	for _, first := range []uint64{firsts[0], firsts[1], firsts[len(firsts)/2], firsts[len(firsts)-1], end} {
		if got := recalled(t, s.Recall(), first); got != end {
			t.Errorf("from %d: to %d of %d", first, got, end)
		}
	}
	between := firsts[1] - 1
	if between == firsts[0] {
		between = firsts[2] - 1
	}
	r := s.Recall()
	if r.At(between) != nil {
		t.Errorf("a batch begins with %d", between)
	}
	if r.At(firsts[3]) != nil {
		t.Error("it goes on behind the first that is not kept")
	}
}

// What was appended meanwhile is no part of it: it comes from the replay itself.
func TestRecallEndsWhereTheLastLifeDid(t *testing.T) {
	s, end := kept(t, nil)
	r := s.Recall()
	fill(t, s, end, end+500)
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := recalled(t, r, 1); got != end {
		t.Errorf("to %d of %d", got, end)
	}
}

func TestRecallStopsWhereFilesDoNotCheck(t *testing.T) {
	files := func(dir string) []string {
		names, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(names) < 4 {
			t.Fatal(names, err)
		}
		return names
	}
	for name, damage := range map[string]func(dir string){
		"a bit": func(dir string) {
			file := files(dir)[1]
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			raw[len(raw)/2] ^= 4
			if err := os.WriteFile(file, raw, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"an end": func(dir string) {
			if err := os.Truncate(files(dir)[1], 1000); err != nil {
				t.Fatal(err)
			}
		},
		"a file": func(dir string) {
			if err := os.Remove(files(dir)[1]); err != nil {
				t.Fatal(err)
			}
		},
	} {
		s, end := kept(t, damage)
		if got := recalled(t, s.Recall(), 1); got <= 1 || got >= end {
			t.Errorf("%s is gone: given to %d of %d", name, got, end)
		}
	}
}
