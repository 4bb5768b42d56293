package sweep_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"strongroom/custody"
	"strongroom/worker/workertest"
	"strongroom/workflows/outgoing"
	"strongroom/workflows/sweep"
)

const subject = "swp_019a0000000070008000000000000001n1"

func TestSweeps(t *testing.T) {
	for name, tc := range map[string]struct {
		state custody.WithdrawalState
		chain []custody.WithdrawalEvent
		fail  map[string][]error
		end   custody.WithdrawalState
		calls string
	}{
		"policy lets it pass": {
			state: custody.WithdrawalScreened, chain: []custody.WithdrawalEvent{custody.EventMine, custody.EventFinalise},
			end: custody.WithdrawalPosted, calls: "screen reserve sign send observe settle",
		},
		"people let it pass": {
			state: custody.WithdrawalAwaitingApproval, chain: []custody.WithdrawalEvent{custody.EventMine, custody.EventFinalise},
			end: custody.WithdrawalPosted, calls: "screen reserve sign send observe settle",
		},
		"its address is no vault's any more": {
			state: custody.WithdrawalScreened, fail: map[string][]error{"reserve": {custody.ErrDestination}},
			end: custody.WithdrawalCancelled, calls: "screen reserve release",
		},
	} {
		t.Run(name, func(t *testing.T) {
			desk := workertest.NewDesk(tc.chain...)
			desk.Put(subject, custody.IntentSweep, tc.state)
			for verb, errs := range tc.fail {
				desk.Fail(verb, errs...)
			}
			env := workertest.Env(t, desk, nil)
			env.ExecuteWorkflow(string(sweep.Workflow), outgoing.Input{ID: subject})
			var end custody.Progress
			if err := env.GetWorkflowResult(&end); err != nil {
				t.Fatal(err)
			}
			if end.State != tc.end || end.Kind != custody.IntentSweep || desk.State(subject) != tc.end {
				t.Errorf("ended %+v, want %s", end, tc.end)
			}
			if got := strings.Join(slices.Compact(desk.Calls()), " "); got != tc.calls {
				t.Errorf("calls: %s\nwant:  %s", got, tc.calls)
			}
		})
	}
}

func TestSweepIsCancelledBeforeItIsReserved(t *testing.T) {
	desk := workertest.NewDesk()
	desk.Put(subject, custody.IntentSweep, custody.WithdrawalScreened)
	desk.Fail("reserve", slices.Repeat([]error{custody.ErrHotWallet}, 1000)...)
	env := workertest.Env(t, desk, nil)
	env.RegisterDelayedCallback(func() {
		env.UpdateWorkflowNoRejection(string(sweep.Cancel), "u1", t, sweep.Request{Reason: "the cap was raised"})
	}, time.Minute)
	env.ExecuteWorkflow(string(sweep.Workflow), outgoing.Input{ID: subject})
	var end custody.Progress
	if err := env.GetWorkflowResult(&end); err != nil {
		t.Fatal(err)
	}
	if end.State != custody.WithdrawalCancelled || end.Reason != "the cap was raised" {
		t.Errorf("ended %+v", end)
	}
}
