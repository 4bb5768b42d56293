// Package deposit is the workflow of one incoming movement: it asks again and
// again what blocks and confirmations mean for it, until it is withdrawable or
// has ended otherwise. A deposit that moves again after its end - its block left
// the chain - begins a new run under the same id. It credits nothing itself.
package deposit

import (
	"strongroom/custody"
	"strongroom/internal/temporalx"
)

// ID is the Temporal workflow id of one deposit.
func ID(depositID string) string { return "deposit/" + depositID }

// Input says which deposit to follow. Fields are only ever added.
type Input struct {
	ID string `json:"id"` // dep_…
	// Resume is where the run before this one stood; nil in the first run.
	Resume *custody.DepositProgress `json:"resume,omitempty"`
}

// Ref names the deposit that a step is for.
type Ref struct {
	ID string `json:"id"`
}

// Fact is what a running workflow is told: something about its deposit moved.
type Fact struct {
	Key string `json:"key,omitempty"`
}

// View is what a deposit's workflow says about itself.
type View struct {
	custody.DepositProgress
	// Trouble is why the deposit waits for a person; empty while it does not.
	Trouble string `json:"trouble,omitempty"`
}

// Workflow is the deposit's workflow type.
const Workflow = temporalx.Workflow[Input, custody.DepositProgress]("Deposit")

// Advance takes the deposit as far as rows and blocks allow. It may ask a node
// for what the house holds, so it is not local.
const Advance = temporalx.Activity[Ref, custody.DepositProgress]("custody.AdvanceDeposit")

// Forwarded is what became of a deposit that may be withdrawn.
type Forwarded struct {
	// Transfer is the one that moves it on to trading; empty where it stays.
	Transfer string `json:"transfer,omitempty"`
}

// Forward has a deposit that may be withdrawn flow on to trading, where its customer
// wants that. What was decided once stays.
const Forward = temporalx.LocalActivity[Ref, Forwarded]("trading.ForwardDeposit")

// Moved tells the workflow to look again.
const Moved = temporalx.Signal[Fact]("moved")

// State asks the workflow where it stands.
const State = temporalx.Query[View]("state")
