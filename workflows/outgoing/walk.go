package outgoing

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"strongroom/custody"
	"strongroom/internal/temporalx"
)

// maxRounds bounds one run's history where the server does not suggest an end
// before: at most some ten events are written per round.
const maxRounds = 400

// errLate refuses a cancellation that comes after something may have been signed.
var errLate = errors.New("too late to cancel: the payment is on its way")

// Walk is one intent on its way. Its methods belong to the workflow's own
// coroutines.
type Walk struct {
	id      string
	now     View
	shown   View // what the search attributes say
	stirred bool // somebody told us that something moved
	naps    int
	abort   workflow.CancelFunc // gives up the step under way; nil between steps
}

// New returns the walk of an intent and installs its signal and query. first is
// the state in which such an intent is born.
func New(ctx workflow.Context, in Input, kind custody.IntentKind, first custody.WithdrawalState) (*Walk, error) {
	w := &Walk{id: in.ID, now: View{Progress: custody.Progress{ID: in.ID, Kind: kind, State: first}}}
	if in.Resume != nil {
		w.now.Progress = *in.Resume
	}
	w.shown = w.now
	if err := State.Handle(ctx, func() (View, error) { return w.now, nil }); err != nil {
		return nil, fmt.Errorf("install state query: %w", err)
	}
	return w, nil
}

// Run takes step after step until the intent has ended. A history that grows too
// long is ended by again, which begins the next run.
func (w *Walk) Run(ctx workflow.Context, again func(Input) error) (custody.Progress, error) {
	work, done := workflow.NewDisconnectedContext(ctx) // asked to stop, we decide ourselves what can be stopped
	defer done()
	workflow.Go(work, w.listen)
	workflow.Go(work, func(work workflow.Context) { w.heed(work, ctx.Done()) })
	for round := 0; !w.now.Ended; round++ {
		if round >= maxRounds || workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			if err := settled(work); err != nil {
				return w.now.Progress, err
			}
			if !w.now.Ended { // a cancellation that was still being answered may have ended it
				return w.now.Progress, again(Input{ID: w.id, Resume: &w.now.Progress})
			}
			break
		}
		if err := w.round(work); err != nil {
			return w.now.Progress, err
		}
	}
	return w.now.Progress, errors.Join(w.show(work), settled(work))
}

// settled waits until every update has been answered.
func settled(ctx workflow.Context) error {
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		return fmt.Errorf("await handlers: %w", err)
	}
	return nil
}

// round takes one step, and waits where the next one has to.
func (w *Walk) round(ctx workflow.Context) error {
	before := w.now.State
	w.stirred = false
	w.advance(ctx)
	if w.now.State != before {
		w.naps = 0
	}
	stuck := w.now.State == before
	if w.now.Ended || (!stuck && !waits(w.now.State)) {
		return nil
	}
	if err := w.show(ctx); err != nil {
		return err
	}
	person := w.now.Trouble != "" || next(w.now.State) == screen
	news, err := workflow.AwaitWithTimeout(ctx, nap(w.naps, person), func() bool { return w.stirred || w.now.Ended })
	if err != nil {
		return fmt.Errorf("await news: %w", err)
	}
	w.naps++
	if news {
		w.naps = 0
	}
	return nil
}

// advance takes the step that the state calls for and records what came of it.
func (w *Walk) advance(ctx workflow.Context) {
	todo := next(w.now.State)
	within, giveUp := workflow.WithCancel(ctx)
	w.abort = giveUp
	progress, err := w.do(within, todo)
	w.abort = nil
	giveUp()
	if err != nil && !w.now.Ended && todo.undoable() && temporalx.IsRefused(err) {
		progress, err = Release.Run(ctx, temporalx.Quick, Undo{ID: w.id, Reason: temporalx.Reason(err)})
	}
	switch {
	case w.now.Ended: // it was cancelled meanwhile: that stands
	case err != nil && !temporalx.IsRefused(err):
		w.now.Fault = temporalx.Reason(err)
	case err != nil:
		w.now.Trouble, w.now.Fault = temporalx.Reason(err), ""
		workflow.GetLogger(ctx).Warn("intent needs a person", "intent", w.id, "state", string(w.now.State), "reason", w.now.Trouble)
	default:
		w.now = View{Progress: progress}
	}
}

func (w *Walk) do(ctx workflow.Context, todo step) (custody.Progress, error) {
	ref := Ref{ID: w.id}
	switch todo {
	case screen:
		return Screen.Run(ctx, temporalx.Quick, ref)
	case reserve:
		return Reserve.Run(ctx, temporalx.Chain, ref)
	case sign:
		return Sign.Run(ctx, temporalx.Chain, ref)
	case send:
		return Send.Run(ctx, temporalx.Chain, ref)
	case look:
		return Observe.Run(ctx, temporalx.Chain, ref)
	case settle:
		return Settle.Run(ctx, temporalx.Quick, ref)
	case stop:
	}
	return w.now.Progress, nil
}

// Cancellable reports, as an error, why the intent cannot be cancelled any more.
func (w *Walk) Cancellable() error {
	if !w.now.State.Releasable() {
		return errLate
	}
	return nil
}

// Cancel releases the intent where nothing was reserved yet. The row decides
// between it and a step that is under way: the loser is given up.
func (w *Walk) Cancel(ctx workflow.Context, reason string) (custody.Progress, error) {
	progress, err := Release.Run(ctx, temporalx.Quick, Undo{ID: w.id, Reason: reason})
	if temporalx.IsRefused(err) {
		return w.now.Progress, temporal.NewApplicationErrorWithCause(errLate.Error(), temporalx.KindRefused, err) //nolint:wrapcheck // the caller's answer
	}
	if err != nil {
		return w.now.Progress, err
	}
	w.stirred = true
	if !progress.Ended {
		return progress, nil
	}
	w.now = View{Progress: progress}
	if w.abort != nil {
		w.abort()
	}
	return progress, nil
}

// listen remembers that there is news.
func (w *Walk) listen(ctx workflow.Context) {
	for news := Moved.Channel(ctx); ; {
		news.Receive(ctx, nil)
		w.stirred = true
	}
}

// heed turns the operator's request to stop the workflow into a cancellation of
// the intent, where that is still possible. Otherwise the walk goes on: money
// that may have left is not forgotten.
func (w *Walk) heed(ctx workflow.Context, asked workflow.Channel) {
	asked.Receive(ctx, nil)
	if w.Cancellable() != nil {
		workflow.GetLogger(ctx).Warn("request to stop comes too late", "intent", w.id, "state", string(w.now.State))
		return
	}
	if _, err := w.Cancel(ctx, "stopped by the operator"); err != nil {
		workflow.GetLogger(ctx).Warn("request to stop was refused", "intent", w.id, "reason", temporalx.Reason(err))
	}
}

// show brings the search attributes up to date.
func (w *Walk) show(ctx workflow.Context) error {
	var updates []temporal.SearchAttributeUpdate
	if phase(w.now) != phase(w.shown) {
		updates = append(updates, temporalx.Phase.Set(phase(w.now)))
	}
	if w.now.TxID != w.shown.TxID && w.now.TxID != "" {
		updates = append(updates, temporalx.ChainTx.Set(w.now.TxID))
	}
	w.shown = w.now
	if len(updates) == 0 {
		return nil
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		return fmt.Errorf("show phase: %w", err)
	}
	return nil
}
