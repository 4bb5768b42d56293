package transfer

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"strongroom/internal/temporalx"
)

// maxRounds bounds one run's history where the server does not suggest an end before.
const maxRounds = 400

// carrier is one transfer being carried.
type carrier struct {
	id    string
	now   View
	shown string // phase in the search attributes
	naps  int
	news  workflow.ReceiveChannel
}

// Run is the transfer workflow. It returns how the transfer ended. A request to cancel
// changes nothing: half a transfer is no end.
func Run(ctx workflow.Context, in Input) (Progress, error) {
	work, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	c := &carrier{id: in.ID, news: Moved.Channel(work), now: View{Progress: Progress{ID: in.ID, State: Telling}}}
	if in.Resume != nil {
		c.now.Progress = *in.Resume
	}
	c.shown = phase(c.now)
	if err := State.Handle(work, func() (View, error) { return c.now, nil }); err != nil {
		return c.now.Progress, fmt.Errorf("install state query: %w", err)
	}
	for range maxRounds {
		if workflow.GetInfo(work).GetContinueAsNewSuggested() {
			break
		}
		c.round(work)
		if err := c.show(work); err != nil || c.now.State.ended() {
			return c.now.Progress, err
		}
		c.rest(work)
	}
	return c.now.Progress, Workflow.Continue(work, Input{ID: c.id, Resume: &c.now.Progress})
}

// round takes the steps that can be taken now.
func (c *carrier) round(ctx workflow.Context) {
	if c.now.State == Telling && !c.take(ctx, func() (Progress, error) { return Tell.Run(ctx, temporalx.Chain, Ref{ID: c.id}) }) {
		return
	}
	if c.now.State == Settling {
		c.take(ctx, func() (Progress, error) { return Conclude.Run(ctx, temporalx.Quick, Ref{ID: c.id}) })
	}
}

// take takes one step and records what came of it; it reports whether it went well.
func (c *carrier) take(ctx workflow.Context, step func() (Progress, error)) bool {
	progress, err := step()
	switch {
	case err == nil:
		c.now, c.naps = View{Progress: progress}, 0
	case temporalx.IsRefused(err):
		c.now.Trouble, c.now.Fault = temporalx.Reason(err), ""
		workflow.GetLogger(ctx).Warn("transfer needs a person", "transfer", c.id, "state", string(c.now.State), "reason", c.now.Trouble)
	default:
		c.now.Trouble, c.now.Fault = "", temporalx.Reason(err)
	}
	return err == nil
}

// rest waits for news, or until it is time to ask again.
func (c *carrier) rest(ctx workflow.Context) {
	told, _ := c.news.ReceiveWithTimeout(ctx, nap(c.naps, c.now.Trouble != ""), nil)
	c.naps++
	if told {
		c.naps = 0
	}
}

// show brings the search attributes up to date.
func (c *carrier) show(ctx workflow.Context) error {
	name := phase(c.now)
	if name == c.shown {
		return nil
	}
	c.shown = name
	if err := workflow.UpsertTypedSearchAttributes(ctx, temporalx.Phase.Set(name)); err != nil {
		return fmt.Errorf("show phase: %w", err)
	}
	return nil
}
