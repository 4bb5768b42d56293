// Package temporalx gives names and types to the messages that cross the
// workflow boundary, so that the compiler checks both sides of each of them. It
// also holds what every workflow shares: the four policies of patience, the
// search attributes, and the encryption of payloads. It knows no domain, and a
// name, once released, never changes: it is written in histories.
package temporalx

import (
	"context"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"
)

// Registry is what a worker and the test environment both offer.
type Registry interface {
	RegisterActivityWithOptions(a any, o activity.RegisterOptions)
	RegisterWorkflowWithOptions(w any, o workflow.RegisterOptions)
}

// Activity is the name of an activity that takes I and returns O. A workflow
// runs it and a worker registers it; neither has to import the other.
type Activity[I, O any] string

// Run executes the activity and waits for it, as patiently as p says.
func (a Activity[I, O]) Run(ctx workflow.Context, p Policy, in I) (O, error) {
	var out O
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, p.Options()), string(a), in).Get(ctx, &out)
	return out, err //nolint:wrapcheck // the caller knows what it was for
}

// Register binds fn to the activity's name.
func (a Activity[I, O]) Register(r Registry, fn func(context.Context, I) (O, error)) {
	r.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: string(a)})
}

// LocalActivity is the name of an activity that runs inside the workflow's own
// worker, without a task of its own: half the latency, and fit only for short
// writes to our own database. Never for a chain, a bank or the signer.
type LocalActivity[I, O any] string

// Run executes the activity and waits for it, as patiently as p says.
func (a LocalActivity[I, O]) Run(ctx workflow.Context, p Policy, in I) (O, error) {
	var out O
	err := workflow.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, p.LocalOptions()), string(a), in).Get(ctx, &out)
	return out, err //nolint:wrapcheck // the caller knows what it was for
}

// Register binds fn to the activity's name.
func (a LocalActivity[I, O]) Register(r Registry, fn func(context.Context, I) (O, error)) {
	r.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: string(a)})
}

// Workflow is the name of a workflow type that takes I and returns O.
type Workflow[I, O any] string

// Register binds fn to the workflow's name.
func (w Workflow[I, O]) Register(r Registry, fn func(workflow.Context, I) (O, error)) {
	r.RegisterWorkflowWithOptions(fn, workflow.RegisterOptions{Name: string(w)})
}

// Starter is the part of a Temporal client that begins executions.
type Starter interface {
	ExecuteWorkflow(ctx context.Context, o client.StartWorkflowOptions, w any, args ...any) (client.WorkflowRun, error)
	SignalWithStartWorkflow(ctx context.Context, workflowID, signal string, arg any, o client.StartWorkflowOptions, w any, args ...any) (client.WorkflowRun, error)
}

// Start begins an execution.
func (w Workflow[I, O]) Start(ctx context.Context, c Starter, o client.StartWorkflowOptions, in I) (client.WorkflowRun, error) {
	return c.ExecuteWorkflow(ctx, o, string(w), in)
}

// Continue ends the present run and begins the next with in: a new history.
func (w Workflow[I, O]) Continue(ctx workflow.Context, in I) error {
	return workflow.NewContinueAsNewError(ctx, string(w), in) //nolint:wrapcheck // the SDK looks at its very type
}

// Signal is the name of a fact that a workflow is told.
type Signal[A any] string

// Channel returns where the workflow receives the signal.
func (s Signal[A]) Channel(ctx workflow.Context) workflow.ReceiveChannel {
	return workflow.GetSignalChannel(ctx, string(s))
}

// Signaller is the part of a Temporal client that tells running workflows.
type Signaller interface {
	SignalWorkflow(ctx context.Context, workflowID, runID, signal string, arg any) error
}

// Send tells the running workflow.
func (s Signal[A]) Send(ctx context.Context, c Signaller, workflowID string, arg A) error {
	return c.SignalWorkflow(ctx, workflowID, "", string(s), arg)
}

// SendOrStart tells the workflow, and begins it with in where it does not run.
func SendOrStart[A, I, O any](ctx context.Context, c Starter, s Signal[A], arg A, w Workflow[I, O], o client.StartWorkflowOptions, in I) error {
	_, err := c.SignalWithStartWorkflow(ctx, o.ID, string(s), arg, o, string(w), in)
	return err
}

// Update is the name of a request that a running workflow answers.
type Update[A, R any] string

// Handle installs validate and fn as the update's handlers. What validate
// refuses leaves nothing in the history.
func (u Update[A, R]) Handle(ctx workflow.Context, validate func(workflow.Context, A) error, fn func(workflow.Context, A) (R, error)) error {
	return workflow.SetUpdateHandlerWithOptions(ctx, string(u), fn, workflow.UpdateHandlerOptions{Validator: validate}) //nolint:wrapcheck // a programmer's error
}

// Updater is the part of a Temporal client that asks running workflows.
type Updater interface {
	UpdateWorkflow(ctx context.Context, o client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error)
}

// Call asks the running workflow and waits for its answer.
func (u Update[A, R]) Call(ctx context.Context, c Updater, workflowID string, arg A) (R, error) {
	var out R
	handle, err := c.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: workflowID, UpdateName: string(u), Args: []any{arg}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return out, err
	}
	return out, handle.Get(ctx, &out) //nolint:wrapcheck // the workflow's own words
}

// Query is the name of a read of a workflow's state.
type Query[R any] string

// Handle installs fn as the query's handler.
func (q Query[R]) Handle(ctx workflow.Context, fn func() (R, error)) error {
	return workflow.SetQueryHandler(ctx, string(q), fn) //nolint:wrapcheck // a programmer's error
}
