package herald

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/treasury"
	"strongroom/treasury/consent"
	"strongroom/treasury/treasurydb"
)

// Kind is why somebody is told.
type Kind string

// The kinds.
const (
	Asked      Kind = "asked"
	Reminder   Kind = "reminder"
	Escalation Kind = "escalation" // officers are told too
)

// Notice is what somebody is told.
type Notice struct {
	Key     string   `json:"key"` // the same whenever the same is told again
	Kind    Kind     `json:"kind"`
	Request string   `json:"request"`
	Action  string   `json:"action"`
	Asset   string   `json:"asset,omitempty"`
	Amount  string   `json:"amount,omitempty"` // base units
	To      string   `json:"to,omitempty"`
	By      string   `json:"by"`      // who asks
	Missing string   `json:"missing"` // what it still takes: "1 of treasury"
	Persons []string `json:"persons"` // who can help, sorted
	Expires int64    `json:"expires"` // Unix seconds
	Hash    string   `json:"hash"`    // of the intent, to compare
	Page    string   `json:"page,omitempty"`
}

// Notifier tells. An error is tried again.
type Notifier interface {
	Notify(ctx context.Context, n *Notice) error
}

// Desk knows requests and people.
type Desk interface {
	Request(ctx context.Context, id string) (treasury.Request, error)
	Roster(ctx context.Context) (*consent.Roster, treasury.RosterRow, error)
}

// Config holds the collaborators of a Herald; all are needed but Pace.
type Config struct {
	Pool     *pgxpool.Pool
	Desk     Desk
	Notifier Notifier
	Clock    func() time.Time
	Log      *slog.Logger
	Pace     time.Duration // between rounds; 15 s where zero
}

// Bounds of a round.
const (
	maxRound    = 500
	defaultPace = 15 * time.Second
	tellWithin  = 10 * time.Second
)

// Herald makes notices and tells them. Any number may work on one database.
type Herald struct{ cfg Config }

// New returns a Herald.
func New(cfg Config) (*Herald, error) {
	if cfg.Pool == nil || cfg.Desk == nil || cfg.Notifier == nil || cfg.Clock == nil || cfg.Log == nil {
		return nil, errors.New("herald: config lacks pool, desk, notifier, clock or log")
	}
	if cfg.Pace <= 0 {
		cfg.Pace = defaultPace
	}
	return &Herald{cfg}, nil
}

// Run makes rounds until ctx ends. It returns nil then.
func (h *Herald) Run(ctx context.Context) error {
	ticks := time.NewTicker(h.cfg.Pace)
	defer ticks.Stop()
	for {
		if err := h.Round(ctx); err != nil && ctx.Err() == nil {
			h.cfg.Log.WarnContext(ctx, "tell people what waits", "cause", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
	}
}

// Round makes what is due and tells what was not told. What fails does not hold up the
// others.
func (h *Herald) Round(ctx context.Context) error {
	if _, err := treasurydb.MakeNotices(ctx, h.cfg.Pool, h.cfg.Clock().UTC(), maxRound); err != nil {
		return err
	}
	var failed error
	var at treasurydb.Notice
	for range maxRound {
		more, err := h.one(ctx, &at)
		if failed = errors.Join(failed, err); !more || ctx.Err() != nil {
			break
		}
	}
	return failed
}

// one tells the next notice after at. The row is held meanwhile, so that nobody else tells
// it too.
func (h *Herald) one(ctx context.Context, at *treasurydb.Notice) (more bool, err error) {
	err = pgx.BeginFunc(ctx, h.cfg.Pool, func(tx pgx.Tx) error {
		now := h.cfg.Clock().UTC()
		n, found, err := treasurydb.TakeNotice(ctx, tx, now, *at)
		if more = found; err != nil || !found {
			return err
		}
		*at = n
		notice, err := h.notice(ctx, n)
		if err != nil {
			return err
		}
		limited, cancel := context.WithTimeout(ctx, tellWithin)
		defer cancel()
		if err := h.cfg.Notifier.Notify(limited, &notice); err != nil {
			return fmt.Errorf("tell of %s: %w", n.Request, err)
		}
		return treasurydb.MarkTold(ctx, tx, n, now)
	})
	if err != nil {
		return more, fmt.Errorf("notice: %w", err)
	}
	return more, nil
}

// notice says what is to be told.
func (h *Herald) notice(ctx context.Context, n treasurydb.Notice) (Notice, error) {
	r, err := h.cfg.Desk.Request(ctx, n.Request)
	if err != nil {
		return Notice{}, fmt.Errorf("read request: %w", err)
	}
	roster, _, err := h.cfg.Desk.Roster(ctx)
	if err != nil {
		return Notice{}, fmt.Errorf("read roster: %w", err)
	}
	out := Notice{
		Key: fmt.Sprintf("%s/%d", n.Request, n.Number), Kind: kindOf(n.Number), Request: r.ID, Action: string(r.Intent.Action), Asset: r.Intent.Asset,
		To: r.Intent.To, By: r.Intent.Requester, Missing: r.Missing, Persons: asked(roster, &r, n.Number == treasurydb.NoticeEscalated),
		Expires: r.Expires.Unix(), Hash: r.Hash.String(),
	}
	if r.Intent.Action.Moves() {
		out.Amount = r.Intent.Amount.String()
	}
	if len(roster.Origins) > 0 {
		out.Page = roster.Origins[0] + "/treasury/requests/" + r.ID
	}
	return out, nil
}

func kindOf(number int) Kind {
	switch number {
	case treasurydb.NoticeAsked:
		return Asked
	case treasurydb.NoticeEscalated:
		return Escalation
	}
	return Reminder
}

// asked lists who can still help: those of the groups that lack, who have said nothing and
// did not ask themselves; with officers all of those too.
func asked(roster *consent.Roster, r *treasury.Request, officers bool) []string {
	spoke := map[string]bool{r.Intent.Requester: true}
	var people [][]string
	for i := range r.Signed {
		spoke[r.Signed[i].Person] = true
		if p := roster.Person(r.Signed[i].Person); p != nil {
			people = append(people, p.Member())
		}
	}
	var groups []string
	if missing := r.Requirement.Missing(people); missing != nil {
		groups = missing.Groups()
	}
	list := []string{}
	for i := range roster.Persons {
		p := &roster.Persons[i]
		of := slices.ContainsFunc(p.Member(), func(g string) bool { return slices.Contains(groups, g) })
		if !spoke[p.ID] && (of || officers && p.Officer) {
			list = append(list, p.ID)
		}
	}
	return list
}
