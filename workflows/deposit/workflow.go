package deposit

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"strongroom/custody"
	"strongroom/internal/temporalx"
)

// maxRounds bounds one run's history where the server does not suggest an end
// before.
const maxRounds = 400

// follower is one deposit being followed.
type follower struct {
	id    string
	now   View
	shown string // phase in the search attributes
	naps  int
	news  workflow.ReceiveChannel
}

// Run is the deposit workflow. It returns where the deposit ended.
func Run(ctx workflow.Context, in Input) (custody.DepositProgress, error) {
	f := &follower{id: in.ID, news: Moved.Channel(ctx), now: View{
		DepositProgress: custody.DepositProgress{ID: in.ID, State: custody.DepositSeen},
	}}
	if in.Resume != nil {
		f.now.DepositProgress = *in.Resume
	}
	f.shown = phase(f.now)
	if err := State.Handle(ctx, func() (View, error) { return f.now, nil }); err != nil {
		return f.now.DepositProgress, fmt.Errorf("install state query: %w", err)
	}
	for range maxRounds {
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			break
		}
		ended, err := f.round(ctx)
		if ended || err != nil {
			return f.now.DepositProgress, err
		}
	}
	// Signals that are not read yet may be lost here: the next run looks first.
	return f.now.DepositProgress, Workflow.Continue(ctx, Input{ID: f.id, Resume: &f.now.DepositProgress})
}

// round looks once, and waits for news where there is more to come. It reports
// whether the deposit has ended.
func (f *follower) round(ctx workflow.Context) (bool, error) {
	f.drain()
	progress, err := Advance.Run(ctx, temporalx.Chain, Ref{ID: f.id})
	switch {
	case ctx.Err() != nil: // asked to stop: nothing is lost, the rows stay, a signal begins a new run
		return true, fmt.Errorf("follow deposit: %w", ctx.Err())
	case err != nil:
		f.now.Trouble = temporalx.Reason(err)
		workflow.GetLogger(ctx).Warn("deposit needs a person", "deposit", f.id, "state", string(f.now.State), "reason", f.now.Trouble)
	default:
		if progress.State != f.now.State {
			f.naps = 0
		}
		f.now = View{DepositProgress: progress}
		f.forward(ctx)
	}
	if err := f.show(ctx); err != nil {
		return false, err
	}
	if f.now.Ended && f.now.Trouble == "" {
		return !f.drain(), nil // something moved while we looked: look again
	}
	told, _ := f.news.ReceiveWithTimeout(ctx, nap(f.naps, f.now.Trouble != ""), nil)
	f.naps++
	if told {
		f.naps = 0
	}
	return false, nil
}

// flowsOn is the change by which deposits flow on to trading.
const flowsOn = "flows-on-to-trading"

// forward has what may be withdrawn now flow on, where its customer wants that. What
// fails is tried again in the next round: until then the deposit has not ended. What is
// refused stays where it is, and its customer can move it.
func (f *follower) forward(ctx workflow.Context) {
	if f.now.State != custody.DepositWithdrawable || workflow.GetVersion(ctx, flowsOn, workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return
	}
	_, err := Forward.Run(ctx, temporalx.Quick, Ref{ID: f.id})
	if err == nil {
		return
	}
	workflow.GetLogger(ctx).Warn("deposit does not flow on", "deposit", f.id, "reason", temporalx.Reason(err))
	if !temporalx.IsRefused(err) {
		f.now.Trouble = temporalx.Reason(err)
	}
}

// drain reads the signals that are here and reports whether there were any.
func (f *follower) drain() bool {
	told := false
	for f.news.ReceiveAsync(nil) {
		told = true
	}
	return told
}

// show brings the search attributes up to date.
func (f *follower) show(ctx workflow.Context) error {
	name := phase(f.now)
	if name == f.shown {
		return nil
	}
	f.shown = name
	if err := workflow.UpsertTypedSearchAttributes(ctx, temporalx.Phase.Set(name)); err != nil {
		return fmt.Errorf("show phase: %w", err)
	}
	return nil
}
