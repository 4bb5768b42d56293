package chaintest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"strongroom/chainadapters"
)

// callers is how many ask at once.
const callers = 8

func concurrentUse(t *testing.T, h Harness) {
	t.Helper()
	p := newPurse(t, h)
	head := headOf(t, h)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for name, err := range readings(t, h.Adapter(), head.Ref, p.Address) {
				if err != nil && name != "statuses" { // asked for a block's hash on purpose
					t.Errorf("%s among %d callers: %v", name, callers, err)
				}
			}
		})
	}
	wg.Wait()
}

func endedContext(t *testing.T, h Harness) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Adapter().Head(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("head with an ended context: got %v, want context.Canceled", err)
	}
}

// nodeFaults shows each fault of a node in front of two blocks that hold one
// deposit each.
func nodeFaults(t *testing.T, h Harness) {
	t.Helper()
	w := h.NewWallet(t)
	var head chainadapters.Block
	for range 2 {
		h.Fund(t, w.Address, fraction(t, h.Plenty(), 9))
		head = mined(t, h)
	}
	for _, f := range []Fault{Down, Hang, Truncated, WrongID} {
		t.Run(f.String(), func(t *testing.T) {
			for name, err := range readings(t, h.Faulty(t, f), head.Ref, w.Address) {
				if err == nil || errors.Is(err, chainadapters.ErrNotFound) || errors.Is(err, chainadapters.ErrForeign) {
					t.Errorf("%s: got %v, want a fault of the node", name, err)
				}
			}
		})
	}
	for _, f := range []Fault{NullBlock, PartialBlock, OtherBlock} {
		t.Run(f.String(), func(t *testing.T) {
			if b, err := h.Faulty(t, f).Block(within(t), head.Ref, nil); !errors.Is(err, chainadapters.ErrIncomplete) {
				t.Errorf("got %+v, %v, want ErrIncomplete", b, err)
			}
		})
	}
	t.Run(Lagging.String(), func(t *testing.T) { lagging(t, h, head.Header) })
}

func lagging(t *testing.T, h Harness, head chainadapters.Header) {
	t.Helper()
	a := h.Faulty(t, Lagging)
	behind := must(a.Head(within(t)))(t, "head")
	if behind.Height >= head.Height {
		t.Fatalf("head of a lagging node: got %d, the healthy one is at %d", behind.Height, head.Height)
	}
	if _, err := a.HeaderAt(within(t), head.Height); !errors.Is(err, chainadapters.ErrNotFound) {
		t.Errorf("header above its head: got %v, want ErrNotFound", err)
	}
	if b, err := a.Block(within(t), head.Ref, nil); !errors.Is(err, chainadapters.ErrIncomplete) {
		t.Errorf("block that it lacks: got %+v, %v, want ErrIncomplete", b, err)
	}
}

func lostReply(t *testing.T, h Harness) {
	t.Helper()
	p := newPurse(t, h)
	raw, _, signed := p.sign(t, h, p.plan(t, h, chainadapters.Payment{To: h.NewWallet(t).Address, Amount: fraction(t, h.Plenty(), 4)}))
	if err := h.Faulty(t, LostReply).Broadcast(within(t), raw); err == nil {
		t.Fatal("the lost reply was read as success")
	}
	wantState(t, h, signed.TxID, chainadapters.Pooled)
	if err := h.Adapter().Broadcast(within(t), raw); err != nil {
		t.Fatalf("the same bytes again: %v", err)
	}
	h.Mine(t, 1)
	wantState(t, h, signed.TxID, chainadapters.Mined)
}
