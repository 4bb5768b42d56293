package dispatch

import (
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"strongroom/custody/custodydb"
	"strongroom/internal/temporalx"
	"strongroom/workflows/coldspend"
	"strongroom/workflows/collect"
	"strongroom/workflows/deposit"
	"strongroom/workflows/outgoing"
	"strongroom/workflows/refill"
	"strongroom/workflows/sweep"
	"strongroom/workflows/transfer"
	"strongroom/workflows/withdrawal"
)

// errTopic reports a message that this release does not know. It waits for one
// that does.
var errTopic = errors.New("unknown topic or kind")

// carrier is the workflow of one topic that carries an outgoing intent.
type carrier struct {
	id       func(subject string) string
	workflow starter
}

// carriers are those of all topics of outgoing intents.
func carriers() map[string]carrier {
	return map[string]carrier{
		custodydb.TopicWithdrawal: {withdrawal.ID, withdrawal.Workflow},
		custodydb.TopicCollect:    {collect.ID, collect.Workflow},
		custodydb.TopicSweep:      {sweep.ID, sweep.Workflow},
		custodydb.TopicRefill:     {refill.ID, refill.Workflow},
		custodydb.TopicColdSpend:  {coldspend.ID, coldspend.Workflow},
	}
}

// send hands one message to Temporal. A start whose workflow is there already,
// and a signal to a workflow that has ended, have been delivered.
func (d *Dispatcher) send(ctx context.Context, row custodydb.OutboxRow) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	const start, signal = "/" + custodydb.KindStart, "/" + custodydb.KindSignal
	by, is := carriers()[row.Topic]
	switch {
	case is && row.Kind == custodydb.KindStart:
		return d.start(ctx, row, by.id(row.Subject), by.workflow)
	case is && row.Kind == custodydb.KindSignal:
		return d.tell(ctx, row, by.id(row.Subject))
	}
	switch row.Topic + "/" + row.Kind {
	case custodydb.TopicDeposit + start, custodydb.TopicDeposit + signal:
		return d.follow(ctx, row)
	case custodydb.TopicTransfer + start:
		return d.carry(ctx, row)
	case custodydb.TopicTransfer + signal:
		return d.tell(ctx, row, transfer.ID(row.Subject))
	}
	return fmt.Errorf("%s %s: %w", row.Topic, row.Kind, errTopic)
}

// starter is one of the workflow types that carry an outgoing intent.
type starter interface {
	Start(ctx context.Context, c temporalx.Starter, o client.StartWorkflowOptions, in outgoing.Input) (client.WorkflowRun, error)
}

func (d *Dispatcher) start(ctx context.Context, row custodydb.OutboxRow, id string, workflow starter) error {
	options, err := d.options(ctx, row, id)
	if err != nil {
		return err
	}
	options.WorkflowIDReusePolicy = enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
	options.WorkflowExecutionErrorWhenAlreadyStarted = true
	_, err = workflow.Start(ctx, d.cfg.Temporal, options, outgoing.Input{ID: row.Subject})
	if _, there := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); there {
		return nil
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", id, err)
	}
	return nil
}

// carry begins a transfer's workflow. One that was terminated may begin again.
func (d *Dispatcher) carry(ctx context.Context, row custodydb.OutboxRow) error {
	id := transfer.ID(row.Subject)
	options, err := d.options(ctx, row, id)
	if err != nil {
		return err
	}
	options.WorkflowIDReusePolicy = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
	options.WorkflowExecutionErrorWhenAlreadyStarted = true
	_, err = transfer.Workflow.Start(ctx, d.cfg.Temporal, options, transfer.Input{ID: row.Subject})
	if _, there := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); err != nil && !there {
		return fmt.Errorf("start %s: %w", id, err)
	}
	return nil
}

func (d *Dispatcher) tell(ctx context.Context, row custodydb.OutboxRow, id string) error {
	err := outgoing.Moved.Send(ctx, d.cfg.Temporal, id, outgoing.Fact{Key: row.Key})
	if _, gone := errors.AsType[*serviceerror.NotFound](err); gone {
		return nil
	}
	if err != nil {
		return fmt.Errorf("signal %s: %w", id, err)
	}
	return nil
}

// follow tells a deposit's workflow, and begins it where none runs: the first
// time, or again after its end.
func (d *Dispatcher) follow(ctx context.Context, row custodydb.OutboxRow) error {
	id := deposit.ID(row.Subject)
	options, err := d.options(ctx, row, id)
	if err != nil {
		return err
	}
	options.WorkflowIDReusePolicy = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	options.EnableEagerStart = false // not offered together with a signal
	err = temporalx.SendOrStart(ctx, d.cfg.Temporal, deposit.Moved, deposit.Fact{Key: row.Key}, deposit.Workflow, options, deposit.Input{ID: row.Subject})
	if err != nil {
		return fmt.Errorf("signal or start %s: %w", id, err)
	}
	return nil
}

func (d *Dispatcher) options(ctx context.Context, row custodydb.OutboxRow, id string) (client.StartWorkflowOptions, error) {
	labels, err := d.cfg.Label(ctx, row.Topic, row.Subject)
	if err != nil {
		return client.StartWorkflowOptions{}, fmt.Errorf("label %s: %w", id, err)
	}
	return client.StartWorkflowOptions{
		ID: id, TaskQueue: d.cfg.Queue, TypedSearchAttributes: labels.Attributes(), EnableEagerStart: true,
	}, nil
}
