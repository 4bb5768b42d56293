package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/treasury"
	"strongroom/treasury/intent"
)

const (
	// maxAwaiting bounds how many intents are woken after changes were missed.
	maxAwaiting = 10_000
	// defaultTidy is the time between two looks for requests whose intent has ended.
	defaultTidy = 30 * time.Second
	// maxPages bounds how many pages of requests one look goes through.
	maxPages = 100
	pause    = time.Second
)

// Desk is what a Follower needs of treasury.Requests.
type Desk interface {
	Request(ctx context.Context, id string) (treasury.Request, error)
	List(ctx context.Context, f treasury.Filter) (treasury.Page, error)
	Cancel(ctx context.Context, id, person, reason string) (treasury.Request, error)
	Finish(ctx context.Context, id string, state treasury.State, outcome string) (treasury.Request, error)
	Changes(ctx context.Context) (<-chan string, error)
}

// Custody is what a Follower needs of custody's rows.
type Custody interface {
	LoadIntent(ctx context.Context, id string) (custodydb.IntentRow, error)
	// Awaiting lists intents that wait for people.
	Awaiting(ctx context.Context, limit int) ([]string, error)
	// Wake tells an intent's workflow to look again, once for each key.
	Wake(ctx context.Context, id, key string) error
}

// FollowerConfig holds the collaborators of a Follower; all are needed but Tidy.
type FollowerConfig struct {
	Desk    Desk
	Custody Custody
	Log     *slog.Logger
	Tidy    time.Duration // 30 s where zero
}

// Follower tells custody what people decided, and the treasury what became of it.
type Follower struct{ cfg FollowerConfig }

// NewFollower returns a Follower.
func NewFollower(cfg FollowerConfig) (*Follower, error) {
	if cfg.Desk == nil || cfg.Custody == nil || cfg.Log == nil {
		return nil, errors.New("follower: config lacks desk, custody or log")
	}
	if cfg.Tidy <= 0 {
		cfg.Tidy = defaultTidy
	}
	return &Follower{cfg}, nil
}

// Run follows until ctx ends. What fails is logged and tried again.
func (f *Follower) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := f.follow(ctx); err != nil && ctx.Err() == nil {
			f.cfg.Log.WarnContext(ctx, "follow what people decide", "cause", err)
		}
		wait(ctx, pause)
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// follow hears of changes until they stop. Those before are caught up with first: whoever
// waits is woken once.
func (f *Follower) follow(ctx context.Context) error {
	within, stop := context.WithCancel(ctx)
	defer stop()
	changes, err := f.cfg.Desk.Changes(within)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if err := f.wakeAll(ctx); err != nil {
		return err
	}
	ticks := time.NewTicker(f.cfg.Tidy)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case id, open := <-changes:
			if !open {
				return errors.New("changes are not told any more")
			}
			if err := f.Changed(ctx, id); err != nil {
				return err
			}
		case <-ticks.C:
			if err := f.Tidy(ctx); err != nil {
				f.cfg.Log.WarnContext(ctx, "end requests", "cause", err)
			}
		}
	}
}

func (f *Follower) wakeAll(ctx context.Context) error {
	ids, err := f.cfg.Custody.Awaiting(ctx, maxAwaiting)
	if err != nil {
		return fmt.Errorf("list who waits: %w", err)
	}
	for _, id := range ids {
		if err := f.cfg.Custody.Wake(ctx, id, ""); err != nil {
			return fmt.Errorf("wake %s: %w", id, err)
		}
	}
	return nil
}

// Changed wakes the intent of a request that waits no more.
func (f *Follower) Changed(ctx context.Context, request string) error {
	r, err := f.cfg.Desk.Request(ctx, request)
	switch {
	case errors.Is(err, treasury.ErrUnknown), errors.Is(err, treasury.ErrTampered):
		f.cfg.Log.ErrorContext(ctx, "request that changed cannot be read", "request", request, "cause", err)
		return nil
	case err != nil:
		return fmt.Errorf("read request %s: %w", request, err)
	case r.State == treasury.Waiting || !carried(r.Intent.Action):
		return nil
	}
	if err := f.cfg.Custody.Wake(ctx, r.Intent.ID, r.ID+"/"+string(r.State)); err != nil && !errors.Is(err, custody.ErrNotFound) {
		return fmt.Errorf("wake %s: %w", r.Intent.ID, err)
	}
	return nil
}

// carried reports whether custody carries what is asked.
func carried(a intent.Action) bool {
	return a == intent.Withdrawal || a == intent.Sweep || a == intent.Refill || a == intent.ColdSpend
}

// Tidy ends requests whose intent has ended: those that wait are taken back, those that
// were approved are done, or failed.
func (f *Follower) Tidy(ctx context.Context) error {
	for _, action := range []intent.Action{intent.Withdrawal, intent.Sweep, intent.Refill, intent.ColdSpend} {
		filter := treasury.Filter{Action: action, States: []treasury.State{treasury.Waiting, treasury.Approved}, Limit: treasury.MaxPage}
		for range maxPages {
			page, err := f.cfg.Desk.List(ctx, filter)
			if err != nil {
				return fmt.Errorf("list requests: %w", err)
			}
			for i := range page.Requests {
				if err := f.end(ctx, &page.Requests[i]); err != nil {
					return err
				}
			}
			if filter.After = page.Next; filter.After == "" {
				break
			}
		}
	}
	return nil
}

func (f *Follower) end(ctx context.Context, r *treasury.Request) error {
	row, err := f.cfg.Custody.LoadIntent(ctx, r.Intent.ID)
	if err != nil {
		f.cfg.Log.WarnContext(ctx, "request about nothing that custody knows", "request", r.ID, "cause", err)
		return nil
	}
	if !row.State.Ended() {
		return nil
	}
	outcome := "it is " + string(row.State)
	if row.Reason != "" {
		outcome += ": " + row.Reason
	}
	switch {
	case r.State == treasury.Waiting:
		_, err = f.cfg.Desk.Cancel(ctx, r.ID, r.Intent.Requester, outcome)
	case row.State == custody.WithdrawalPosted:
		_, err = f.cfg.Desk.Finish(ctx, r.ID, treasury.Done, outcome)
	default:
		_, err = f.cfg.Desk.Finish(ctx, r.ID, treasury.Failed, outcome)
	}
	if errors.Is(err, treasury.ErrEnded) || errors.Is(err, treasury.ErrConflict) {
		return nil // somebody was first
	}
	if err != nil {
		return fmt.Errorf("end request %s: %w", r.ID, err)
	}
	return nil
}
