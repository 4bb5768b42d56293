package workertest

import (
	"context"
	"sync"

	"strongroom/custody"
)

// Intake shows one deposit's states, one per look, and stays at the last.
type Intake struct {
	mu     sync.Mutex
	states []custody.DepositProgress
	errs   []error
	looks  int
	hook   func(look int)

	forwardErrs []error
	forwards    int
}

// NewIntake returns an intake that shows these states in order.
func NewIntake(states ...custody.DepositProgress) *Intake { return &Intake{states: states} }

// Fail makes the next looks answer with errs, in order.
func (i *Intake) Fail(errs ...error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.errs = append(i.errs, errs...)
}

// FailForward makes the next attempts to let a deposit flow on answer with errs.
func (i *Intake) FailForward(errs ...error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.forwardErrs = append(i.forwardErrs, errs...)
}

// Forwards returns how often a deposit was to flow on.
func (i *Intake) Forwards() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.forwards
}

// Forward lets a deposit flow on.
func (i *Intake) Forward(_ context.Context, id string) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.forwards++
	if len(i.forwardErrs) > 0 {
		err := i.forwardErrs[0]
		i.forwardErrs = i.forwardErrs[1:]
		if err != nil {
			return "", err
		}
	}
	return "fnd_of_" + id, nil
}

// Before runs hook at the start of each look, outside the intake's lock.
func (i *Intake) Before(hook func(look int)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.hook = hook
}

// Looks returns how often it was asked.
func (i *Intake) Looks() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.looks
}

// Advance shows the next state.
func (i *Intake) Advance(_ context.Context, id string) (custody.DepositProgress, error) {
	i.mu.Lock()
	i.looks++
	hook, look := i.hook, i.looks
	i.mu.Unlock()
	if hook != nil {
		hook(look)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.errs) > 0 {
		err := i.errs[0]
		i.errs = i.errs[1:]
		if err != nil {
			return custody.DepositProgress{}, err
		}
	}
	now := i.states[0]
	if len(i.states) > 1 {
		i.states = i.states[1:]
	}
	now.ID = id
	return now, nil
}
