package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"pgregory.net/rapid"

	"strongroom/custody/custodydb"
	"strongroom/internal/temporalx"
	"strongroom/worker/dispatch"
	"strongroom/workflows/deposit"
	"strongroom/workflows/outgoing"
	"strongroom/workflows/transfer"
)

// outbox is an outbox in memory.
type outbox struct {
	mu    sync.Mutex
	rows  []custodydb.OutboxRow
	sent  map[int64]bool
	fault error
}

func (o *outbox) add(topic, kind, subject string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	seq := int64(len(o.rows) + 1)
	o.rows = append(o.rows, custodydb.OutboxRow{Seq: seq, Key: fmt.Sprint("key-", seq), Topic: topic, Kind: kind, Subject: subject})
}

func (o *outbox) Outbox(_ context.Context, limit int) ([]custodydb.OutboxRow, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []custodydb.OutboxRow
	for _, r := range o.rows {
		if !o.sent[r.Seq] && len(list) < limit {
			list = append(list, r)
		}
	}
	return list, o.fault
}

func (o *outbox) OutboxSent(_ context.Context, seqs []int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fault != nil {
		return o.fault
	}
	for _, s := range seqs {
		o.sent[s] = true
	}
	return nil
}

func (o *outbox) OutboxWait(ctx context.Context, atMost time.Duration) error {
	select {
	case <-ctx.Done():
	case <-time.NewTimer(atMost).C:
	}
	return nil
}

func (o *outbox) waiting() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.rows) - len(o.sent)
}

func (o *outbox) setFault(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fault = err
}

// server is Temporal as far as the dispatcher sees it.
type server struct {
	mu      sync.Mutex
	calls   map[string][]string // workflow id → what arrived
	options map[string]client.StartWorkflowOptions
	fault   func(id string) error
}

func (s *server) record(id, what string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil {
		if err := s.fault(id); err != nil {
			return err
		}
	}
	s.calls[id] = append(s.calls[id], what)
	return nil
}

func (s *server) ExecuteWorkflow(_ context.Context, o client.StartWorkflowOptions, w any, args ...any) (client.WorkflowRun, error) {
	s.mu.Lock()
	s.options[o.ID] = o
	s.mu.Unlock()
	var subject string
	switch in := args[0].(type) {
	case outgoing.Input:
		subject = in.ID
	case transfer.Input:
		subject = in.ID
	}
	return nil, s.record(o.ID, fmt.Sprint("start ", w, " ", subject))
}

func (s *server) SignalWithStartWorkflow(_ context.Context, id, signal string, _ any, _ client.StartWorkflowOptions, w any, args ...any) (client.WorkflowRun, error) {
	return nil, s.record(id, fmt.Sprint(signal, " ", w, " ", args[0].(deposit.Input).ID))
}

func (s *server) SignalWorkflow(_ context.Context, id, _, signal string, _ any) error {
	return s.record(id, signal)
}

func (s *server) got(id string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls[id])
}

