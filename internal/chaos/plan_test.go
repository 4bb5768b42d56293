//go:build chaos

package chaos

import (
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strongroom/internal/crash"
)

func TestTheSameSeedMakesTheSamePlan(t *testing.T) {
	const length = 7 * time.Minute
	a, b := NewPlan(3, 4, 4000, length), NewPlan(3, 4, 4000, length)
	if a.String() != b.String() {
		t.Error("one seed, two plans")
	}
	if a.String() == NewPlan(4, 4, 4000, length).String() {
		t.Error("two seeds, one plan")
	}
	reorgs := 0
	for i, f := range a.Faults {
		if f.At < firstFault || f.At >= length || (i > 0 && f.At < a.Faults[i-1].At) {
			t.Errorf("fault %s is out of place", f)
		}
		if f.Act == Reorg {
			reorgs++
		}
	}
	if reorgs < LeastHits {
		t.Errorf("%d reorganisations in the plan", reorgs)
	}
}

// Every point has an owner, and the plan of each process can be read again.
func TestEveryPointIsPlannedSomewhere(t *testing.T) {
	p := NewPlan(1, 4, 4000, 8*time.Minute)
	planned := map[crash.Point]int{}
	for process, rules := range p.Crashes {
		again, err := crash.ParsePlan(rules.String())
		if err != nil || !slices.Equal(again, rules) {
			t.Errorf("%s: %v", process, err)
		}
		for _, r := range rules {
			planned[r.Point]++
		}
	}
	for _, point := range crash.Points() {
		if planned[point] < 4 {
			t.Errorf("%s has %d rules", point, planned[point])
		}
	}
}

// Kills lie apart and within what a process passes; what it hardly passes has one all
// the same, at its first passes.
func TestKillsAreSpreadOverWhatIsPassed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kills, passes := rapid.IntRange(1, 10).Draw(t, "kills"), rapid.IntRange(0, 2000).Draw(t, "passes")
		rules := spread(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)), crash.RewindAfter, kills, passes)
		if len(rules) < 1 || len(rules) > kills || (passes >= kills+earliest && len(rules) != kills) {
			t.Fatalf("%d rules for %d kills in %d passes", len(rules), kills, passes)
		}
		last := earliest - 1
		for _, r := range rules {
			if r.Hit <= last || r.Hit > max(passes, earliest) {
				t.Fatalf("hit %d after hit %d, of %d passes", r.Hit, last, passes)
			}
			last = r.Hit
		}
	})
}

// A point at which nothing died is missed like one that was not passed.
func TestWhatNobodyDiedAtIsMissed(t *testing.T) {
	r := &Report{Hits: map[crash.Point]int{}, Killed: map[crash.Point]int{}}
	for _, p := range crash.Points() {
		r.Hits[p], r.Killed[p] = LeastHits, 1
	}
	if missed := r.Missed(); len(missed) > 0 {
		t.Fatalf("missed %v", missed)
	}
	r.Killed[crash.RewindAfter], r.Hits[crash.HoldBefore] = 0, LeastHits-1
	if missed := r.Missed(); !slices.Equal(missed, []crash.Point{crash.HoldBefore, crash.RewindAfter}) {
		t.Fatalf("missed %v", missed)
	}
}

// A link passes everything while it is good, and loses replies while it is bad.
func TestLinkLosesOnlyWhenBad(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); _ = conn.Close() }()
		}
	}()
	l, err := NewLink(server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	ask := func() bool {
		conn, err := net.Dial("tcp", l.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second)) //nolint:forbidigo // another process answers
		if _, err := conn.Write([]byte("hello")); err != nil {
			return false
		}
		got := make([]byte, 5)
		_, err = io.ReadFull(conn, got)
		return err == nil && string(got) == "hello"
	}
	for range 20 {
		if !ask() {
			t.Fatal("a good link loses")
		}
	}
	l.Bad(true)
	lost := make(chan bool, 40)
	for range cap(lost) {
		go func() { lost <- !ask() }()
	}
	n := 0
	for range cap(lost) {
		if <-lost {
			n++
		}
	}
	if n == 0 || n == cap(lost) {
		t.Errorf("a bad link loses %d of %d", n, cap(lost))
	}
}
