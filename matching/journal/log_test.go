package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

func TestEntriesComeBackInOrder(t *testing.T) {
	cfg, m := alone(folder(t)), &list{}
	l := openNew(t, cfg, m)
	for _, s := range numbered(0, 300) {
		propose(t, l, s)
	}
	if s := l.Status(); !s.Leading || s.Leader != 1 || s.Err != nil {
		t.Fatalf("%+v", s)
	}
	digest, epoch := m.Digest(), l.Status().Epoch
	closeLog(t, l)
	again := &list{}
	l = open(t, cfg, again)
	eventually(t, "log is replayed", func() bool { return l.Status().Leading })
	if !slices.Equal(again.all(), numbered(0, 300)) || again.Digest() != digest {
		t.Fatalf("%d entries came back", again.len())
	}
	if !slices.IsSorted(again.indices) || !slices.IsSorted(again.epochs) || l.Status().Epoch <= epoch {
		t.Fatal("index or epoch goes back")
	}
	propose(t, l, "more")
}

func TestManyAtOnceKeepTheirOrder(t *testing.T) {
	m := &list{}
	l := openNew(t, alone(folder(t)), m)
	var tickets []*Ticket
	for _, s := range numbered(0, 5000) {
		ticket, err := l.Begin(t.Context(), []byte(s))
		if err != nil {
			t.Fatal(err)
		}
		tickets = append(tickets, ticket)
	}
	last := uint64(0)
	for _, ticket := range tickets {
		index, err := ticket.Wait(t.Context())
		if err != nil || index <= last {
			t.Fatalf("index %d behind %d, %v", index, last, err)
		}
		last = index
	}
	if !slices.Equal(m.all(), numbered(0, 5000)) {
		t.Fatal("order is lost")
	}
}

// A leader takes what comes at whatever moment of its loop. The loop is ended, so that
// the test can take its place and go round without waiting for the disk.
func TestLeaderRefusesNothingThatComesLate(t *testing.T) {
	const tickets = 100_000
	l := openNew(t, alone(folder(t)), &list{})
	closeLog(t, l)
	go func() {
		for range tickets {
			ticket := &Ticket{log: l, data: make([]byte, proposalHead+1), closed: make(chan struct{})}
			_ = l.budget.Acquire(ctx(), int64(len(ticket.data)))
			l.proposals <- ticket
		}
	}()
	for end := l.sequence + tickets; l.sequence < end; {
		l.proposeAll(nil)
	}
	for _, ticket := range l.pending.tickets {
		if ticket.term == 0 {
			t.Fatal("a proposal of no epoch")
		}
	}
	if n := len(l.pending.tickets); n != tickets {
		t.Fatalf("%d of %d entries were refused", tickets-n, tickets)
	}
}

func TestEntrySizesAreBounded(t *testing.T) {
	m := &list{}
	l := openNew(t, alone(folder(t)), m) // entries larger than its files
	propose(t, l, string(make([]byte, MaxEntryBytes)))
	propose(t, l, "small")
	for _, bad := range [][]byte{nil, make([]byte, MaxEntryBytes+1)} {
		if _, err := l.Propose(t.Context(), bad); !errors.Is(err, ErrTooLarge) {
			t.Fatalf("%d bytes: %v", len(bad), err)
		}
	}
	closeLog(t, l)
	if _, err := l.Propose(t.Context(), []byte("late")); !errors.Is(err, ErrClosed) {
		t.Fatalf("after closing: %v", err)
	}
}

func TestFoldersOfOthersAreRefused(t *testing.T) {
	cfg := alone(folder(t))
	refused := func(cfg Config, want error) {
		t.Helper()
		l, err := Open(cfg, &list{})
		if err == nil {
			closeLog(t, l)
		}
		if !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
	}
	refused(cfg, ErrNoLog)
	if err := os.MkdirAll(cfg.Dir, dirMode); err != nil {
		t.Fatal(err)
	}
	refused(cfg, ErrNoLog)
	create := cfg
	create.Create = true
	l := openNew(t, cfg, &list{}) // an empty folder will do
	refused(create, ErrNotEmpty)
	refused(cfg, ErrLocked)
	closeLog(t, l)
	refused(create, ErrNotEmpty)
	for _, change := range []func(*Config){
		func(c *Config) { c.Cluster = "other" },
		func(c *Config) { c.Shard = "two" },
		func(c *Config) { c.Node = 2 },
	} {
		other := cfg
		change(&other)
		refused(other, ErrForeign)
	}
	name := filepath.Join(cfg.Dir, identityName)
	if err := os.WriteFile(name, []byte("something"), fileMode); err != nil {
		t.Fatal(err)
	}
	refused(cfg, ErrCorrupt)
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	refused(cfg, ErrForeign)
}

