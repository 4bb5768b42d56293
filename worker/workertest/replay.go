package workertest

import (
	"path/filepath"
	"testing"

	"go.temporal.io/sdk/activity"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"strongroom/worker"
)

// Replay feeds the histories in testdata/history, recorded from released code, to
// the code as it is now. A command that differs fails: workflows that are under
// way would not understand it.
func Replay(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob("testdata/history/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded histories: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			replayer := sdkworker.NewWorkflowReplayer()
			worker.Register(workflowsOnly{replayer}, Activities(t, nil, nil))
			if err := replayer.ReplayWorkflowHistoryFromJSONFile(Quiet(), file); err != nil {
				t.Errorf("the code does not follow its history any more: %v", err)
			}
		})
	}
}

// workflowsOnly is a registry for replays, which run no activities.
type workflowsOnly struct{ sdkworker.WorkflowReplayer }

// RegisterActivityWithOptions drops the activity.
func (workflowsOnly) RegisterActivityWithOptions(any, activity.RegisterOptions) {}

// RegisterWorkflowWithOptions passes the workflow on.
func (r workflowsOnly) RegisterWorkflowWithOptions(w any, o workflow.RegisterOptions) {
	r.WorkflowReplayer.RegisterWorkflowWithOptions(w, o)
}