func (s *server) setFault(f func(id string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// open is a lock that nobody else wants.
type open struct{ lost func() error }

func (o open) Try(context.Context) (dispatch.Lease, error) { return o, nil }
func (o open) Release()                                    {}
func (o open) Held(context.Context) error {
	if o.lost != nil {
		return o.lost()
	}
	return nil
}

// pass lets virtual time go by.
func pass(d time.Duration) { <-time.NewTimer(d).C }

func rig(t interface{ Fatal(args ...any) }, lock dispatch.Lock) (*outbox, *server, *dispatch.Dispatcher) {
	box := &outbox{sent: map[int64]bool{}}
	temporal := &server{calls: map[string][]string{}, options: map[string]client.StartWorkflowOptions{}}
	d, err := dispatch.New(dispatch.Config{
		Outbox: box, Lock: lock, Temporal: temporal, Queue: "custody", Log: slog.New(slog.DiscardHandler),
		Label: func(context.Context, string, string) (temporalx.Labels, error) {
			return temporalx.Labels{Asset: "BTC"}, nil
		},
		Metrics: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return box, temporal, d
}

// during runs the dispatcher in a bubble of virtual time while act does its part.
func during(t *testing.T, lock dispatch.Lock, act func(*outbox, *server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		box, temporal, d := rig(t, lock)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx) }()
		act(box, temporal)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestEachMessageGoesWhereItBelongs(t *testing.T) {
	during(t, open{}, func(box *outbox, temporal *server) {
		box.add("withdrawal", "start", "wdr_1")
		box.add("withdrawal", "signal", "wdr_1")
		box.add("withdrawal", "signal", "wdr_1")
		box.add("collect", "start", "col_1")
		box.add("collect", "signal", "col_1")
		box.add("deposit", "signal", "dep_1")
		box.add("deposit", "start", "dep_2")
		box.add("transfer", "start", "fnd_1")
		box.add("transfer", "signal", "fnd_1")
		pass(time.Minute)
		for id, want := range map[string][]string{
			"withdrawal/wdr_1": {"start Withdrawal wdr_1", "moved"},
			"collect/col_1":    {"start Collect col_1", "moved"},
			"transfer/fnd_1":   {"start Transfer fnd_1", "moved"},
			"deposit/dep_1":    {"moved Deposit dep_1"},
			"deposit/dep_2":    {"moved Deposit dep_2"},
		} {
			if got := temporal.got(id); !slices.Equal(got, want) {
				t.Errorf("%s got %q, want %q", id, got, want)
			}
		}
		if n := box.waiting(); n != 0 {
			t.Errorf("%d messages wait", n)
		}
		o := temporal.options["withdrawal/wdr_1"]
		if asset, _ := o.TypedSearchAttributes.GetKeyword(keyword(temporalx.Asset)); asset != "BTC" || o.TaskQueue != "custody" {
			t.Errorf("started with %+v", o)
		}
	})
}

func TestADownTemporalLosesNothing(t *testing.T) {
	during(t, open{}, func(box *outbox, temporal *server) {
		temporal.setFault(func(string) error { return serviceerror.NewUnavailable("connection refused") })
		box.add("withdrawal", "start", "wdr_1")
		pass(time.Hour)
		if box.waiting() != 1 {
			t.Fatal("marked as sent without the server's word")
		}
		temporal.setFault(nil)
		pass(10 * time.Second)
		if box.waiting() != 0 || len(temporal.got("withdrawal/wdr_1")) != 1 {
			t.Errorf("%d wait, got %q", box.waiting(), temporal.got("withdrawal/wdr_1"))
		}
	})
}

func TestADownDatabaseMeansAgainNotNever(t *testing.T) {
	during(t, open{}, func(box *outbox, temporal *server) {
		box.add("collect", "start", "col_1")
		temporal.setFault(func(string) error { box.setFault(errors.New("connection reset")); return nil })
		pass(time.Minute) // accepted, but not marked
		temporal.setFault(func(string) error { return serviceerror.NewWorkflowExecutionAlreadyStarted("there", "", "") })
		box.setFault(nil)
		pass(time.Minute)
		if box.waiting() != 0 || len(temporal.got("collect/col_1")) != 1 {
			t.Errorf("%d wait, got %q", box.waiting(), temporal.got("collect/col_1"))
		}
	})
}

func TestAnEndedWorkflowNeedsNoSignal(t *testing.T) {
	during(t, open{}, func(box *outbox, temporal *server) {
		temporal.setFault(func(string) error { return serviceerror.NewNotFound("workflow has ended") })
		box.add("withdrawal", "signal", "wdr_1")
		pass(time.Minute)
		if box.waiting() != 0 {
			t.Error("a signal to an ended workflow waits for ever")
		}
	})
}

func TestOneStuckMessageHoldsUpNobodyElse(t *testing.T) {
	during(t, open{}, func(box *outbox, temporal *server) {
		temporal.setFault(func(id string) error {
			if id == "withdrawal/wdr_bad" {
				return serviceerror.NewInvalidArgument("no")
			}
			return nil
		})
		box.add("withdrawal", "start", "wdr_bad")
		box.add("fiat", "start", "pay_from_a_newer_release")
		for i := range 1000 {
			box.add("withdrawal", "start", fmt.Sprint("wdr_", i))
		}
		pass(time.Minute)
		if n := box.waiting(); n != 2 {
			t.Errorf("%d messages wait, want the 2 stuck ones", n)
		}
	})
}

func TestALostLockStopsIt(t *testing.T) {
	lost := errors.New("session is gone")
	var mu sync.Mutex
	var now error
	lock := open{lost: func() error { mu.Lock(); defer mu.Unlock(); return now }}
	during(t, lock, func(box *outbox, _ *server) {
		mu.Lock()
		now = lost
		mu.Unlock()
		pass(time.Minute)
		box.add("collect", "start", "col_1")
		pass(time.Minute)
		if box.waiting() != 1 {
			t.Error("worked without the lock")
		}
		mu.Lock()
		now = nil
		mu.Unlock()
		pass(time.Minute)
		if box.waiting() != 0 {
			t.Error("did not take over again")
		}
	})
}

// Whatever fails in between, every subject's messages arrive in their order, the
// start before any signal, and none is left.
func TestOrderSurvivesFaults(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		topics := rapid.SliceOfN(rapid.IntRange(0, 5), 1, 60).Draw(rt, "subjects")
		faults := rapid.SliceOfN(rapid.Bool(), 0, 40).Draw(rt, "faults")
		synctest.Test(t, func(t *testing.T) {
			box, temporal, d := rig(t, open{})
			temporal.setFault(func(string) error { // called with the server's lock held
				if len(faults) == 0 {
					return nil
				}
				fail := faults[0]
				faults = faults[1:]
				if fail {
					return serviceerror.NewUnavailable("down")
				}
				return nil
			})
			begun := map[int]bool{}
			for _, s := range topics {
				kind := "signal"
				if !begun[s] {
					kind, begun[s] = "start", true
				}
				box.add("withdrawal", kind, fmt.Sprint("wdr_", s))
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- d.Run(ctx) }()
			pass(10 * time.Minute)
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			for s := range begun {
				got := temporal.got(fmt.Sprint("withdrawal/wdr_", s))
				if len(got) == 0 || got[0] != fmt.Sprint("start Withdrawal wdr_", s) || slices.Contains(got[1:], got[0]) {
					t.Errorf("subject %d got %q", s, got)
				}
			}
			if box.waiting() != 0 {
				t.Errorf("%d messages are left", box.waiting())
			}
		})
	})
}

// What was accepted is marked while the rest of its batch still goes: a process that
// dies then leaves little to be sent again.
func TestWhatWasAcceptedIsMarkedBeforeItsBatchEnds(t *testing.T) {
	const rows, most = 240, 120 // one batch; accepted and not marked yet
	during(t, open{}, func(box *outbox, temporal *server) {
		accepted, behind := 0, 0
		temporal.setFault(func(string) error { // called with the server's lock held
			behind = max(behind, accepted-(rows-box.waiting()))
			accepted++
			return nil
		})
		for i := range rows {
			box.add("withdrawal", "start", fmt.Sprint("wdr_", i))
		}
		pass(time.Minute)
		if n := box.waiting(); n != 0 || accepted != rows || behind > most {
			t.Errorf("%d wait, %d were accepted, %d of them not marked at a time", n, accepted, behind)
		}
	})
}
