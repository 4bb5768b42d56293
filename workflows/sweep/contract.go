// Package sweep is the workflow of a payment out of the hot wallet into a warm or cold
// vault. It is born screened: policy decides, and people where that asks for them; until
// coins or a nonce are reserved it can be cancelled. The steps are those of package
// outgoing.
package sweep

import (
	"strongroom/custody"
	"strongroom/internal/temporalx"
	"strongroom/workflows/outgoing"
)

// ID is the Temporal workflow id of one sweep.
func ID(sweepID string) string { return "sweep/" + sweepID }

// Request asks to cancel, and says why.
type Request struct {
	Reason string `json:"reason"`
}

// Workflow is the sweep's workflow type.
const Workflow = temporalx.Workflow[outgoing.Input, custody.Progress]("Sweep")

// Cancel asks the workflow to take the sweep back; refused from reserved on.
const Cancel = temporalx.Update[Request, custody.Progress]("cancel")
