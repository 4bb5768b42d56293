package screening_test

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"strongroom/chainadapters"
)

// conformance returns the folder of third-party data, which is not part of the
// repository. Where it is missing a build server fails, and others are told.
func conformance(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("STRONGROOM_CONFORMANCE_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	dir = filepath.Join(dir, "sanctions")
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("no conformance data in %s: set STRONGROOM_CONFORMANCE_DATA", dir)
	}
	return ""
}

// TestPublishedList reads the list as OFAC published it. The oracle is a plain
// search in its text: an address, where it is not cut short at the end of the
// remarks.
func TestPublishedList(t *testing.T) {
	dir := conformance(t)
	if dir == "" {
		t.Log("left out: the published list is not on this machine")
		return
	}
	file, err := os.Open(filepath.Join(dir, "sdn.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	zipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zipped)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, "")
	b.open(dir)
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	b.clock.now = info.ModTime()
	chains := map[string]chainadapters.ChainID{"XBT": bitcoin, "LTC": litecoin, "ETH": ethereum, "ETC": ethereum}
	seen := map[string]int{}
	for _, m := range regexp.MustCompile(`Digital Currency Address - ([A-Z]+) ([0-9A-Za-z]{14,})`).FindAllSubmatch(text, -1) {
		currency, address := string(m[1]), string(m[2])
		seen[currency]++
		if chain, ours := chains[currency]; ours {
			b.hit(chain, address, true)
		}
	}
	if seen["XBT"] < 50 || seen["ETH"] == 0 || seen["LTC"] == 0 {
		t.Fatalf("the oracle found too little: %v", seen)
	}
	b.hit(bitcoin, segwit, false)
	b.hit(ethereum, "0x0000000000000000000000000000000000000001", false)
	t.Logf("addresses by currency: %v", seen)
}
