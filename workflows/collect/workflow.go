package collect

import (
	"strings"

	"go.temporal.io/sdk/workflow"

	"strongroom/custody"
	"strongroom/workflows/outgoing"
)

// Run is the workflow of an intent of the house. It returns where it ended.
func Run(ctx workflow.Context, in outgoing.Input) (custody.Progress, error) {
	walk, err := outgoing.New(ctx, in, kind(in.ID), custody.WithdrawalApproved)
	if err != nil {
		return custody.Progress{}, err
	}
	return walk.Run(ctx, func(next outgoing.Input) error { return Workflow.Continue(ctx, next) })
}

func kind(id string) custody.IntentKind {
	if strings.HasPrefix(id, "gas_") {
		return custody.IntentGasTopUp
	}
	return custody.IntentCollect
}
