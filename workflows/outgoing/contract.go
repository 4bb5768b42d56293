// Package outgoing walks one intent of custody - a withdrawal, a collection, a
// gas top-up - to its end: screen, reserve, sign, send, watch, settle. It is
// shared by the workflows that carry such an intent. The intent's row decides
// what has happened; the walk only sees to it that the next step is taken. It
// never fails: before anything is signed a refusal releases what was held, and
// after that there is only forward, or waiting for a person.
package outgoing

import (
	"strongroom/custody"
	"strongroom/internal/temporalx"
)

// Input says which intent to walk. Fields are only ever added.
type Input struct {
	ID string `json:"id"` // wdr_…, col_…, gas_…
	// Resume is where the run before this one stood; nil in the first run.
	Resume *custody.Progress `json:"resume,omitempty"`
}

// Ref names the intent that a step is for.
type Ref struct {
	ID string `json:"id"`
}

// Undo names the intent to release, and says why.
type Undo struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// Fact is what a running workflow is told: something about its intent moved. What
// it was stands in the rows; the key only makes the history readable.
type Fact struct {
	Key string `json:"key,omitempty"`
}

// View is what an intent's workflow says about itself.
type View struct {
	custody.Progress
	// Trouble is why the walk waits for a person; empty while it does not.
	Trouble string `json:"trouble,omitempty"`
	// Fault is what failed last and will be tried again by itself.
	Fault string `json:"fault,omitempty"`
}

// What the walk needs done. Each step may be taken twice and by two at once: the
// row's state and version decide. Those that write to our own database only are
// local.
const (
	Screen  = temporalx.LocalActivity[Ref, custody.Progress]("custody.ScreenIntent")
	Reserve = temporalx.Activity[Ref, custody.Progress]("custody.ReserveIntent")
	Sign    = temporalx.Activity[Ref, custody.Progress]("custody.SignIntent")
	Send    = temporalx.Activity[Ref, custody.Progress]("custody.SendIntent")
	Observe = temporalx.Activity[Ref, custody.Progress]("custody.ObserveIntent")
	Settle  = temporalx.LocalActivity[Ref, custody.Progress]("custody.SettleIntent")
	Release = temporalx.LocalActivity[Undo, custody.Progress]("custody.ReleaseIntent")
)

// Moved tells the workflow to look again.
const Moved = temporalx.Signal[Fact]("moved")

// State asks the workflow where it stands.
const State = temporalx.Query[View]("state")
