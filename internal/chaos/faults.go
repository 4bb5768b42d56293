//go:build chaos

package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"strongroom/internal/devstack"
)

// Target is what faults are done to.
type Target struct {
	Processes func() map[string]int // process ids by name; 0 where one is down
	Coins     map[string]CoinNode   // by chain
	Ethereum  devstack.RPC
	Links     []*Link
	// Still does something while nobody mines a chain.
	Still func(chain string, do func() error) error

	// taken tells whether the platform has taken in a chain's block of this height,
	// and whether deposits in blocks from there on are credited.
	clock func() time.Time
	taken func(ctx context.Context, chain string, from uint64) (taken, credited bool, err error)
}

// done counts what was done, by act and target.
type done map[string]int

// errNotNow reports a fault that could not be done: what it needs is down, and
// nothing has happened yet.
var errNotNow = errors.New("not now")

// Bounds of one fault.
const (
	faultWithin = 20 * time.Second
	againFor    = 8 * time.Second // tries where its target is down
	againEvery  = 200 * time.Millisecond
	aimFor      = 6 * time.Second // waits for something worth a reorganisation
	aimEvery    = 100 * time.Millisecond
)

// run does the faults at their times. Those of one chain wait for each other, and so
// do those of all processes.
func (t Target) run(ctx context.Context, plan []Fault, say func(string)) done {
	begun, counts := t.clock(), done{}
	var all sync.WaitGroup
	var mu sync.Mutex
	lanes := map[string][]Fault{}
	for _, f := range plan {
		lanes[laneOf(f)] = append(lanes[laneOf(f)], f)
	}
	for _, lane := range lanes {
		all.Go(func() {
			for _, f := range lane {
				if !sleep(ctx, begun.Add(f.At).Sub(t.clock())) {
					return
				}
				how, err := t.try(ctx, f)
				mu.Lock()
				counts[string(f.Act)+" "+f.Target+how]++
				say(fmt.Sprintf("%s%s: %v", f, how, err))
				mu.Unlock()
			}
		})
	}
	all.Wait()
	t.links(false)
	return counts
}

// laneOf is the chain that a fault concerns: its node is not killed in the midst of
// a reorganisation, which would be none then. Empty for all else.
func laneOf(f Fault) string {
	switch {
	case f.Act == Reorg || f.Act == Wipe:
		return f.Target
	case f.Target == "btcd":
		return Bitcoin
	case f.Target == "litecoind":
		return Litecoin
	case f.Target == "anvil":
		return Ethereum
	}
	return ""
}

// try does a fault, again for a while where its target is down, and tells in words
// how it went.
func (t Target) try(ctx context.Context, f Fault) (how string, err error) {
	ctx, cancel := context.WithTimeout(ctx, faultWithin+againFor)
	defer cancel()
	for until := t.clock().Add(againFor); ; {
		how, err = t.do(ctx, f)
		if err == nil || !errors.Is(err, errNotNow) || t.clock().After(until) || !sleep(ctx, againEvery) {
			break
		}
	}
	if err != nil {
		how = " (could not be done)"
	}
	return how, err
}

func (t Target) do(ctx context.Context, f Fault) (how string, err error) {
	switch f.Act {
	case Kill:
		return "", t.signal(f.Target, syscall.SIGKILL)
	case Freeze:
		// It sleeps beside the other faults: they go on while it does.
		pid := t.Processes()[f.Target]
		if err := t.signal(f.Target, syscall.SIGSTOP); err != nil {
			return "", err
		}
		time.AfterFunc(f.Length, func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
		return "", nil
	case Links:
		t.links(true)
		time.AfterFunc(f.Length, func() { t.links(false) })
		return "", nil
	case Wipe:
		return "", notNow("wipe pool", t.Ethereum.Call(ctx, nil, "anvil_dropAllTransactions"))
	case Reorg:
		return t.reorg(ctx, f)
	}
	return "", fmt.Errorf("act %q: %w", f.Act, errors.ErrUnsupported)
}

func (t Target) links(bad bool) {
	for _, l := range t.Links {
		l.Bad(bad)
	}
}

// signal is sent to the process itself, never to a group.
func (t Target) signal(name string, sig syscall.Signal) error {
	pid := t.Processes()[name]
	if pid <= 1 {
		return fmt.Errorf("%s is down: %w", name, errNotNow)
	}
	return wrap("signal "+name, syscall.Kill(pid, sig))
}

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// notNow is wrap for what happens before anything was done.
func notNow(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w: %w", what, errNotNow, err)
	}
	return nil
}

// sleep waits and tells whether ctx still lives.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
