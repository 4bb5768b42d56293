//go:build chaos

package chaos

import (
	"io"
	"net"
	"slices"
	"testing"
	"time"

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
