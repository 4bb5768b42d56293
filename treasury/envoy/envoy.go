package envoy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"strongroom/treasury"
	"strongroom/treasury/addressbook"
	"strongroom/treasury/consent"
	"strongroom/treasury/intent"
)

// Desk is what an Envoy reads, as package treasury says.
type Desk interface {
	Roster(ctx context.Context) (*consent.Roster, treasury.RosterRow, error)
	PolicyVersions(ctx context.Context) ([]treasury.PolicyRow, error)
	Addresses(ctx context.Context, owner string) ([]treasury.EntryRow, error)
	Request(ctx context.Context, id string) (treasury.Request, error)
	List(ctx context.Context, f treasury.Filter) (treasury.Page, error)
	Finish(ctx context.Context, id string, state treasury.State, outcome string) (treasury.Request, error)
}

// Signer takes what is brought. Known says that it had it before.
type Signer interface {
	Submit(ctx context.Context, intentText, document []byte, approvals []consent.Approval) (known bool, err error)
	SubmitRoster(ctx context.Context, signed []byte) (known bool, err error)
	Disallow(ctx context.Context, owner, chain, address string) (known bool, err error)
}

// Config holds the collaborators of an Envoy; all are needed but Pace.
type Config struct {
	Desk   Desk
	Signer Signer
	Log    *slog.Logger
	// Refused reports whether the signer's error is its judgement, for ever the same.
	Refused func(error) bool
	Pace    time.Duration // between rounds; 5 s where zero
}

const defaultPace = 5 * time.Second

// Envoy goes between desk and signer. It is for one goroutine.
type Envoy struct {
	cfg     Config
	brought map[string]bool // what the signer has, or will not take
}

// New returns an Envoy.
func New(cfg Config) (*Envoy, error) {
	if cfg.Desk == nil || cfg.Signer == nil || cfg.Log == nil || cfg.Refused == nil {
		return nil, errors.New("envoy: config lacks desk, signer, log or refused")
	}
	if cfg.Pace <= 0 {
		cfg.Pace = defaultPace
	}
	return &Envoy{cfg: cfg, brought: map[string]bool{}}, nil
}

