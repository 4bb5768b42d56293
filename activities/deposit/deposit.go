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

// Activities are the steps of deposits.
type Activities struct{ intake Intake }

// New returns the activities of an intake.
func New(intake Intake) (*Activities, error) {
	if intake == nil {
		return nil, errors.New("deposit activities: no intake")
	}
	return &Activities{intake: intake}, nil
}

// Register binds each step to its name.
func (a *Activities) Register(r temporalx.Registry) {
	deposit.Advance.Register(r, activities.Step(func(ctx context.Context, in deposit.Ref) (custody.DepositProgress, error) {
		return a.intake.Advance(ctx, in.ID)
	}))
}
