// Package transfer is the workflow of one move of a customer's money between funding
// and trading: it has the engine told, and has booked what the engine answered once that
// is settled. It gives nothing up: a transfer ends done or refused, and until then there
// is only asking again. It moves nothing itself.
package transfer

import "strongroom/internal/temporalx"

// ID is the Temporal workflow id of one transfer.
func ID(transferID string) string { return "transfer/" + transferID }

// Input says which transfer to carry. Fields are only ever added.
type Input struct {
	ID string `json:"id"` // fnd_…
	// Resume is where the run before this one stood; nil in the first run.
	Resume *Progress `json:"resume,omitempty"`
}

// Ref names the transfer that a step is for.
type Ref struct {
	ID string `json:"id"`
}

// Phase is how far a transfer has come.
type Phase string

// The phases, in order; one of the last two is the end.
const (
	Telling  Phase = "telling"  // the engine is to be told
	Settling Phase = "settling" // the engine has answered; that is to be settled and booked
	Done     Phase = "done"
	Refused  Phase = "refused" // and what was booked is back
)

// Progress is what a step found, or left behind.
type Progress struct {
	ID     string `json:"id"`
	State  Phase  `json:"state"`
	Reason string `json:"reason,omitempty"` // of a refusal
}

// Fact is what a running workflow is told: that it is worth looking again.
type Fact struct {
	Key string `json:"key,omitempty"`
}

// View is what a transfer's workflow says about itself.
type View struct {
	Progress
	// Trouble is why the transfer waits for a person; empty while it does not.
	Trouble string `json:"trouble,omitempty"`
	// Fault is what failed last and will be tried again by itself.
	Fault string `json:"fault,omitempty"`
}

// Workflow is the transfer's workflow type.
const Workflow = temporalx.Workflow[Input, Progress]("Transfer")

// The steps. Each may be taken twice and by two at once: rows, ledger and engine know
// the transfer by its id. Tell asks the engine, so it is not local.
const (
	Tell     = temporalx.Activity[Ref, Progress]("trading.TellTransfer")
	Conclude = temporalx.LocalActivity[Ref, Progress]("trading.ConcludeTransfer")
)

// Moved tells the workflow to look again.
const Moved = temporalx.Signal[Fact]("moved")

// State asks the workflow where it stands.
const State = temporalx.Query[View]("state")
