package workertest

import (
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"

	actdeposit "strongroom/activities/deposit"
	actoutgoing "strongroom/activities/outgoing"
	acttransfer "strongroom/activities/transfer"
	"strongroom/trading"
	"strongroom/worker"
)

// maxVirtual bounds a test's workflow in the time that the suite skips through.
const maxVirtual = 30 * 24 * time.Hour

// Activities returns the real activities on fakes; nil stands for an empty one. Without
// a carrier, transfers are done when they are asked about.
func Activities(tb testing.TB, desk *Desk, intake *Intake, carrier ...*Transfers) worker.Activities {
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
	if len(carrier) == 0 {
		carrier = append(carrier, NewTransfers(trading.TransferDone, ""))
	}
	transfers, err := acttransfer.New(carrier[0])
	if err != nil {
		tb.Fatal(err)
	}
	return worker.Activities{Outgoing: outgoing, Deposit: deposits.Onward(intake), Transfer: transfers}
}

// Env returns the SDK's time-skipping environment with everything registered.
func Env(t *testing.T, desk *Desk, intake *Intake, carrier ...*Transfers) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetWorkflowRunTimeout(maxVirtual)
	worker.Register(env, Activities(t, desk, intake, carrier...))
	return env
}
