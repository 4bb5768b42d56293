package journal

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"strongroom/internal/mtls"
)

// contains reports whether want comes in have in this order, others between allowed.
func contains(have, want []string) bool {
	for _, s := range have {
		if len(want) > 0 && s == want[0] {
			want = want[1:]
		}
	}
	return len(want) == 0
}

func TestFollowerLeadsWhenTheLeaderDies(t *testing.T) {
	c := startCluster(t, nil)
	var acknowledged []string
	for round := range 3 {
		first := c.leader(0)
		stop, proposed := make(chan struct{}), make(chan []string)
		go c.proposeUntil(first, fmt.Sprintf("round %d", round), stop, proposed)
		eventually(t, "entries flow", func() bool { return c.lists[first].len() > len(acknowledged)+50 })
		begin := time.Now() //nolint:forbidigo // real time is what is measured
		c.kill(first)
		close(stop)
		acknowledged = append(acknowledged, <-proposed...)
		second := c.leader(first)
		took := time.Since(begin)
		propose(t, c.logs[second], fmt.Sprintf("behind round %d", round))
		acknowledged = append(acknowledged, fmt.Sprintf("behind round %d", round))
		t.Logf("node %d leads %s after node %d died", second, took.Round(time.Millisecond), first)
		if took > time.Second {
			t.Errorf("fail-over took %s", took)
		}
		c.start(first)
		if have := c.agree(len(acknowledged)); !contains(have, acknowledged) {
			t.Fatalf("round %d: an acknowledged entry is lost", round)
		}
	}
}

// proposeUntil proposes one after the other and hands over what was acknowledged.
func (c *cluster) proposeUntil(id uint64, prefix string, stop chan struct{}, done chan []string) {
	l := c.logs[id]
	var acknowledged []string
	for i := 0; ; i++ {
		select {
		case <-stop:
			done <- acknowledged
			return
		default:
		}
		s := fmt.Sprintf("%s entry %d", prefix, i)
		if _, err := l.Propose(ctx(), []byte(s)); err == nil {
			acknowledged = append(acknowledged, s)
		}
	}
}

func TestLeaderThatIsCutOffAcknowledgesNothing(t *testing.T) {
	c := startCluster(t, nil)
	old := c.leader(0)
	for _, s := range numbered(0, 50) {
		propose(t, c.logs[old], s)
	}
	epoch := c.logs[old].Status().Epoch
	c.net.isolate(old, true)
	lost, err := c.logs[old].Begin(t.Context(), []byte("lost"))
	if err != nil {
		t.Fatal(err)
	}
	fresh := c.leader(old)
	for _, s := range numbered(50, 100) {
		propose(t, c.logs[fresh], s)
	}
	eventually(t, "old leader gives up", func() bool { return !c.logs[old].Status().Leading })
	if _, err := c.logs[old].Propose(t.Context(), []byte("x")); !errors.Is(err, ErrNotLeader) {
		t.Fatalf("proposal to a cut-off node: %v", err)
	}
	c.net.isolate(old, false)
	if _, err := lost.Wait(t.Context()); !errors.Is(err, ErrDropped) {
		t.Fatalf("entry of the cut-off leader: %v", err)
	}
	if have := c.agree(100); !slices.Equal(have, numbered(0, 100)) {
		t.Fatalf("%d entries", len(have))
	}
	if now := c.logs[fresh].Status().Epoch; now <= epoch {
		t.Fatalf("epoch %d behind %d", now, epoch)
	}
}

