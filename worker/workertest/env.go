package workertest

import (
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"

	actdeposit "strongroom/activities/deposit"
	actoutgoing "strongroom/activities/outgoing"
	"strongroom/worker"
)

// maxVirtual bounds a test's workflow in the time that the suite skips through.
const maxVirtual = 30 * 24 * time.Hour

// Activities returns the real activities on fakes; nil stands for an empty one.
func Activities(tb testing.TB, desk *Desk, intake *Intake) worker.Activities {
	tb.Helper()
	if desk == nil {
		desk = NewDesk()
	}
	if intake == nil {
		intake = NewIntake()
	}
	outgoing, err := actoutgoing.New(desk)
	if err != nil {
		tb.Fatal(err)
	}
	deposits, err := actdeposit.New(intake)
	if err != nil {
		tb.Fatal(err)
	}
	return worker.Activities{Outgoing: outgoing, Deposit: deposits}
}

// Env returns the SDK's time-skipping environment with everything registered.
func Env(t *testing.T, desk *Desk, intake *Intake) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetWorkflowRunTimeout(maxVirtual)
	worker.Register(env, Activities(t, desk, intake))
	return env
}
