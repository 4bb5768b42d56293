// Package coldspend is the workflow of a payment out of a vault to an outside address.
// It is born screened: policy asks people, then the vault's cosigners sign apart from each
// other, without network; it waits for both as long as it takes. Until its coins are
// reserved it can be cancelled. The steps are those of package outgoing.
package coldspend

import (
	"strongroom/custody"
	"strongroom/internal/temporalx"
	"strongroom/workflows/outgoing"
)

// ID is the Temporal workflow id of one payment.
func ID(spendID string) string { return "coldspend/" + spendID }

// Request asks to cancel, and says why.
type Request struct {
	Reason string `json:"reason"`
}

// Workflow is the workflow type of such a payment.
const Workflow = temporalx.Workflow[outgoing.Input, custody.Progress]("ColdSpend")

// Cancel asks the workflow to take the payment back; refused from reserved on.
const Cancel = temporalx.Update[Request, custody.Progress]("cancel")