func TestSlowFollowerGetsASnapshot(t *testing.T) {
	c := startCluster(t, func(cfg *Config) {
		cfg.SnapshotEntries, cfg.KeepEntries, cfg.SegmentBytes = 200, 20, minSegmentBytes
	})
	lead := c.leader(0)
	slow := lead%3 + 1
	propose(t, c.logs[lead], "entry 0")
	c.agree(1)
	c.net.isolate(slow, true)
	for _, s := range numbered(1, 1000) {
		propose(t, c.logs[lead], s)
	}
	before := c.lists[slow].len()
	c.net.isolate(slow, false)
	if have := c.agree(1000); !slices.Equal(have, numbered(0, 1000)) || before > 1 {
		t.Fatalf("%d entries, %d before", len(have), before)
	}
	c.lists[slow].mu.Lock()
	applied := len(c.lists[slow].indices)
	c.lists[slow].mu.Unlock()
	if applied >= 1000 {
		t.Fatal("the slow node applied every entry: no snapshot was sent")
	}
	for _, id := range []uint64{slow, lead} { // what was received also serves a restart
		c.kill(id)
		c.start(id)
	}
	c.leader(0)
	if have := c.agree(1000); !slices.Equal(have, numbered(0, 1000)) {
		t.Fatalf("%d entries behind the restart", len(have))
	}
}

func TestNodeThatDivergesHalts(t *testing.T) {
	c := startCluster(t, nil)
	lead := c.leader(0)
	odd := lead%3 + 1
	propose(t, c.logs[lead], "first")
	c.agree(1)
	c.lists[odd].mu.Lock()
	c.lists[odd].bend = true
	c.lists[odd].mu.Unlock()
	for _, s := range numbered(0, 60) {
		propose(t, c.logs[lead], s)
	}
	eventually(t, "node halts", func() bool { return errors.Is(c.logs[odd].Status().Err, ErrDiverged) })
	propose(t, c.logs[lead], "the others go on")
}

func TestStrangersAreRefused(t *testing.T) {
	c := startCluster(t, nil)
	lead := c.leader(0)
	if err := mtls.EnsureDev(c.certs, "api"); err != nil {
		t.Fatal(err)
	}
	target := c.cfgs[lead].Peers[lead-1]
	for name, h := range map[string]hello{
		"matching-2": {c.logs[lead].identity, 3, lead, purposeLog},     // not its number
		"api":        {c.logs[lead].identity, 2, lead, purposeLog},     // not a node
		"matching-3": {c.logs[lead].identity + 1, 3, lead, purposeLog}, // another shard
	} {
		wire := NewTLSWire(nil, c.certs, name)
		conn, err := wire.Dial(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(h.encode()); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s was let in, %d bytes", name, n)
		}
		_ = conn.Close()
	}
	propose(t, c.logs[lead], "still here")
}

// Whatever nodes die, come back or are cut off, in any order: what was acknowledged is in
// every node's sequence, in the order of its acknowledgement, and once.
func TestAcknowledgedPrefixIsEverywhere(t *testing.T) {
	c := startCluster(t, func(cfg *Config) {
		cfg.SnapshotEntries, cfg.KeepEntries, cfg.SegmentBytes = 150, 20, minSegmentBytes
	})
	rounds := 8
	if testing.Short() {
		rounds = 3
	}
	var acknowledged []string
	for round := range rounds {
		lead := c.leader(0)
		victim := uint64(round)%3 + 1
		stop, proposed := make(chan struct{}), make(chan []string)
		go c.proposeUntil(lead, fmt.Sprintf("model %d", round), stop, proposed)
		eventually(t, "entries flow", func() bool { return c.lists[lead].len() > len(acknowledged)+20 })
		if round%2 == 0 {
			c.kill(victim)
		} else {
			c.net.isolate(victim, true)
		}
		c.leader(victim)
		close(stop)
		if round%2 == 0 {
			c.start(victim)
		} else {
			c.net.isolate(victim, false)
		}
		acknowledged = append(acknowledged, <-proposed...)
	}
	c.leader(0)
	have := c.agree(len(acknowledged))
	if !contains(have, acknowledged) {
		t.Fatalf("of %d acknowledged entries some are missing or out of order", len(acknowledged))
	}
	sorted := slices.Sorted(slices.Values(have))
	if len(slices.Compact(sorted)) != len(have) {
		t.Fatal("an entry was applied twice")
	}
	t.Logf("%d acknowledged, %d applied", len(acknowledged), len(have))
}
