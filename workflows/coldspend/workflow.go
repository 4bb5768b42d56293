package coldspend

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"strongroom/custody"
	"strongroom/workflows/outgoing"
)

// Run is the workflow. It returns where the payment ended.
func Run(ctx workflow.Context, in outgoing.Input) (custody.Progress, error) {
	walk, err := outgoing.New(ctx, in, custody.IntentColdSpend, custody.WithdrawalScreened)
	if err != nil {
		return custody.Progress{}, err
	}
	err = Cancel.Handle(ctx,
		func(workflow.Context, Request) error { return walk.Cancellable() },
		func(ctx workflow.Context, r Request) (custody.Progress, error) { return walk.Cancel(ctx, r.Reason) })
	if err != nil {
		return custody.Progress{}, fmt.Errorf("install cancel update: %w", err)
	}
	return walk.Run(ctx, func(next outgoing.Input) error { return Workflow.Continue(ctx, next) })
}
