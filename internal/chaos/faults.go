//go:build chaos

package chaos

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"strongroom/internal/devstack"
)

// Target is what faults are done to.
type Target struct {
	Processes func() map[string]int // process ids by name; 0 where one is down
	Bitcoin   devstack.RPC
	Ethereum  devstack.RPC
	Links     []*Link
}

// done counts what was done, by act and target.
type done map[string]int

// errNotNow reports a fault that could not be done: what it needs is down.
var errNotNow = errors.New("not now")

// faultWithin bounds one fault's questions to a node.
const faultWithin = 20 * time.Second

// run does the faults at their times, one after the other.
func (t Target) run(ctx context.Context, plan []Fault, say func(string)) done {
	begun, counts := time.Now(), done{}
	for _, f := range plan {
		if !sleep(ctx, time.Until(begun.Add(f.At))) {
			break
		}
		err := t.do(ctx, f)
		name := string(f.Act) + " " + f.Target
		if err != nil {
			name += " (could not be done)"
		}
		counts[name]++
		say(fmt.Sprintf("%s: %v", f, err))
	}
	for _, l := range t.Links {
		l.Bad(false)
	}
	return counts
}

func (t Target) do(ctx context.Context, f Fault) error {
	ctx, cancel := context.WithTimeout(ctx, faultWithin+f.Length)
	defer cancel()
	switch f.Act {
	case Kill:
		return t.signal(f.Target, syscall.SIGKILL)
	case Freeze:
		// It sleeps beside the other faults: they go on while it does.
		pid := t.Processes()[f.Target]
		if err := t.signal(f.Target, syscall.SIGSTOP); err != nil {
			return err
		}
		time.AfterFunc(f.Length, func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
		return nil
	case Links:
		t.links(true)
		time.AfterFunc(f.Length, func() { t.links(false) })
		return nil
	case Wipe:
		return wrap("wipe pool", t.Ethereum.Call(ctx, nil, "anvil_dropAllTransactions"))
	case Reorg:
		if f.Target == Bitcoin {
			return t.reorgBitcoin(ctx, f.Depth)
		}
		return t.reorgEthereum(ctx, f.Depth)
	}
	return fmt.Errorf("act %q: %w", f.Act, errors.ErrUnsupported)
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

// reorgBitcoin puts a longer branch in the place of the newest blocks, and lets the
// old ones be valid again: they lose because they are fewer.
func (t Target) reorgBitcoin(ctx context.Context, depth int) error {
	var height int
	if err := t.Bitcoin.Call(ctx, &height, "getblockcount"); err != nil {
		return wrap("ask for height", err)
	}
	var hash string
	if err := t.Bitcoin.Call(ctx, &hash, "getblockhash", height-depth+1); err != nil {
		return wrap("ask for block", err)
	}
	if err := t.Bitcoin.Call(ctx, nil, "invalidateblock", hash); err != nil {
		return wrap("invalidate", err)
	}
	return errors.Join(
		wrap("mine branch", t.Bitcoin.Call(ctx, nil, "generate", depth+1)),
		wrap("reconsider", t.Bitcoin.Call(ctx, nil, "reconsiderblock", hash)),
	)
}

// reorgEthereum does so on anvil, which can go back only as far as it has states:
// none from before it was started again.
func (t Target) reorgEthereum(ctx context.Context, depth int) error {
	var head string
	if err := t.Ethereum.Call(ctx, &head, "eth_blockNumber"); err != nil {
		return wrap("ask for height", err)
	}
	var height uint64
	if _, err := fmt.Sscanf(head, "0x%x", &height); err != nil {
		return wrap("read height", err)
	}
	const anybody = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
	base := fmt.Sprintf("0x%x", height-uint64(depth)-1) //nolint:gosec // small
	if err := t.Ethereum.Call(ctx, nil, "eth_getBalance", anybody, base); err != nil {
		return fmt.Errorf("node has no state %d blocks back: %w: %w", depth+1, errNotNow, err)
	}
	if err := t.Ethereum.Call(ctx, nil, "anvil_reorg", depth, []any{}); err != nil {
		return wrap("reorganise", err)
	}
	return wrap("mine branch", t.Ethereum.Call(ctx, nil, "evm_mine"))
}

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
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
