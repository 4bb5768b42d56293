//go:build planted

package planted_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/custody/desk"
	"strongroom/custody/intake"
	"strongroom/ledger"
)

// trap is one run's testing.TB: what would fail a test is a finding here.
type trap struct {
	testing.TB

	found   []string // rules
	cleanup []func()
}

func (*trap) Helper() {}

// Cleanup keeps f for the end of the run.
func (t *trap) Cleanup(f func()) { t.cleanup = append(t.cleanup, f) }

// note adds a finding once.
func (t *trap) note(rule string) {
	if !slices.Contains(t.found, rule) {
		t.found = append(t.found, rule)
	}
}

// Fatal ends the run.
func (t *trap) Fatal(args ...any) {
	t.note("fails: " + short(fmt.Sprint(args...)))
	runtime.Goexit()
}

// Fatalf ends the run.
func (t *trap) Fatalf(format string, args ...any) {
	t.note("fails: " + short(fmt.Sprintf(format, args...)))
	runtime.Goexit()
}

// Error is a finding.
func (t *trap) Error(args ...any) { t.note("fails: " + short(fmt.Sprint(args...))) }

func short(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s[:min(len(s), 150)]
}

// caught runs one round of work to its end and returns what it found.
func caught(t *testing.T, work func(*trap)) []string {
	t.Helper()
	run := &trap{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, f := range slices.Backward(run.cleanup) {
				f()
			}
		}()
		work(run)
	}()
	<-done
	return run.found
}

var errDied = errors.New("the process died here")

// mortal is the desk's node: now and then the process dies once the bytes are out.
type mortal struct {
	chainadapters.Adapter

	h *house
}

// Broadcast sends and sometimes ends the step.
func (m mortal) Broadcast(ctx context.Context, raw []byte) error {
	err := m.Adapter.Broadcast(ctx, raw)
	if m.h.mortal && m.h.chance(6) {
		m.h.die()
	}
	return err
}

// mortalSigner signs for the fake chains; sometimes its answer is lost.
type mortalSigner struct{ h *house }

// Sign signs.
func (s mortalSigner) Sign(_ context.Context, req desk.SignRequest) (desk.Signature, error) {
	raw, txid := fakechain.Sign(req.Unsigned.Bytes)
	if s.h.mortal && s.h.chance(5) {
		return desk.Signature{}, errDied
	}
	return desk.Signature{Raw: raw, TxID: txid}, nil
}

// sleeper is intake's book: a worker pauses before it books, while the world goes
// on without it, or dies when it has booked.
type sleeper struct {
	intake.Ledger

	h *house
}

// Post books.
func (s sleeper) Post(ctx context.Context, tx ledger.Transaction, with ...ledger.Attachment) (ledger.Receipt, error) {
	if s.h.awake && s.h.chance(5) {
		s.h.awake = false
		s.h.meanwhile() //nolint:contextcheck // others do it meanwhile
		s.h.awake = true
	}
	receipt, err := s.Ledger.Post(ctx, tx, with...)
	if s.h.mortal && s.h.chance(8) {
		s.h.die()
	}
	return receipt, err
}
