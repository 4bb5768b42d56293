// Package transfer carries out what the transfer workflow asks for. It translates and
// does nothing else.
package transfer

import (
	"context"
	"errors"

	"strongroom/activities"
	"strongroom/internal/temporalx"
	"strongroom/trading"
	"strongroom/workflows/transfer"
)

// Carrier takes the steps of transfers; *funding.Store is one. Each may be called twice
// and by two at once.
type Carrier interface {
	// Tell returns once the engine has answered for good.
	Tell(ctx context.Context, id string) (trading.Transfer, error)
	// Conclude ends a transfer whose answer is settled.
	Conclude(ctx context.Context, id string) (trading.Transfer, error)
}

// Activities are the steps of transfers.
type Activities struct{ carrier Carrier }

// New returns the activities of a carrier.
func New(carrier Carrier) (*Activities, error) {
	if carrier == nil {
		return nil, errors.New("transfer activities: no carrier")
	}
	return &Activities{carrier: carrier}, nil
}

// Register binds each step to its name.
func (a *Activities) Register(r temporalx.Registry) {
	transfer.Tell.Register(r, activities.Step(step(a.carrier.Tell)))
	transfer.Conclude.Register(r, activities.Step(step(a.carrier.Conclude)))
}

func step(take func(context.Context, string) (trading.Transfer, error)) func(context.Context, transfer.Ref) (transfer.Progress, error) {
	return func(ctx context.Context, in transfer.Ref) (transfer.Progress, error) {
		t, err := take(ctx, in.ID)
		return progress(t), err
	}
}

// progress says a transfer in the workflow's words. One under way is settling behind
// either step: the engine has answered.
func progress(t trading.Transfer) transfer.Progress {
	p := transfer.Progress{ID: t.ID, State: transfer.Settling, Reason: t.Reason}
	switch t.State {
	case trading.TransferDone:
		p.State = transfer.Done
	case trading.TransferRefused:
		p.State = transfer.Refused
	case trading.TransferPending:
	}
	return p
}
