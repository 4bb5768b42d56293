// Package worker runs the platform's workflows and activities on Temporal, and
// carries the outbox to it. It decides nothing: what is done stands in the
// workflows, how it is done in the activities. Temporal may be down for any
// time: the rest of the platform goes on, and work is taken up where it stood.
package worker

import (
	actdeposit "strongroom/activities/deposit"
	actoutgoing "strongroom/activities/outgoing"
	"strongroom/internal/temporalx"
	"strongroom/workflows/collect"
	"strongroom/workflows/deposit"
	"strongroom/workflows/probe"
	"strongroom/workflows/withdrawal"
)

// Activities is what the worker can do; all are needed. cmd wires them.
type Activities struct {
	Outgoing *actoutgoing.Activities
	Deposit  *actdeposit.Activities
}

// Register adds every workflow and activity to r: one line each. It is the only
// list.
func Register(r temporalx.Registry, a Activities) {
	withdrawal.Workflow.Register(r, withdrawal.Run)
	collect.Workflow.Register(r, collect.Run)
	deposit.Workflow.Register(r, deposit.Run)
	probe.Workflow.Register(r, probe.Run)
	a.Outgoing.Register(r)
	a.Deposit.Register(r)
}
