package journal

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const helperFolder = "STRONGROOM_JOURNAL_CRASH_DIR"

// TestMain turns the test binary into the process that is to be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(helperFolder); dir != "" {
		if err := proposeForEver(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// proposeForEver goes on where the log ends and prints each acknowledged entry.
func proposeForEver(dir string) error {
	m := &list{}
	cfg := alone(dir)
	cfg.SnapshotEntries, cfg.KeepEntries = 500, 50
	l, err := Open(cfg, m)
	if err != nil {
		return err
	}
	for !l.Status().Leading {
		select {
		case <-l.Done():
			return l.Status().Err
		default:
		}
	}
	tickets := make(chan *Ticket, 64)
	go func() {
		for i := m.len(); ; i++ {
			ticket, err := l.Begin(ctx(), fmt.Appendf(nil, "entry %d", i))
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			tickets <- ticket
		}
	}()
	for ticket := range tickets {
		index, err := ticket.Wait(ctx())
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(os.Stdout, "%d %s\n", index, ticket.data[proposalHead:]); err != nil {
			return err
		}
	}
	return nil
}

// A process that is killed while it writes loses nothing that it acknowledged, and its
// log opens again each time.
func TestKilledProcessLosesNothing(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	dir := folder(t)
	closeLog(t, openNew(t, alone(dir), &list{}))
	acknowledged := 0
	for round := range rounds {
		acknowledged += killAfter(t, dir, 1+rand.IntN(1500))
		m := &list{}
		l := open(t, alone(dir), m)
		eventually(t, "log is replayed", func() bool { return l.Status().Leading })
		have := m.all()
		closeLog(t, l)
		if len(have) < acknowledged {
			t.Fatalf("round %d: %d entries, %d were acknowledged", round, len(have), acknowledged)
		}
		for i, s := range have {
			if s != fmt.Sprintf("entry %d", i) {
				t.Fatalf("round %d: entry %d is %q", round, i, s)
			}
		}
		acknowledged = len(have) // what is there stays there
	}
	t.Logf("%d kills, %d entries", rounds, acknowledged)
}

// killAfter kills the process behind the n-th acknowledgement and returns how many came.
func killAfter(t *testing.T, dir string, n int) int {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), helperFolder+"="+dir)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, count := bufio.NewScanner(out), 0
	for lines.Scan() {
		count++
		if count == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait()
	if count < n {
		t.Fatalf("process ended after %d entries: %s", count, complaint.String())
	}
	return count
}
