package workertest

import (
	"context"
	"sync"

	"strongroom/trading"
)

// Transfers carries transfers whose end is known before.
type Transfers struct {
	mu     sync.Mutex
	end    trading.Transfer
	script map[string][]error // verb → errors of its next calls; nil passes
	calls  []string
}

// NewTransfers returns a carrier of transfers that end so.
func NewTransfers(end trading.TransferState, reason string) *Transfers {
	return &Transfers{end: trading.Transfer{State: end, Reason: reason}, script: map[string][]error{}}
}

// Fail makes the next calls of a verb ("tell", "conclude") answer with errs, in order;
// a nil among them lets that call pass.
func (f *Transfers) Fail(verb string, errs ...error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.script[verb] = append(f.script[verb], errs...)
}

// Calls returns the verbs asked for so far.
func (f *Transfers) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.calls...)
}

// Tell tells the engine.
func (f *Transfers) Tell(_ context.Context, id string) (trading.Transfer, error) {
	return f.do("tell", trading.Transfer{ID: id, State: trading.TransferPending})
}

// Conclude ends the transfer.
func (f *Transfers) Conclude(_ context.Context, id string) (trading.Transfer, error) {
	t := f.end
	t.ID = id
	return f.do("conclude", t)
}

func (f *Transfers) do(verb string, answer trading.Transfer) (trading.Transfer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, verb)
	if errs := f.script[verb]; len(errs) > 0 {
		f.script[verb] = errs[1:]
		if errs[0] != nil {
			return trading.Transfer{}, errs[0]
		}
	}
	return answer, nil
}
