package miner

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func openLog(t require, path string) *BlockLog {
	l, err := OpenBlockLog(path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestBlockLogSurvivesACutAnywhere appends blocks, cuts the file at any byte, and
// expects every line that is still whole, and room for more.
func TestBlockLogSurvivesACutAnywhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, "blocks.log")
		_ = os.Remove(path)
		l := openLog(t, path)
		hashes := rapid.SliceOfNDistinct(rapid.StringMatching(`[0-9a-f]{8}`), 1, 20, rapid.ID[string]).Draw(t, "hashes")
		var ends []int64
		for _, h := range hashes {
			if err := l.Append(h, strings.Repeat(h, rapid.IntRange(1, 9).Draw(t, "size"))); err != nil {
				t.Fatal(err)
			}
			ends = append(ends, l.end)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		cut := rapid.Int64Range(0, ends[len(ends)-1]).Draw(t, "cut")
		if err := os.Truncate(path, cut); err != nil {
			t.Fatal(err)
		}
		whole := 0
		for whole < len(ends) && ends[whole] <= cut {
			whole++
		}
		l = openLog(t, path)
		if got := l.Blocks(); !slices.Equal(got, hashes[:whole]) {
			t.Fatalf("cut at %d: %v, want %v", cut, got, hashes[:whole])
		}
		if err := l.Append("feed", "beef"); err != nil {
			t.Fatal(err)
		}
		if raw, err := l.Raw("feed"); err != nil || raw != "beef" || l.Newest() != "feed" {
			t.Fatalf("after the cut: %q, %v", raw, err)
		}
		for _, h := range hashes[:whole] {
			if raw, err := l.Raw(h); err != nil || !strings.HasPrefix(raw, h) {
				t.Fatalf("block %s: %q, %v", h, raw, err)
			}
		}
		_ = l.Close()
	})
}

func TestBlockLogRefusesWhatIsNoBlock(t *testing.T) {
	t.Parallel()
	l := openLog(t, filepath.Join(t.TempDir(), "blocks.log"))
	for _, pair := range [][2]string{{"", "aa"}, {"aa", ""}, {"a a", "bb"}, {"aa", "b\nb"}} {
		if err := l.Append(pair[0], pair[1]); err == nil {
			t.Errorf("took %q", pair)
		}
	}
	damaged := filepath.Join(t.TempDir(), "damaged.log")
	if err := os.WriteFile(damaged, []byte("no separator\nfoo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenBlockLog(damaged); err == nil {
		t.Fatal("opened a damaged log")
	}
}
