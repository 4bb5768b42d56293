package deposit_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"strongroom/custody"
	"strongroom/worker/workertest"
	"strongroom/workflows/deposit"
)

const subject = "dep_1"

func at(s custody.DepositState) custody.DepositProgress {
	return custody.DepositProgress{State: s, Ended: s == custody.DepositWithdrawable || s == custody.DepositDust || s == custody.DepositDebited}
}

func run(t *testing.T, env *testsuite.TestWorkflowEnvironment) custody.DepositProgress {
	t.Helper()
	env.ExecuteWorkflow(string(deposit.Workflow), deposit.Input{ID: subject})
	var end custody.DepositProgress
	if err := env.GetWorkflowResult(&end); err != nil {
		t.Fatal(err)
	}
	return end
}

func TestEveryWayToTheEnd(t *testing.T) {
	for name, tc := range map[string]struct {
		states []custody.DepositState
		fail   []error
		end    custody.DepositState
		looks  int
	}{
		"the usual way": {
			states: []custody.DepositState{custody.DepositConfirming, custody.DepositCredited, custody.DepositWithdrawable},
			end:    custody.DepositWithdrawable, looks: 3,
		},
		"dust": {states: []custody.DepositState{custody.DepositDust}, end: custody.DepositDust, looks: 1},
		"chain halted, node down": {
			states: []custody.DepositState{custody.DepositWithdrawable}, fail: []error{custody.ErrChainHalted, errors.New("down")},
			end: custody.DepositWithdrawable, looks: 3,
		},
		"reorganised before and after the credit": {
			states: []custody.DepositState{custody.DepositReorged, custody.DepositConfirming, custody.DepositCredited, custody.DepositDebited},
			end:    custody.DepositDebited, looks: 4,
		},
		"refused: a person helps": {
			states: []custody.DepositState{custody.DepositWithdrawable}, fail: []error{custody.ErrIllegal},
			end: custody.DepositWithdrawable, looks: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var shown []custody.DepositProgress
			for _, s := range tc.states {
				shown = append(shown, at(s))
			}
			intake := workertest.NewIntake(shown...)
			intake.Fail(tc.fail...)
			end := run(t, workertest.Env(t, nil, intake))
			if end.State != tc.end || end.ID != subject || intake.Looks() != tc.looks {
				t.Errorf("ended %+v after %d looks, want %s after %d", end, intake.Looks(), tc.end, tc.looks)
			}
		})
	}
}

func TestASignalEndsTheWaitEarly(t *testing.T) {
	intake := workertest.NewIntake(at(custody.DepositConfirming), at(custody.DepositWithdrawable))
	env := workertest.Env(t, nil, intake)
	start := env.Now()
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(string(deposit.Moved), deposit.Fact{Key: "k"}) }, time.Second)
	run(t, env)
	if took := env.Now().Sub(start); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
}

// A block may leave the chain between the look that ends the workflow and its
// end: the signal is there, so it looks once more.
func TestNewsDuringTheLastLookIsNotLost(t *testing.T) {
	intake := workertest.NewIntake(at(custody.DepositWithdrawable), at(custody.DepositReorged), at(custody.DepositWithdrawable))
	env := workertest.Env(t, nil, intake)
	intake.Before(func(look int) {
		if look == 1 {
			env.SignalWorkflow(string(deposit.Moved), deposit.Fact{Key: "reorg"})
		}
	})
	run(t, env)
	if intake.Looks() != 3 {
		t.Errorf("looked %d times, want 3", intake.Looks())
	}
}

func TestStateShowsTrouble(t *testing.T) {
	intake := workertest.NewIntake(at(custody.DepositWithdrawable))
	intake.Fail(custody.ErrIllegal)
	env := workertest.Env(t, nil, intake)
	env.RegisterDelayedCallback(func() {
		var view deposit.View
		value, err := env.QueryWorkflow(string(deposit.State))
		if err != nil || value.Get(&view) != nil || view.Trouble == "" || view.State != custody.DepositSeen {
			t.Errorf("view %+v, %v", view, err)
		}
	}, 30*time.Second)
	run(t, env)
}

// What may be withdrawn flows on, and nothing before.
func TestWhatMayBeWithdrawnFlowsOn(t *testing.T) {
	down := errors.New("connection refused")
	for name, tc := range map[string]struct {
		states   []custody.DepositState
		fail     []error
		forwards int
	}{
		"the usual way":          {states: []custody.DepositState{custody.DepositCredited, custody.DepositWithdrawable}, forwards: 1},
		"never withdrawable":     {states: []custody.DepositState{custody.DepositCredited, custody.DepositDebited}},
		"the database is down":   {states: []custody.DepositState{custody.DepositWithdrawable}, fail: []error{down, down}, forwards: 3},
		"down for a long time":   {states: []custody.DepositState{custody.DepositWithdrawable}, fail: slices.Repeat([]error{down}, 30), forwards: 31},
		"refused: it stays then": {states: []custody.DepositState{custody.DepositWithdrawable}, fail: []error{custody.ErrNotFound}, forwards: 1},
	} {
		t.Run(name, func(t *testing.T) {
			var shown []custody.DepositProgress
			for _, s := range tc.states {
				shown = append(shown, at(s))
			}
			intake := workertest.NewIntake(shown...)
			intake.FailForward(tc.fail...)
			end := run(t, workertest.Env(t, nil, intake))
			if end.State != tc.states[len(tc.states)-1] || intake.Forwards() != tc.forwards {
				t.Errorf("ended %+v, was to flow on %d times, want %d", end, intake.Forwards(), tc.forwards)
			}
		})
	}
}

func TestStopIsNoEndOfTheDeposit(t *testing.T) {
	env := workertest.Env(t, nil, workertest.NewIntake(at(custody.DepositConfirming)))
	env.RegisterDelayedCallback(env.CancelWorkflow, time.Hour)
	env.ExecuteWorkflow(string(deposit.Workflow), deposit.Input{ID: subject})
	if !env.IsWorkflowCompleted() || env.GetWorkflowError() == nil {
		t.Error("stopped by an operator, it did not end as cancelled")
	}
}

func TestALongWaitBeginsANewRun(t *testing.T) {
	env := workertest.Env(t, nil, workertest.NewIntake(at(custody.DepositConfirming)))
	env.ExecuteWorkflow(string(deposit.Workflow), deposit.Input{ID: subject})
	again, ok := errors.AsType[*workflow.ContinueAsNewError](env.GetWorkflowError())
	if !ok || again.WorkflowType.Name != string(deposit.Workflow) {
		t.Fatalf("err = %v, want a new run", env.GetWorkflowError())
	}
}