func TestSettingsThatMakeNoLog(t *testing.T) {
	for _, change := range []func(*Config){
		func(c *Config) { c.Dir = "" },
		func(c *Config) { c.Node = 0 },
		func(c *Config) { c.Clock = nil },
		func(c *Config) { c.SegmentBytes = 1 },
		func(c *Config) { c.Peers = []Peer{{ID: 2}} },
		func(c *Config) { c.Peers = []Peer{{ID: 1}, {ID: 1}} },
		func(c *Config) { c.Peers = []Peer{{ID: 1}, {ID: 2}} },
	} {
		cfg := alone(folder(t))
		cfg.Create = true
		change(&cfg)
		if _, err := Open(cfg, &list{}); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

// snapshots lists the finished snapshots of a folder.
func snapshots(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, snapFolder, "*"+snapSuffix))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestSnapshotsReplaceTheLog(t *testing.T) {
	cfg, m := alone(folder(t)), &list{}
	cfg.SnapshotEntries, cfg.KeepEntries, cfg.SegmentBytes = 100, 10, minSegmentBytes
	l := openNew(t, cfg, m)
	var want []string
	for round := range 8 {
		before := l.Status().Snapshot
		for i := range 150 {
			s := fmt.Sprintf("round %d entry %d", round, i)
			propose(t, l, s)
			want = append(want, s)
		}
		eventually(t, "snapshot", func() bool { return l.Status().Snapshot > before })
	}
	closeLog(t, l)
	if n := len(snapshots(t, cfg.Dir)); n != 2 {
		t.Fatalf("%d snapshots are kept", n)
	}
	if numbers, err := listSegments(cfg.Dir); err != nil || numbers[0] == 1 {
		t.Fatalf("log files %v, %v", numbers, err)
	}
	again := &list{}
	l = open(t, cfg, again)
	eventually(t, "log is replayed", func() bool { return l.Status().Leading })
	if !slices.Equal(again.all(), want) {
		t.Fatalf("%d entries of %d", again.len(), len(want))
	}
	closeLog(t, l)
	damageSnapshots(t, cfg, want)
}

// damageSnapshots changes, shortens and removes the newest snapshot: each is refused, and
// the older one serves where the settings say so.
func damageSnapshots(t *testing.T, cfg Config, want []string) {
	t.Helper()
	newest := slices.Max(snapshots(t, cfg.Dir))
	whole, err := os.ReadFile(newest)
	if err != nil {
		t.Fatal(err)
	}
	write := func(p []byte) {
		if err := os.WriteFile(newest, p, fileMode); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(what string) {
		t.Helper()
		if _, err := Open(cfg, &list{}); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrForeign) {
			t.Fatalf("snapshot with %s: %v", what, err)
		}
	}
	for at := range whole {
		if at > 60 && at%97 != 0 && at < len(whole)-8 {
			continue
		}
		bad := slices.Clone(whole)
		bad[at] ^= 0x20
		write(bad)
		refused(fmt.Sprintf("byte %d changed", at))
	}
	write(whole[:len(whole)-1])
	refused("its last byte missing")
	if err := os.Remove(newest); err != nil {
		t.Fatal(err)
	}
	refused("no file")
	cfg.UseOlderSnapshot = true
	m := &list{}
	l := open(t, cfg, m)
	eventually(t, "log is replayed", func() bool { return l.Status().Leading })
	if !slices.Equal(m.all(), want) {
		t.Fatalf("%d entries of %d from the older snapshot", m.len(), len(want))
	}
}

// A flipped byte in a log file of a real folder stops Open.
func TestDamagedLogDoesNotOpen(t *testing.T) {
	cfg := alone(folder(t))
	l := openNew(t, cfg, &list{})
	for _, s := range numbered(0, 20) {
		propose(t, l, s)
	}
	closeLog(t, l)
	end := l.w.off
	name := filepath.Join(cfg.Dir, segmentName(1))
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for at := 5; at < int(end); at += 61 {
		bad := slices.Clone(whole)
		bad[at] ^= 0x10
		if err := os.WriteFile(name, bad, fileMode); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(cfg, &list{}); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrForeign) {
			t.Fatalf("byte %d: %v", at, err)
		}
	}
}

// A machine that does not do the same in a replay is found at the next checkpoint.
func TestReplayThatDiffersHalts(t *testing.T) {
	cfg := alone(folder(t))
	l := openNew(t, cfg, &list{})
	for _, s := range numbered(0, 100) {
		propose(t, l, s)
	}
	closeLog(t, l)
	l = open(t, cfg, &list{bend: true})
	eventually(t, "node halts", func() bool { return errors.Is(l.Status().Err, ErrDiverged) })
	<-l.Done()
	if _, err := l.Propose(t.Context(), []byte("x")); !errors.Is(err, ErrDiverged) {
		t.Fatalf("proposal to a halted node: %v", err)
	}
}

type failing struct{ list }

func (f *failing) Apply(e Entry) error {
	switch string(e.Data) {
	case "panics":
		panic("cannot")
	case "fails":
		return errors.New("cannot")
	}
	return f.list.Apply(e)
}

func TestMachineThatFailsHaltsTheNode(t *testing.T) {
	for _, bad := range []string{"panics", "fails"} {
		l := openNew(t, alone(folder(t)), &failing{})
		propose(t, l, "good")
		if _, err := l.Propose(t.Context(), []byte(bad)); !errors.Is(err, ErrUnknown) || !errors.Is(err, ErrHalted) {
			t.Fatalf("%s: got %v", bad, err)
		}
	}
}

func TestManyCallers(t *testing.T) {
	m := &list{}
	l := openNew(t, alone(folder(t)), m)
	var wg sync.WaitGroup
	for caller := range 16 {
		wg.Go(func() {
			for i := range 50 {
				if _, err := l.Propose(t.Context(), fmt.Appendf(nil, "%d/%d", caller, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if m.len() != 800 {
		t.Fatalf("%d entries", m.len())
	}
}
