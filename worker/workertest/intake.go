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
}

// NewIntake returns an intake that shows these states in order.
func NewIntake(states ...custody.DepositProgress) *Intake { return &Intake{states: states} }

// Fail makes the next looks answer with errs, in order.
func (i *Intake) Fail(errs ...error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.errs = append(i.errs, errs...)
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
