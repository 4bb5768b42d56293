// Package workertest plays custody in memory, so that workflows can be tested on
// every path: each fake follows the rules of package custody, fails where it is
// told to, and remembers what it was asked. It is never part of the product.
package workertest

import (
	"context"
	"fmt"
	"sync"

	"strongroom/custody"
)

// Desk walks intents by custody's own rules. The zero value is not ready: NewDesk.
type Desk struct {
	mu      sync.Mutex
	intents map[string]*intent
	script  map[string][]error // verb → errors of its next calls; nil passes
	chain   []custody.WithdrawalEvent
	calls   []string
	hooks   map[string]func()
}

type intent struct {
	progress custody.Progress
	signed   bool
}

// NewDesk returns a desk whose chain shows these events, one per look.
func NewDesk(chain ...custody.WithdrawalEvent) *Desk {
	return &Desk{intents: map[string]*intent{}, script: map[string][]error{}, chain: chain, hooks: map[string]func(){}}
}

// Put adds an intent in a state.
func (d *Desk) Put(id string, kind custody.IntentKind, state custody.WithdrawalState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.intents[id] = &intent{progress: custody.Progress{ID: id, Kind: kind, State: state}}
}

// Fail makes the next calls of a verb ("reserve") answer with errs, in order; a
// nil among them lets that call pass.
func (d *Desk) Fail(verb string, errs ...error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.script[verb] = append(d.script[verb], errs...)
}

// Before runs hook at the start of each call of verb, outside the desk's lock.
func (d *Desk) Before(verb string, hook func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hooks[verb] = hook
}

// Show appends events to what the chain will show.
func (d *Desk) Show(events ...custody.WithdrawalEvent) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.chain = append(d.chain, events...)
}

// Calls returns the verbs asked for so far.
func (d *Desk) Calls() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.calls...)
}

// State returns where an intent stands.
func (d *Desk) State(id string) custody.WithdrawalState {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.intents[id].progress.State
}

// Screen passes whoever is not blocked by a scripted custody.ErrDestination.
func (d *Desk) Screen(_ context.Context, id string) (custody.Progress, error) {
	return d.do("screen", id, custody.EventScreen, custody.EventApprove)
}

// Reserve reserves.
func (d *Desk) Reserve(_ context.Context, id string) (custody.Progress, error) {
	return d.do("reserve", id, custody.EventReserve)
}

// Sign signs.
func (d *Desk) Sign(_ context.Context, id string) (custody.Progress, error) {
	return d.do("sign", id, custody.EventSign)
}

// Send sends.
func (d *Desk) Send(_ context.Context, id string) (custody.Progress, error) {
	return d.do("send", id, custody.EventSent)
}

// Observe shows the chain's next event, or nothing new.
func (d *Desk) Observe(_ context.Context, id string) (custody.Progress, error) {
	d.mu.Lock()
	var events []custody.WithdrawalEvent
	if len(d.chain) > 0 && len(d.script["observe"]) == 0 {
		events, d.chain = d.chain[:1], d.chain[1:]
	}
	d.mu.Unlock()
	return d.do("observe", id, events...)
}

// Settle books.
func (d *Desk) Settle(_ context.Context, id string) (custody.Progress, error) {
	return d.do("settle", id, custody.EventPost)
}

// Release cancels what is not reserved yet.
func (d *Desk) Release(_ context.Context, id, reason string) (custody.Progress, error) {
	p, err := d.do("release", id, custody.EventCancel)
	p.Reason = reason
	return p, err
}

// do records the call, fails as scripted, and takes the intent through events
// where they are legal. Asked again for a step that is done, it says where the
// intent stands.
func (d *Desk) do(verb, id string, events ...custody.WithdrawalEvent) (custody.Progress, error) {
	d.mu.Lock()
	hook := d.hooks[verb]
	d.mu.Unlock()
	if hook != nil {
		hook()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, verb)
	if errs := d.script[verb]; len(errs) > 0 {
		d.script[verb] = errs[1:]
		if errs[0] != nil {
			return custody.Progress{}, errs[0]
		}
	}
	it, ok := d.intents[id]
	if !ok {
		return custody.Progress{}, fmt.Errorf("%s %s: %w", verb, id, custody.ErrNotFound)
	}
	if verb == "release" && !it.progress.State.Releasable() && !it.progress.Ended {
		return it.progress, fmt.Errorf("release in %s: %w", it.progress.State, custody.ErrIllegal)
	}
	for _, e := range events {
		it.apply(e)
	}
	return it.progress, nil
}

// apply moves the intent where the event is legal, and leaves it where it is not.
func (i *intent) apply(e custody.WithdrawalEvent) {
	signed := i.signed || e == custody.EventSign
	facts := custody.WithdrawalFacts{
		Signed: signed, Depth: 1, FinalDepth: 1, Agreed: true, Success: e != custody.EventRevert, Pays: e != custody.EventCancelMined,
	}
	state, err := custody.Step(i.progress.State, e, facts)
	if err != nil {
		return
	}
	i.signed, i.progress.State, i.progress.Ended = signed, state, state.Ended()
	if signed {
		i.progress.TxID = "tx-" + i.progress.ID
	}
}
