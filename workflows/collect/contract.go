// Package collect is the workflow of the house's own transactions: a collection
// of deposits into the hot wallet, or the gas that a token's collection needs.
// Such an intent is born approved: the plan that made it is the approval. The
// steps are those of package outgoing, from reserve on.
package collect

import (
	"strongroom/custody"
	"strongroom/internal/temporalx"
	"strongroom/workflows/outgoing"
)

// ID is the Temporal workflow id of one intent of the house.
func ID(intentID string) string { return "collect/" + intentID }

// Workflow is the workflow type of an intent of the house.
const Workflow = temporalx.Workflow[outgoing.Input, custody.Progress]("Collect")
