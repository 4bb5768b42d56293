package withdrawal_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"strongroom/custody"
	"strongroom/worker/workertest"
	"strongroom/workflows/outgoing"
	"strongroom/workflows/withdrawal"
)

const subject = "wdr_019a0000000070008000000000000001"

var errDown = errors.New("connection refused")

func held(chain ...custody.WithdrawalEvent) *workertest.Desk {
	desk := workertest.NewDesk(chain...)
	desk.Put(subject, custody.IntentWithdrawal, custody.WithdrawalHeld)
	return desk
}

func run(t *testing.T, env *testsuite.TestWorkflowEnvironment) custody.Progress {
	t.Helper()
	env.ExecuteWorkflow(string(withdrawal.Workflow), outgoing.Input{ID: subject})
	var end custody.Progress
	if err := env.GetWorkflowResult(&end); err != nil {
		t.Fatalf("workflow: %v", err)
	}
	return end
}

// calls joins repeated verbs: how often the chain was asked is not what is tested.
func calls(d *workertest.Desk) string { return strings.Join(slices.Compact(d.Calls()), " ") }

func TestEveryWayToTheEnd(t *testing.T) {
	const through = "screen reserve sign send observe settle"
	for name, tc := range map[string]struct {
		chain []custody.WithdrawalEvent
		fail  map[string][]error
		end   custody.WithdrawalState
		calls string
	}{
		"the usual way": {
			chain: []custody.WithdrawalEvent{custody.EventMine, custody.EventFinalise},
			end:   custody.WithdrawalPosted, calls: through,
		},
		"blocked by screening": {
			fail: map[string][]error{"screen": {custody.ErrDestination}},
			end:  custody.WithdrawalCancelled, calls: "screen release",
		},
		"reservation refused": {
			fail: map[string][]error{"reserve": {custody.ErrAmount}},
			end:  custody.WithdrawalCancelled, calls: "screen reserve release",
		},
		"wallet dry, slots used up, chain halted": {
			chain: []custody.WithdrawalEvent{custody.EventMine, custody.EventFinalise},
			fail:  map[string][]error{"reserve": {custody.ErrHotWallet, custody.ErrSlots, custody.ErrChainHalted, custody.ErrConflict}},
			end:   custody.WithdrawalPosted, calls: through,
		},
		"every server down for a while": {
			chain: []custody.WithdrawalEvent{custody.EventMine, custody.EventFinalise},
			fail: map[string][]error{
				"screen": {errDown}, "reserve": {errDown, errDown}, "sign": {errDown, errDown, errDown}, "send": {errDown},
				"observe": {errDown}, "settle": {errDown, errDown},
			},
			end: custody.WithdrawalPosted, calls: through,
		},
		"fate of the send unknown": {
			chain: []custody.WithdrawalEvent{custody.EventLost, custody.EventSent, custody.EventMine, custody.EventFinalise},
			end:   custody.WithdrawalPosted, calls: through,
		},
		"stuck and replaced": {
			chain: []custody.WithdrawalEvent{custody.EventStall, custody.EventReplace, custody.EventMine, custody.EventFinalise},
			end:   custody.WithdrawalPosted, calls: "screen reserve sign send observe send observe settle",
		},
		"reorganised, twice": {
			chain: []custody.WithdrawalEvent{
				custody.EventMine, custody.EventReorg, custody.EventMine, custody.EventReorg, custody.EventSent, custody.EventMine, custody.EventFinalise,
			},
			end: custody.WithdrawalPosted, calls: through,
		},
		"final, and then reorganised all the same": {
			chain: []custody.WithdrawalEvent{custody.EventMine, custody.EventFinalise},
			fail:  map[string][]error{"settle": {custody.ErrConflict}},
			end:   custody.WithdrawalPosted, calls: through,
		},
		"reverted on chain": {
			chain: []custody.WithdrawalEvent{custody.EventMine, custody.EventRevert},
			end:   custody.WithdrawalReverted, calls: "screen reserve sign send observe",
		},
		"signer refuses: nobody undoes, a person helps": {
			chain: []custody.WithdrawalEvent{custody.EventMine, custody.EventFinalise},
			fail:  map[string][]error{"sign": {custody.ErrIllegal, custody.ErrIllegal}},
			end:   custody.WithdrawalPosted, calls: through,
		},
	} {
		t.Run(name, func(t *testing.T) {
			desk := held(tc.chain...)
			for verb, errs := range tc.fail {
				desk.Fail(verb, errs...)
			}
			end := run(t, workertest.Env(t, desk, nil))
			if end.State != tc.end || !end.Ended || desk.State(subject) != tc.end {
				t.Errorf("ended %+v, row %s, want %s", end, desk.State(subject), tc.end)
			}
			if got := calls(desk); got != tc.calls {
				t.Errorf("calls: %s\nwant:  %s", got, tc.calls)
			}
		})
	}
}

// answer collects what an update came to.
type answer struct{ accepted, rejected, failed error }

func (a *answer) callback() *testsuite.TestUpdateCallback {
	return &testsuite.TestUpdateCallback{
		OnAccept:   func() { a.accepted = errors.New("accepted") },
		OnReject:   func(err error) { a.rejected = err },
		OnComplete: func(_ any, err error) { a.failed = err },
	}
}

