// Package refill is the workflow of a payment out of a vault of coins into the hot wallet.
// It is born screened: policy asks people, then the vault's cosigners sign apart from each
// other, without network; it waits for both as long as it takes. Until its coins are
// reserved it can be cancelled. The steps are those of package outgoing.
package refill

import (
	"strongroom/custody"
	"strongroom/internal/temporalx"
	"strongroom/workflows/outgoing"
)

// ID is the Temporal workflow id of one refill.
func ID(refillID string) string { return "refill/" + refillID }

// Request asks to cancel, and says why.
type Request struct {
	Reason string `json:"reason"`
}

// Workflow is the refill's workflow type.
const Workflow = temporalx.Workflow[outgoing.Input, custody.Progress]("Refill")

// Cancel asks the workflow to take the refill back; refused from reserved on.
const Cancel = temporalx.Update[Request, custody.Progress]("cancel")
