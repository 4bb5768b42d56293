package temporalx

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Policy says how patient a workflow is with one kind of counterpart. These four
// are all there are: no workflow writes timeouts of its own.
type Policy uint8

// The policies. None of them gives up by itself: whoever must not be asked again
// answers with an error that is marked so, and everything else may pass. Only
// local activities hand a lasting failure back to their workflow, see LocalOptions.
const (
	// Quick is for our own database: it answers in milliseconds or is down.
	Quick Policy = iota + 1
	// Chain is for nodes and the signer: slow now and then, down for minutes.
	Chain
	// Bank is for banks and payment providers: an answer may take half a minute,
	// an outage a night.
	Bank
	// Human is for steps that wait on people: asked seldom, for days.
	Human
)

// Patience is what a policy means, as data.
type Patience struct {
	Attempt time.Duration // one attempt may take as long
	First   time.Duration // wait before the second attempt
	Longest time.Duration // longest wait between attempts
	Growth  float64       // each wait is so many times the one before
}

// Patience returns the policy's settings; those of Quick for an unknown one.
func (p Policy) Patience() Patience {
	switch p {
	case Quick:
	case Chain:
		return Patience{Attempt: 30 * time.Second, First: 500 * time.Millisecond, Longest: 30 * time.Second, Growth: 2}
	case Bank:
		return Patience{Attempt: time.Minute, First: 5 * time.Second, Longest: 10 * time.Minute, Growth: 2}
	case Human:
		return Patience{Attempt: time.Minute, First: time.Minute, Longest: time.Hour, Growth: 2}
	}
	return Patience{Attempt: 10 * time.Second, First: 100 * time.Millisecond, Longest: 15 * time.Second, Growth: 2}
}

func (p Policy) retry() *temporal.RetryPolicy {
	is := p.Patience()
	return &temporal.RetryPolicy{InitialInterval: is.First, MaximumInterval: is.Longest, BackoffCoefficient: is.Growth}
}

// Options returns the policy as the SDK takes it for an activity.
func (p Policy) Options() workflow.ActivityOptions {
	return workflow.ActivityOptions{StartToCloseTimeout: p.Patience().Attempt, RetryPolicy: p.retry()}
}

// localTotal bounds all attempts of a local activity together. While they last
// they keep the workflow's task open, and each that is put off for longer is
// written to the history: the workflow waits itself instead.
const localTotal = 20 * time.Second

// LocalOptions returns the policy as the SDK takes it for a local activity.
func (p Policy) LocalOptions() workflow.LocalActivityOptions {
	is := p.Patience()
	return workflow.LocalActivityOptions{
		StartToCloseTimeout: min(is.Attempt, localTotal), ScheduleToCloseTimeout: localTotal, RetryPolicy: p.retry(),
	}
}
