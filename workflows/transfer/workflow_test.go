package transfer_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"strongroom/matching/settle"
	"strongroom/trading"
	"strongroom/trading/funding"
	"strongroom/worker/workertest"
	"strongroom/workflows/transfer"
)

const subject = "fnd_1"

func run(t *testing.T, env *testsuite.TestWorkflowEnvironment) transfer.Progress {
	t.Helper()
	env.ExecuteWorkflow(string(transfer.Workflow), transfer.Input{ID: subject})
	var end transfer.Progress
	if err := env.GetWorkflowResult(&end); err != nil {
		t.Fatal(err)
	}
	return end
}

func TestEveryWayToTheEnd(t *testing.T) {
	down := errors.New("connection refused")
	for name, tc := range map[string]struct {
		end            trading.TransferState
		reason         string
		tell, conclude []error
		want           transfer.Phase
		calls          []string
	}{
		"the usual way": {end: trading.TransferDone, want: transfer.Done, calls: []string{"tell", "conclude"}},
		"refused":       {end: trading.TransferRefused, reason: "insufficient", want: transfer.Refused, calls: []string{"tell", "conclude"}},
		"not settled at once": {
			end: trading.TransferDone, want: transfer.Done, conclude: []error{settle.ErrNotSettled, settle.ErrNotSettled},
			calls: []string{"tell", "conclude", "conclude", "conclude"},
		},
		"the engine is down, then the database": {
			end: trading.TransferDone, want: transfer.Done, tell: []error{trading.ErrUnavailable, down}, conclude: []error{down},
			calls: []string{"tell", "tell", "tell", "conclude", "conclude"},
		},
		"a person helps": {
			end: trading.TransferDone, want: transfer.Done, tell: []error{funding.ErrNotTaken}, conclude: []error{settle.ErrConflict},
			calls: []string{"tell", "tell", "conclude", "conclude"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			carrier := workertest.NewTransfers(tc.end, tc.reason)
			carrier.Fail("tell", tc.tell...)
			carrier.Fail("conclude", tc.conclude...)
			end := run(t, workertest.Env(t, nil, nil, carrier))
			if end != (transfer.Progress{ID: subject, State: tc.want, Reason: tc.reason}) || !slices.Equal(carrier.Calls(), tc.calls) {
				t.Errorf("ended %+v after %q, want %s after %q", end, carrier.Calls(), tc.want, tc.calls)
			}
		})
	}
}

// A settlement that stands still for a day is waited for, in one run or several.
func TestItNeverGivesUp(t *testing.T) {
	carrier := workertest.NewTransfers(trading.TransferDone, "")
	carrier.Fail("conclude", slices.Repeat([]error{settle.ErrNotSettled}, 100_000)...)
	env := workertest.Env(t, nil, nil, carrier)
	env.ExecuteWorkflow(string(transfer.Workflow), transfer.Input{ID: subject})
	again, ok := errors.AsType[*workflow.ContinueAsNewError](env.GetWorkflowError())
	if !ok || again.WorkflowType.Name != string(transfer.Workflow) {
		t.Fatalf("err = %v, want a new run", env.GetWorkflowError())
	}
	next := workertest.Env(t, nil, nil, workertest.NewTransfers(trading.TransferDone, ""))
	next.ExecuteWorkflow(string(transfer.Workflow), transfer.Input{ID: subject, Resume: &transfer.Progress{ID: subject, State: transfer.Settling}})
	var end transfer.Progress
	if err := next.GetWorkflowResult(&end); err != nil || end.State != transfer.Done {
		t.Errorf("the next run ended %+v, %v", end, err)
	}
}

func TestACancellationChangesNothing(t *testing.T) {
	carrier := workertest.NewTransfers(trading.TransferDone, "")
	carrier.Fail("tell", funding.ErrNotTaken)
	env := workertest.Env(t, nil, nil, carrier)
	env.RegisterDelayedCallback(env.CancelWorkflow, time.Second)
	if end := run(t, env); end.State != transfer.Done {
		t.Errorf("ended %+v", end)
	}
}

func TestASignalEndsTheWaitEarlyAndTroubleIsShown(t *testing.T) {
	carrier := workertest.NewTransfers(trading.TransferDone, "")
	carrier.Fail("tell", funding.ErrNotTaken)
	env := workertest.Env(t, nil, nil, carrier)
	start := env.Now()
	env.RegisterDelayedCallback(func() {
		var view transfer.View
		value, err := env.QueryWorkflow(string(transfer.State))
		if err != nil || value.Get(&view) != nil || view.Trouble == "" || view.State != transfer.Telling {
			t.Errorf("view %+v, %v", view, err)
		}
		env.SignalWorkflow(string(transfer.Moved), transfer.Fact{Key: "k"})
	}, time.Second)
	run(t, env)
	if took := env.Now().Sub(start); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
}
