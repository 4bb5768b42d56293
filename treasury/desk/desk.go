package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/internal/crash"
	"strongroom/treasury"
	"strongroom/treasury/addressbook"
	"strongroom/treasury/consent"
	"strongroom/treasury/policy"
	"strongroom/treasury/treasurydb"
)

const (
	// defaultPace is how often a desk that runs looks for what time has ended.
	defaultPace = 5 * time.Second
	// allowedLife is how long a request counts that the policy allows without people.
	allowedLife = 24 * time.Hour
	// batch is how many requests are ended in one go.
	batch = 200
	// clockSkew is how far another machine's clock may be ahead.
	clockSkew = time.Minute
)

// Config holds the collaborators of a Desk; all are needed but Known, Assets and Pace.
type Config struct {
	Pool        *pgxpool.Pool
	Environment string
	// Trust is whose signatures make a roster.
	Officers consent.Officers
	// Addresses says how long entries of address books wait.
	Addresses addressbook.Terms
	// PolicyLock is the least time between a policy's proposal and its NotBefore.
	PolicyLock time.Duration
	// Known lists what an owner paid, or was paid by, on a chain. Nil knows nothing.
	Known func(ctx context.Context, owner, chain string) ([]string, error)
	// Assets lets sentences have amounts in wholes. Nil knows none.
	Assets policy.Assets
	Clock  func() time.Time
	Log    *slog.Logger
	Pace   time.Duration // between looks for what time has ended; 5 s where zero
}

// Desk keeps requests and what they are about. It is safe for concurrent use, by several
// processes too.
type Desk struct {
	cfg   Config
	heard *listeners

	mu     sync.Mutex // over what was parsed last
	roster parsedRoster
	policy parsedPolicy
}

type parsedRoster struct {
	signed string
	roster *consent.Roster
}

type parsedPolicy struct {
	text   string
	policy *policy.Policy
}

var (
	_ treasury.Requests  = (*Desk)(nil)
	_ treasury.Vaults    = (*Desk)(nil)
	_ treasury.Addresses = (*Desk)(nil)
	_ treasury.Policies  = (*Desk)(nil)
	_ treasury.People    = (*Desk)(nil)
)

// New returns a Desk on a migrated database.
func New(cfg Config) (*Desk, error) {
	if cfg.Pool == nil || cfg.Clock == nil || cfg.Log == nil || cfg.Environment == "" {
		return nil, errors.New("treasury desk: config lacks a pool, a clock, a log or the environment's name")
	}
	if cfg.PolicyLock <= 0 {
		return nil, errors.New("treasury desk: config: give the time lock of policies")
	}
	if err := cfg.Officers.Check(); err != nil {
		return nil, fmt.Errorf("treasury desk: config: %w", err)
	}
	if err := cfg.Addresses.Check(); err != nil {
		return nil, fmt.Errorf("treasury desk: config: %w", err)
	}
	if cfg.Pace <= 0 {
		cfg.Pace = defaultPace
	}
	return &Desk{cfg: cfg, heard: newListeners()}, nil
}

// now is the time of record, in whole seconds: intents know no finer one.
func (d *Desk) now() time.Time { return d.cfg.Clock().UTC().Truncate(time.Second) }

// inTx runs work in one transaction. What it returns as spoken is an answer and undoes
// nothing; an error undoes all.
func (d *Desk) inTx(ctx context.Context, work func(tx pgx.Tx) (spoken, failed error)) error {
	return d.inTxAt(ctx, "", "", work)
}

// inTxAt is inTx with the points before and after its commit.
func (d *Desk) inTxAt(ctx context.Context, before, after crash.Point, work func(tx pgx.Tx) (spoken, failed error)) error {
	var spoken error
	err := pgx.BeginFunc(ctx, d.cfg.Pool, func(tx pgx.Tx) (err error) {
		spoken, err = work(tx)
		if err == nil && before != "" {
			crash.At(before)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("treasury desk: %w", err)
	}
	if after != "" {
		crash.At(after)
	}
	return spoken
}

// rules is what is in force while a transaction holds the head.
type rules struct {
	treasurydb.Head
	policy *policy.Policy
	roster *consent.Roster
}

// inForce reads what is in force and holds it. Errors: treasury.ErrUnknown where there is
// no policy or roster yet, treasury.ErrTampered.
func (d *Desk) inForce(ctx context.Context, db treasurydb.DB, hold treasurydb.Hold) (rules, error) {
	h, err := treasurydb.ReadHead(ctx, db, hold)
	if err != nil {
		return rules{}, err
	}
	if h.Policy == 0 || h.Roster == 0 {
		return rules{}, fmt.Errorf("%w: no policy or no roster is in force yet: found the treasury first", treasury.ErrUnknown)
	}
	p, err := treasurydb.Policy(ctx, db, h.Policy, false)
	if err != nil {
		return rules{}, err
	}
	r, err := treasurydb.Roster(ctx, db, h.Roster)
	if err != nil {
		return rules{}, err
	}
	is := rules{Head: h}
	if is.policy, err = d.parsePolicy(&p); err != nil {
		return rules{}, err
	}
	is.roster, err = d.parseRoster(&r)
	return is, err
}

// parsePolicy reads a version's text and holds it against its row.
func (d *Desk) parsePolicy(row *treasury.PolicyRow) (*policy.Policy, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.policy.text != row.Text || d.policy.policy == nil {
		p, err := policy.Parse([]byte(row.Text))
		if err != nil {
			return nil, fmt.Errorf("%w: policy %d: %w", treasury.ErrTampered, row.Version, err)
		}
		document, err := p.Document()
		if err != nil || document != row.Document || p.Version != row.Version || p.Environment != d.cfg.Environment {
			return nil, fmt.Errorf("%w: policy %d is not the one that was approved", treasury.ErrTampered, row.Version)
		}
		d.policy = parsedPolicy{row.Text, p}
	}
	if d.policy.policy.Version != row.Version {
		return nil, fmt.Errorf("%w: policy %d has the text of another", treasury.ErrTampered, row.Version)
	}
	return d.policy.policy, nil
}

// parseRoster verifies a version's signatures, and that it is that version.
func (d *Desk) parseRoster(row *treasury.RosterRow) (*consent.Roster, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.roster.signed != string(row.Signed) || d.roster.roster == nil {
		r, err := consent.ParseRoster(row.Signed, d.trust(), row.Version)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", treasury.ErrTampered, err)
		}
		d.roster = parsedRoster{string(row.Signed), r}
	}
	if d.roster.roster.Version != row.Version {
		return nil, fmt.Errorf("%w: roster %d has the text of another", treasury.ErrTampered, row.Version)
	}
	return d.roster.roster, nil
}

func (d *Desk) trust() consent.Trust {
	return consent.Trust{Environment: d.cfg.Environment, Officers: d.cfg.Officers}
}

// Run ends what time ends, publishes policies whose time has come and hears of changes,
// until ctx ends. It returns nil then.
func (d *Desk) Run(ctx context.Context) error {
	var wait sync.WaitGroup
	wait.Go(func() { d.listen(ctx) })
	tick := time.NewTicker(d.cfg.Pace)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := d.Tick(ctx); err != nil && ctx.Err() == nil {
			d.cfg.Log.WarnContext(ctx, "end what time ends in treasury", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	wait.Wait()
	return nil
}

// Tick is one look for what time has ended.
func (d *Desk) Tick(ctx context.Context) error {
	_, expired := d.Expire(ctx)
	_, published := d.Publish(ctx)
	_, cancelled := d.CancelStale(ctx)
	return errors.Join(expired, published, cancelled)
}
