package devstack

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// journal collects what a supervisor says.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) note(h Happening) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, h.Service+" "+h.What)
}

func (j *journal) has(part string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.ContainsFunc(j.lines, func(l string) bool { return strings.Contains(l, part) })
}

func (j *journal) await(t *testing.T, part string) {
	t.Helper()
	for range 1000 {
		if j.has(part) {
			return
		}
		time.Sleep(10 * time.Millisecond) //nolint:forbidigo // waits for another process
	}
	t.Fatalf("never said %q; said %q", part, j.lines)
}

func newSupervisor(t *testing.T, j *journal) *Supervisor {
	t.Helper()
	s, err := NewSupervisor(SupervisorConfig{Clock: time.Now, Notify: j.note}) //nolint:forbidigo // real children, real time
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	return s
}

func sleeper(name string) Service {
	return Service{Name: name, Spec: func(context.Context) (Spec, error) {
		return Spec{Name: name, Command: []string{"sleep", "1000"}}, nil
	}}
}

func TestSupervisorStartsAKilledServiceAgain(t *testing.T) {
	t.Parallel()
	var j journal
	s := newSupervisor(t, &j)
	var restored atomic.Int32
	service := sleeper("cat")
	service.Restore = func(context.Context) error { restored.Add(1); return nil }
	if err := s.Start(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	first := s.States()[0].PID
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	j.await(t, "cat ended (signal: killed); starting it again in 200ms")
	j.await(t, "cat runs again")
	state := s.States()[0]
	if state.PID == first || !state.Ready || state.Restarts != 1 {
		t.Fatalf("state after restart: %+v", state)
	}
	if n := restored.Load(); n != 2 {
		t.Fatalf("restored %d times, want once per start", n)
	}
}

func TestSupervisorStopsInReverseOrder(t *testing.T) {
	t.Parallel()
	var j journal
	s := newSupervisor(t, &j)
	for _, name := range []string{"one", "two", "three"} {
		if err := s.Start(t.Context(), sleeper(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	want := []string{"three stopped", "two stopped", "one stopped"}
	if !slices.Equal(j.lines, want) {
		t.Fatalf("said %q, want %q", j.lines, want)
	}
	if err := s.Start(t.Context(), sleeper("late")); err == nil {
		t.Fatal("a stopped supervisor started a service")
	}
}

func TestSupervisorRetriesWithGrowingPauses(t *testing.T) {
	t.Parallel()
	var j journal
	s := newSupervisor(t, &j)
	var starts atomic.Int32
	service := Service{Name: "moody", Spec: func(context.Context) (Spec, error) {
		if n := starts.Add(1); n == 2 || n == 3 {
			return Spec{}, errors.New("not in the mood")
		}
		return Spec{Name: "moody", Command: []string{"sleep", "1000"}}, nil
	}}
	if err := s.Start(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(s.States()[0].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	j.await(t, "not in the mood; starting it again in 400ms")
	j.await(t, "not in the mood; starting it again in 800ms")
	j.await(t, "moody runs again")
}

func TestSupervisorStopsDuringAPause(t *testing.T) {
	t.Parallel()
	var j journal
	s := newSupervisor(t, &j)
	var starts atomic.Int32
	service := Service{Name: "gone", Spec: func(context.Context) (Spec, error) {
		if starts.Add(1) > 1 {
			return Spec{}, errors.New("never again")
		}
		return Spec{Name: "gone", Command: []string{"true"}}, nil
	}}
	if err := s.Start(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	j.await(t, "never again")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}

func TestFirstStartThatFailsIsAnError(t *testing.T) {
	t.Parallel()
	var j journal
	s := newSupervisor(t, &j)
	service := sleeper("broken")
	service.Restore = func(context.Context) error { return errors.New("nothing to restore from") }
	err := s.Start(t.Context(), service)
	if err == nil || !strings.Contains(err.Error(), "nothing to restore from") {
		t.Fatalf("error is %v", err)
	}
	if n := len(s.States()); n != 0 {
		t.Fatalf("%d services are supervised, want none", n)
	}
}
