package gate_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/treasury"
	"strongroom/treasury/gate"
	"strongroom/treasury/intent"
)

// people keep requests in memory and tells of changes.
type people struct {
	mu      sync.Mutex
	all     map[string]treasury.Request
	changes chan string
	calls   []string
	listens int
}

func (p *people) Request(_ context.Context, id string) (treasury.Request, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, known := p.all[id]
	if !known {
		return r, treasury.ErrUnknown
	}
	return r, nil
}

func (p *people) List(_ context.Context, f treasury.Filter) (treasury.Page, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var page treasury.Page
	for _, r := range p.all {
		if r.Intent.Action == f.Action && slices.Contains(f.States, r.State) {
			page.Requests = append(page.Requests, r)
		}
	}
	return page, nil
}

func (p *people) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, fmt.Sprintf(format, args...))
}

func (p *people) Cancel(_ context.Context, id, person, reason string) (treasury.Request, error) {
	p.note("cancel %s by %s: %s", id, person, reason)
	return treasury.Request{}, nil
}

func (p *people) Finish(_ context.Context, id string, state treasury.State, outcome string) (treasury.Request, error) {
	p.note("finish %s as %s: %s", id, state, outcome)
	return treasury.Request{}, treasury.ErrConflict // somebody was first: no failure
}

func (p *people) Changes(context.Context) (<-chan string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listens++; p.listens == 1 {
		return nil, errors.New("connection refused")
	}
	return p.changes, nil
}

// intents are custody's rows.
type intents struct {
	mu    sync.Mutex
	rows  map[string]custodydb.IntentRow
	woken chan string
}

func (c *intents) LoadIntent(_ context.Context, id string) (custodydb.IntentRow, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, known := c.rows[id]
	if !known {
		return r, custody.ErrNotFound
	}
	return r, nil
}

func (c *intents) Awaiting(context.Context, int) ([]string, error) { return []string{"wdr_9"}, nil }

func (c *intents) Wake(_ context.Context, id, key string) error {
	c.woken <- id + " " + key
	return nil
}

func request(id, of string, action intent.Action, state treasury.State) treasury.Request {
	return treasury.Request{ID: id, State: state, Intent: intent.Intent{ID: of, Action: action, Requester: "customer:cus_1"}}
}

func following(t *testing.T, p *people, c *intents) *gate.Follower {
	t.Helper()
	f, err := gate.NewFollower(gate.FollowerConfig{Desk: p, Custody: c, Log: slog.New(slog.DiscardHandler), Tidy: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestDecisionsWakeTheirIntents(t *testing.T) {
	p := &people{changes: make(chan string), all: map[string]treasury.Request{
		"rqs_1": request("rqs_1", "wdr_1", intent.Withdrawal, treasury.Approved),
		"rqs_2": request("rqs_2", "wdr_2", intent.Withdrawal, treasury.Waiting),
		"rqs_3": request("rqs_3", "adr_3", intent.Allow, treasury.Approved),
		"rqs_4": request("rqs_4", "swp_4", intent.Sweep, treasury.Denied),
	}}
	c := &intents{woken: make(chan string, 10)}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- following(t, p, c).Run(ctx) }()
	for _, id := range []string{"rqs_1", "rqs_2", "rqs_gone", "rqs_3", "rqs_4"} {
		p.changes <- id // the first listening failed: it listens again
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	close(c.woken)
	want := []string{"wdr_9 ", "wdr_1 rqs_1/approved", "swp_4 rqs_4/denied"}
	for id := range c.woken {
		if len(want) == 0 || id != want[0] {
			t.Fatalf("woke %s, want %v", id, want)
		}
		want = want[1:]
	}
	if len(want) > 0 {
		t.Errorf("never woke %v", want)
	}
}

func TestRequestsEndWithTheirIntents(t *testing.T) {
	row := func(id string, state custody.WithdrawalState, reason string) custodydb.IntentRow {
		return custodydb.IntentRow{Intent: custody.Intent{ID: id}, State: state, Reason: reason}
	}
	p := &people{all: map[string]treasury.Request{
		"rqs_1": request("rqs_1", "wdr_1", intent.Withdrawal, treasury.Approved),
		"rqs_2": request("rqs_2", "wdr_2", intent.Withdrawal, treasury.Waiting),
		"rqs_3": request("rqs_3", "wdr_3", intent.Withdrawal, treasury.Approved),
		"rqs_4": request("rqs_4", "swp_4", intent.Sweep, treasury.Approved),
		"rqs_5": request("rqs_5", "swp_5", intent.Sweep, treasury.Approved),
		"rqs_6": request("rqs_6", "wdr_6", intent.Withdrawal, treasury.Done),
	}}
	c := &intents{rows: map[string]custodydb.IntentRow{
		"wdr_1": row("wdr_1", custody.WithdrawalPosted, ""),
		"wdr_2": row("wdr_2", custody.WithdrawalCancelled, "changed my mind"),
		"wdr_3": row("wdr_3", custody.WithdrawalBroadcast, ""),
		"swp_4": row("swp_4", custody.WithdrawalReverted, "the contract refused"),
		"wdr_6": row("wdr_6", custody.WithdrawalPosted, ""),
	}}
	if err := following(t, p, c).Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	slices.Sort(p.calls)
	want := []string{
		"cancel rqs_2 by customer:cus_1: it is cancelled: changed my mind",
		"finish rqs_1 as done: it is posted",
		"finish rqs_4 as failed: it is reverted: the contract refused",
	}
	if !slices.Equal(p.calls, want) {
		t.Errorf("%q", p.calls)
	}
	if _, err := gate.NewFollower(gate.FollowerConfig{}); err == nil {
		t.Error("a follower of nobody")
	}
}