func TestCancelWhileItWaitsForTheWallet(t *testing.T) {
	desk := held()
	desk.Fail("reserve", slices.Repeat([]error{custody.ErrHotWallet}, 1000)...)
	env := workertest.Env(t, desk, nil)
	var got answer
	env.RegisterDelayedCallback(func() {
		env.UpdateWorkflow(string(withdrawal.Cancel), "u1", got.callback(), withdrawal.Request{Reason: "changed my mind"})
	}, time.Minute)
	end := run(t, env)
	if end.State != custody.WithdrawalCancelled || end.Reason != "changed my mind" || got.accepted == nil || got.failed != nil {
		t.Errorf("end %+v, update %+v", end, got)
	}
}

func TestCancelAfterReservationIsRefused(t *testing.T) {
	desk := held()
	env := workertest.Env(t, desk, nil)
	var got answer
	env.RegisterDelayedCallback(func() {
		env.UpdateWorkflow(string(withdrawal.Cancel), "u1", got.callback(), withdrawal.Request{})
		desk.Show(custody.EventMine, custody.EventFinalise)
	}, time.Minute)
	end := run(t, env)
	if end.State != custody.WithdrawalPosted || got.rejected == nil || got.accepted != nil {
		t.Errorf("end %+v, update %+v", end, got)
	}
	if slices.Contains(desk.Calls(), "release") {
		t.Error("a refused update reached the desk")
	}
}

// The validator saw a withdrawal that could be cancelled; the reservation was
// faster. The row decides, the caller is told, and the payment goes on.
func TestCancelThatLosesTheRace(t *testing.T) {
	desk := held()
	env := workertest.Env(t, desk, nil)
	var got answer
	asked := false
	desk.Before("reserve", func() {
		if !asked {
			asked = true
			env.UpdateWorkflow(string(withdrawal.Cancel), "u1", got.callback(), withdrawal.Request{})
		}
	})
	desk.Before("release", func() {
		if !desk.State(subject).Releasable() {
			return
		}
		if _, err := desk.Reserve(t.Context(), subject); err != nil {
			t.Error(err)
		}
	})
	desk.Show(custody.EventMine, custody.EventFinalise)
	end := run(t, env)
	if end.State != custody.WithdrawalPosted || got.accepted == nil || got.failed == nil {
		t.Errorf("end %+v, update %+v", end, got)
	}
}

func TestOperatorsStop(t *testing.T) {
	for reserved, want := range map[bool]custody.WithdrawalState{
		false: custody.WithdrawalCancelled,
		true:  custody.WithdrawalPosted,
	} {
		desk := held()
		if !reserved {
			desk.Fail("reserve", slices.Repeat([]error{custody.ErrSlots}, 1000)...)
		}
		env := workertest.Env(t, desk, nil)
		env.RegisterDelayedCallback(func() {
			env.CancelWorkflow()
			desk.Show(custody.EventMine, custody.EventFinalise)
		}, time.Minute)
		if end := run(t, env); end.State != want {
			t.Errorf("stopped when reserved is %v: ended %s, want %s", reserved, end.State, want)
		}
	}
}

func TestASignalEndsTheWaitEarly(t *testing.T) {
	desk := held()
	env := workertest.Env(t, desk, nil)
	// After half an hour without news the walk naps for its longest.
	env.RegisterDelayedCallback(func() {
		desk.Show(custody.EventMine, custody.EventFinalise)
		env.SignalWorkflow(string(outgoing.Moved), outgoing.Fact{Key: "k"})
	}, 30*time.Minute+time.Second)
	env.RegisterDelayedCallback(func() {
		if state := desk.State(subject); state == custody.WithdrawalBroadcast {
			t.Errorf("still %s a second after the signal", state)
		}
	}, 30*time.Minute+2*time.Second)
	if end := run(t, env); end.State != custody.WithdrawalPosted {
		t.Errorf("ended %s", end.State)
	}
}

func TestStateShowsWhereItStandsAndWhy(t *testing.T) {
	desk := held()
	desk.Fail("sign", custody.ErrIllegal)
	env := workertest.Env(t, desk, nil)
	env.RegisterDelayedCallback(func() {
		var view outgoing.View
		value, err := env.QueryWorkflow(string(outgoing.State))
		if err != nil || value.Get(&view) != nil {
			t.Fatal(err)
		}
		if view.State != custody.WithdrawalReserved || view.Trouble == "" {
			t.Errorf("view %+v", view)
		}
		desk.Show(custody.EventMine, custody.EventFinalise)
		env.SignalWorkflow(string(outgoing.Moved), outgoing.Fact{})
	}, 30*time.Second)
	run(t, env)
}

func TestALongWaitBeginsANewRunThatGoesOn(t *testing.T) {
	desk := held()
	env := workertest.Env(t, desk, nil)
	env.ExecuteWorkflow(string(withdrawal.Workflow), outgoing.Input{ID: subject})
	err := env.GetWorkflowError()
	if again, ok := errors.AsType[*workflow.ContinueAsNewError](err); !ok || again.WorkflowType.Name != string(withdrawal.Workflow) {
		t.Fatalf("err = %v, want a new run", err)
	}
	desk.Show(custody.EventMine, custody.EventFinalise)
	next := workertest.Env(t, desk, nil)
	before := len(desk.Calls())
	next.ExecuteWorkflow(string(withdrawal.Workflow), outgoing.Input{ID: subject, Resume: &custody.Progress{
		ID: subject, Kind: custody.IntentWithdrawal, State: custody.WithdrawalBroadcast, TxID: "tx",
	}})
	if err := next.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(desk.Calls()[before:]); got != "[observe observe settle]" {
		t.Errorf("the next run called %s", got)
	}
}
