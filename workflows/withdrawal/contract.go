// Package withdrawal is the workflow of a customer's payout on chain. The money
// is held before it starts; it ends when the payment is booked, or when the hold
// is released. The steps are those of package outgoing.
package withdrawal

import (
	"strongroom/custody"
	"strongroom/internal/temporalx"
	"strongroom/workflows/outgoing"
)

// ID is the Temporal workflow id of one withdrawal.
func ID(withdrawalID string) string { return "withdrawal/" + withdrawalID }

// Request asks to cancel, and says why.
type Request struct {
	Reason string `json:"reason"`
}

// Workflow is the withdrawal's workflow type.
const Workflow = temporalx.Workflow[outgoing.Input, custody.Progress]("Withdrawal")

// Cancel asks the workflow to release the hold; refused from reserved on.
const Cancel = temporalx.Update[Request, custody.Progress]("cancel")
