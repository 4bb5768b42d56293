package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"strongroom/workflows/probe"
)

// Bounds of the probe.
const (
	probeTries = 5
	probeEach  = 3 * time.Second
)

// errProbe reports that a workflow does not come back.
var errProbe = errors.New("probe workflow does not end")

// probeOnce runs a workflow that does nothing. A server that has just started may
// lose a first task: better this one than a customer's.
func probeOnce(ctx context.Context, c client.Client, identity string) error {
	var last error
	for range probeTries {
		last = probeTry(ctx, c, identity)
		if last == nil || ctx.Err() != nil {
			return last
		}
	}
	return last
}

func probeTry(ctx context.Context, c client.Client, identity string) error {
	ctx, cancel := context.WithTimeout(ctx, probeEach)
	defer cancel()
	run, err := probe.Workflow.Start(ctx, c, client.StartWorkflowOptions{
		ID: probe.ID(identity), TaskQueue: Queue, WorkflowExecutionTimeout: probeEach,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING,
	}, identity)
	if err != nil {
		return fmt.Errorf("start probe: %w", err)
	}
	var back string
	if err := run.Get(ctx, &back); err != nil {
		return fmt.Errorf("%w: %w", errProbe, err)
	}
	if back != identity {
		return fmt.Errorf("%w as it began: %.80q", errProbe, back)
	}
	return nil
}
