package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// list is a machine that remembers every entry in order.
type list struct {
	mu      sync.Mutex
	entries []string
	epochs  []uint64
	indices []uint64
	digest  uint64
	bend    bool // its digest is wrong from now on
}

func (m *list) Apply(e Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(string(e.Data))
	m.epochs = append(m.epochs, e.Epoch)
	m.indices = append(m.indices, e.Index)
	return nil
}

func (m *list) add(s string) {
	m.entries = append(m.entries, s)
	m.digest = m.digest*1099511628211 + uint64(castagnoli([]byte(s))) + 1
}

func (m *list) Snapshot() (io.WriterTo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var p []byte
	for _, s := range m.entries {
		p = binary.LittleEndian.AppendUint32(p, uint32(len(s)))
		p = append(p, s...)
	}
	return bytes.NewBuffer(p), nil
}

func (m *list) Restore(r io.Reader) error {
	p, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries, m.epochs, m.indices, m.digest = nil, nil, nil, 0
	for len(p) >= 4 {
		n := binary.LittleEndian.Uint32(p)
		if int(n) > len(p)-4 {
			return errors.New("snapshot ends early")
		}
		m.add(string(p[4 : 4+n]))
		p = p[4+n:]
	}
	return nil
}

func (m *list) Digest() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bend {
		return ^m.digest
	}
	return m.digest
}

func (m *list) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.entries...)
}

func (m *list) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.entries)
}

const patience = 20 * time.Second

// eventually waits for ok.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	poll, end := time.NewTicker(2*time.Millisecond), time.NewTimer(patience)
	defer poll.Stop()
	defer end.Stop()
	for !ok() {
		select {
		case <-poll.C:
		case <-end.C:
			tb.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}

func quiet() *slog.Logger {
	if os.Getenv("JOURNAL_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return slog.New(slog.DiscardHandler)
}

// alone is the config of a node without others, with small files.
func alone(dir string) Config {
	return Config{
		Dir: dir, Cluster: "test", Shard: "one", Node: 1, SegmentBytes: 64 << 10,
		SnapshotEntries: 1 << 40, SnapshotBytes: 1 << 40, CheckEvery: 16,
		Clock: time.Now, //nolint:forbidigo // deadlines of real connections
		Log:   quiet(),
	}
}

func open(tb testing.TB, cfg Config, m Machine) *Log {
	tb.Helper()
	l, err := Open(cfg, m)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	return l
}

// openNew makes a log in a new folder and waits until it leads.
func openNew(tb testing.TB, cfg Config, m Machine) *Log {
	tb.Helper()
	cfg.Create = true
	l := open(tb, cfg, m)
	eventually(tb, "node leads", func() bool { return l.Status().Leading })
	return l
}

func closeLog(tb testing.TB, l *Log) {
	tb.Helper()
	if err := l.Close(); err != nil {
		tb.Fatal(err)
	}
}

func propose(tb testing.TB, l *Log, entry string) uint64 {
	tb.Helper()
	index, err := l.Propose(tb.Context(), []byte(entry))
	if err != nil {
		tb.Fatalf("propose %.20q: %v", entry, err)
	}
	return index
}

func folder(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "shard")
}

func numbered(from, to int) []string {
	var all []string
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprintf("entry %d", i))
	}
	return all
}
