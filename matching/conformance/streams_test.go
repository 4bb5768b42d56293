package conformance_test

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"strongroom/matching/conformance"
	"strongroom/matching/engine"
)

// streamOrders is more than the streams have waiting at any time.
const streamOrders = 1 << 20

// TestPublishedStreams runs the public streams and compares the reports' hash with the
// one that their authors publish.
func TestPublishedStreams(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"f1-normal":   "e9b2e3926854410b01a035aeb25dd05f1e597c233be8263de9eb49b6713d367e",
		"f1-swing-25": "61a84be9469661bd039e00dbc9a7c011e70b6ace37aadfe60045ea083b05f4df",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := open(t, name+".cmds.gz")
			if file == nil {
				return
			}
			unzipped, err := gzip.NewReader(bufio.NewReader(file))
			if err != nil {
				t.Fatalf("unzip stream: %v", err)
			}
			e, err := engine.New(conformance.Shard(streamOrders))
			if err != nil {
				t.Fatalf("make engine: %v", err)
			}
			hash := sha256.New()
			buffered := bufio.NewWriterSize(hash, 1<<16)
			n := run(t, conformance.NewReader(unzipped), conformance.NewReporter(e, buffered))
			if err := buffered.Flush(); err != nil {
				t.Fatalf("flush reports: %v", err)
			}
			if got := hex.EncodeToString(hash.Sum(nil)); got != want {
				t.Fatalf("reports of %d messages hash to %s, published is %s", n, got, want)
			}
			t.Logf("%d messages, SHA-256 as published", n)
		})
	}
}

func run(t *testing.T, messages *conformance.Reader, reports *conformance.Reporter) int {
	t.Helper()
	for n := 0; ; n++ {
		m, err := messages.Next()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatalf("message %d: %v", n, err)
		}
		if err := reports.Do(m); err != nil {
			t.Fatalf("message %d: %v", n, err)
		}
	}
}

// open returns a file of the shared data, or nil after it has said that it is left out.
func open(t *testing.T, name string) *os.File {
	t.Helper()
	data := os.Getenv("STRONGROOM_CONFORMANCE_DATA")
	if data == "" {
		data = filepath.Join("..", "..", "..", "shared", "data")
	}
	file, err := os.Open(filepath.Join(data, "matching", name))
	switch {
	case err == nil:
		t.Cleanup(func() { _ = file.Close() })
		return file
	case errors.Is(err, os.ErrNotExist) && os.Getenv("CI") != "true":
		t.Logf("left out: no %s; set STRONGROOM_CONFORMANCE_DATA", name)
		return nil
	default:
		t.Fatalf("open stream: %v", err)
		return nil
	}
}
