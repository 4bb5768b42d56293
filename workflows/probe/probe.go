// Package probe is the workflow that does nothing: when it comes back, Temporal
// and this worker are really there. It never touches money.
package probe

import (
	"go.temporal.io/sdk/workflow"

	"strongroom/internal/temporalx"
)

// Workflow is the probe's workflow type. Its input comes back as its result.
const Workflow = temporalx.Workflow[string, string]("Probe")

// ID is the Temporal workflow id of one worker's probe.
func ID(worker string) string { return "probe/" + worker }

// Run returns what it was given.
func Run(_ workflow.Context, in string) (string, error) { return in, nil }
