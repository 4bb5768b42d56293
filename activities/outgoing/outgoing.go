// Package outgoing carries out the steps that the walk of package
// workflows/outgoing asks for. Each method translates and does nothing else.
package outgoing

import (
	"context"
	"errors"

	"strongroom/activities"
	"strongroom/custody"
	"strongroom/internal/temporalx"
	"strongroom/workflows/outgoing"
)

// Desk takes one step for one intent. Every method may be called twice and by
// two at once, and returns where the intent stands then.
type Desk interface {
	Screen(ctx context.Context, id string) (custody.Progress, error)
	Reserve(ctx context.Context, id string) (custody.Progress, error)
	Sign(ctx context.Context, id string) (custody.Progress, error)
	Send(ctx context.Context, id string) (custody.Progress, error)
	Observe(ctx context.Context, id string) (custody.Progress, error)
	Settle(ctx context.Context, id string) (custody.Progress, error)
	// Release ends an intent of which nothing was reserved; custody.ErrIllegal
	// for any other.
	Release(ctx context.Context, id, reason string) (custody.Progress, error)
}

// Activities are the steps of outgoing intents.
type Activities struct{ desk Desk }

// New returns the activities of a desk.
func New(desk Desk) (*Activities, error) {
	if desk == nil {
		return nil, errors.New("outgoing activities: no desk")
	}
	return &Activities{desk: desk}, nil
}

// Register binds each step to its name.
func (a *Activities) Register(r temporalx.Registry) {
	outgoing.Screen.Register(r, step(a.desk.Screen))
	outgoing.Reserve.Register(r, step(a.desk.Reserve))
	outgoing.Sign.Register(r, step(a.desk.Sign))
	outgoing.Send.Register(r, step(a.desk.Send))
	outgoing.Observe.Register(r, step(a.desk.Observe))
	outgoing.Settle.Register(r, step(a.desk.Settle))
	outgoing.Release.Register(r, activities.Step(func(ctx context.Context, in outgoing.Undo) (custody.Progress, error) {
		return a.desk.Release(ctx, in.ID, in.Reason)
	}))
}

func step(call func(context.Context, string) (custody.Progress, error)) func(context.Context, outgoing.Ref) (custody.Progress, error) {
	return activities.Step(func(ctx context.Context, in outgoing.Ref) (custody.Progress, error) { return call(ctx, in.ID) })
}