// Run makes rounds until ctx ends. It returns nil then.
func (e *Envoy) Run(ctx context.Context) error {
	ticks := time.NewTicker(e.cfg.Pace)
	defer ticks.Stop()
	for {
		if err := e.Round(ctx); err != nil && ctx.Err() == nil {
			e.cfg.Log.WarnContext(ctx, "tell the signer what people decided", "cause", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
	}
}

// Round brings what the signer does not have. Another roster comes last: what people
// decided before it is to be judged by the people of then.
func (e *Envoy) Round(ctx context.Context) error {
	return errors.Join(e.policies(ctx), e.addresses(ctx), e.unfreezes(ctx), e.roster(ctx))
}

func (e *Envoy) policies(ctx context.Context) error {
	rows, err := e.cfg.Desk.PolicyVersions(ctx)
	if err != nil {
		return fmt.Errorf("read policies: %w", err)
	}
	slices.SortFunc(rows, func(a, b treasury.PolicyRow) int { return cmp.Compare(a.Version, b.Version) })
	for i := range rows {
		p := &rows[i]
		agreed := p.State == treasury.PolicyApproved || p.State == treasury.PolicyPublished || p.State == treasury.PolicyRetired
		if !agreed || p.Request == "" { // the first one is for officers to bring
			continue
		}
		if err := e.bring(ctx, "policy "+p.Document, p.Request, []byte(p.Text)); err != nil {
			return fmt.Errorf("policy %d: %w", p.Version, err)
		}
	}
	return nil
}

func (e *Envoy) addresses(ctx context.Context) error {
	rows, err := e.cfg.Desk.Addresses(ctx, "")
	if err != nil {
		return fmt.Errorf("read addresses: %w", err)
	}
	for i := range rows {
		entry := &rows[i]
		switch entry.State {
		case addressbook.Cooling, addressbook.Active:
			text, err := entry.Text()
			if err != nil {
				return fmt.Errorf("entry %s: %w", entry.ID, err)
			}
			err = e.bring(ctx, "entry "+entry.ID, entry.Request, text)
			if err != nil {
				return fmt.Errorf("entry %s: %w", entry.ID, err)
			}
		case addressbook.Removed:
			if allowedAgain(rows, entry) { // by another entry: that one counts
				continue
			}
			err = e.once("removal of "+entry.ID, func() error {
				_, err := e.cfg.Signer.Disallow(ctx, entry.Owner, entry.Chain, entry.Address)
				return err
			})
			if err != nil {
				return fmt.Errorf("removal of %s: %w", entry.ID, err)
			}
		case addressbook.Proposed, addressbook.Denied:
		}
	}
	return nil
}

// allowedAgain reports whether the address of an entry that was removed is in another one.
func allowedAgain(rows []treasury.EntryRow, removed *treasury.EntryRow) bool {
	return slices.ContainsFunc(rows, func(r treasury.EntryRow) bool {
		live := r.State == addressbook.Cooling || r.State == addressbook.Active
		return live && r.Owner == removed.Owner && r.Chain == removed.Chain && r.Address == removed.Address
	})
}

// unfreezes brings consent that signing goes on, and ends its request.
func (e *Envoy) unfreezes(ctx context.Context) error {
	page, err := e.cfg.Desk.List(ctx, treasury.Filter{Action: intent.Unfreeze, States: []treasury.State{treasury.Approved}})
	if err != nil {
		return fmt.Errorf("list unfreezes: %w", err)
	}
	for i := range page.Requests {
		id := page.Requests[i].ID
		state, outcome := treasury.Done, "signing goes on"
		if err := e.submit(ctx, id, nil); err != nil {
			if !e.cfg.Refused(err) {
				return fmt.Errorf("unfreeze %s: %w", id, err)
			}
			state, outcome = treasury.Failed, err.Error()
		}
		if _, err := e.cfg.Desk.Finish(ctx, id, state, outcome); err != nil && !errors.Is(err, treasury.ErrConflict) {
			return fmt.Errorf("unfreeze %s: %w", id, err)
		}
	}
	return nil
}

func (e *Envoy) roster(ctx context.Context) error {
	_, row, err := e.cfg.Desk.Roster(ctx)
	if errors.Is(err, treasury.ErrUnknown) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read roster: %w", err)
	}
	err = e.once("roster "+row.Document, func() error {
		_, err := e.cfg.Signer.SubmitRoster(ctx, row.Signed)
		return err
	})
	if err != nil {
		return fmt.Errorf("roster %d: %w", row.Version, err)
	}
	return nil
}

// bring hands over what a request asked for, once.
func (e *Envoy) bring(ctx context.Context, what, request string, document []byte) error {
	return e.once(what, func() error { return e.submit(ctx, request, document) })
}

// once does what was not done. What the signer refuses is said once and left: it would be
// refused again.
func (e *Envoy) once(what string, do func() error) error {
	if e.brought[what] {
		return nil
	}
	err := do()
	if err != nil && !e.cfg.Refused(err) {
		return err
	}
	e.brought[what] = true
	if err != nil {
		e.cfg.Log.Error("the signer refuses what people decided", "what", what, "cause", err)
		return nil
	}
	e.cfg.Log.Info("the signer has heard", "what", what)
	return nil
}

func (e *Envoy) submit(ctx context.Context, request string, document []byte) error {
	r, err := e.cfg.Desk.Request(ctx, request)
	if err != nil {
		return fmt.Errorf("read request %s: %w", request, err)
	}
	text, err := r.Intent.Canonical()
	if err != nil {
		return fmt.Errorf("request %s: %w", request, err)
	}
	var approvals []consent.Approval
	for i := range r.Signed {
		if r.Signed[i].Verdict == consent.Approve {
			approvals = append(approvals, r.Signed[i].Approval)
		}
	}
	_, err = e.cfg.Signer.Submit(ctx, text, document, approvals)
	return err
}
