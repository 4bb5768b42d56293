// Package deposit carries out what the deposit workflow asks for. It translates
// and does nothing else.
package deposit

import (
	"context"
	"errors"

	"strongroom/activities"
	"strongroom/custody"
	"strongroom/internal/temporalx"
	"strongroom/workflows/deposit"
)

// Intake takes one deposit as far as rows and blocks allow. It may be called
// twice and by two at once.
type Intake interface {
	Advance(ctx context.Context, depositID string) (custody.DepositProgress, error)
}

// Forwarder moves what matured on to trading, where its customer wants that; a
// *funding.Forwarder is one. It returns the transfer, or nothing.
type Forwarder interface {
	Forward(ctx context.Context, depositID string) (transferID string, err error)
}

// Activities are the steps of deposits.
type Activities struct {
	intake  Intake
	forward Forwarder
}

// New returns the activities of an intake.
func New(intake Intake) (*Activities, error) {
	if intake == nil {
		return nil, errors.New("deposit activities: no intake")
	}
	return &Activities{intake: intake}, nil
}

// Onward lets deposits flow on; without it each stays where it is.
func (a *Activities) Onward(f Forwarder) *Activities {
	return &Activities{intake: a.intake, forward: f}
}

// Register binds each step to its name.
func (a *Activities) Register(r temporalx.Registry) {
	deposit.Advance.Register(r, activities.Step(func(ctx context.Context, in deposit.Ref) (custody.DepositProgress, error) {
		return a.intake.Advance(ctx, in.ID)
	}))
	deposit.Forward.Register(r, activities.Step(func(ctx context.Context, in deposit.Ref) (deposit.Forwarded, error) {
		if a.forward == nil {
			return deposit.Forwarded{}, nil
		}
		id, err := a.forward.Forward(ctx, in.ID)
		return deposit.Forwarded{Transfer: id}, err
	}))
}
