// Package worker runs the platform's workflows and activities on Temporal, and
// carries the outbox to it. It decides nothing: what is done stands in the
// workflows, how it is done in the activities. Temporal may be down for any
// time: the rest of the platform goes on, and work is taken up where it stood.
package worker

import (
	actdeposit "strongroom/activities/deposit"
	actoutgoing "strongroom/activities/outgoing"
	acttransfer "strongroom/activities/transfer"
	"strongroom/internal/temporalx"
	"strongroom/workflows/coldspend"
	"strongroom/workflows/collect"
	"strongroom/workflows/deposit"
	"strongroom/workflows/probe"
	"strongroom/workflows/refill"
	"strongroom/workflows/sweep"
	"strongroom/workflows/transfer"
	"strongroom/workflows/withdrawal"
)

// Activities is what the worker can do; all are needed but Transfer. cmd wires them.
type Activities struct {
	Outgoing *actoutgoing.Activities
	Deposit  *actdeposit.Activities
	// Transfer is nil in an installation without matching: then nothing of it is known.
	Transfer *acttransfer.Activities
}

// Register adds every workflow and activity to r: one line each. It is the only
// list.
func Register(r temporalx.Registry, a Activities) {
	withdrawal.Workflow.Register(r, withdrawal.Run)
	collect.Workflow.Register(r, collect.Run)
	sweep.Workflow.Register(r, sweep.Run)
	refill.Workflow.Register(r, refill.Run)
	coldspend.Workflow.Register(r, coldspend.Run)
	deposit.Workflow.Register(r, deposit.Run)
	probe.Workflow.Register(r, probe.Run)
	a.Outgoing.Register(r)
	a.Deposit.Register(r)
	if a.Transfer != nil {
		transfer.Workflow.Register(r, transfer.Run)
		a.Transfer.Register(r)
	}
}
