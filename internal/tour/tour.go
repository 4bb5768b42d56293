// Package tour plays a customer of the platform on the development chains: it
// deposits, waits for the credit, withdraws to an outside address and compares
// what arrived with what was asked. It goes through the public API like anybody
// else, prints each step as it happens, and resumes where it was interrupted.
package tour

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"strongroom/api/client"
	"strongroom/money"
)

// Outside is the world beyond the platform: it pays to deposit addresses and
// owns the addresses that withdrawals go to.
type Outside interface {
	// Pay sends units of an asset to an address and returns the transaction once
	// it is in a block. The same key pays once, as far as the payment is known.
	Pay(ctx context.Context, asset, to string, units money.Units) (txid string, err error)
	// Address returns an address of the outside world, the same for the same
	// asset and label.
	Address(asset, label string) (string, error)
	// Balance returns what an address has on chain.
	Balance(ctx context.Context, asset, address string) (money.Units, error)
}

// Leg is what the tour does with one asset.
type Leg struct {
	Asset    money.Asset
	Deposit  string // decimal
	Withdraw string // decimal
}

// Funding is the operator's own money for one hot wallet.
type Funding struct {
	Asset   money.Asset
	Amount  string // decimal
	Address string
}

// Credential is the tour's Ed25519 key.
type Credential struct {
	Customer string `json:"customer"`
	Key      string `json:"key"`
	Seed     string `json:"seed"`             // base64
	Trades   bool   `json:"trades,omitempty"` // the key may trade
}

// Config holds the collaborators of a tour.
type Config struct {
	Operator *client.Client
	// Customer returns a client that asks as a customer's key, which it may keep
	// for later use by hand.
	Customer func(Credential) (*client.Client, error)
	Outside  Outside
	Legs     []Leg
	// Moves and Deals are what is traded between deposits and withdrawals; none where the
	// platform does not trade.
	Moves []Move
	Deals []Deal
	// House is what the operator puts into the hot wallet first: fees on chain are
	// the house's own, never paid with customers' money.
	House    []Funding
	StateDir string // where progress is kept
	Out      io.Writer
	Clock    func() time.Time
	// Poll is how often the API is asked for news; 200 ms where zero.
	Poll time.Duration
	// Agree has people of the house agree to a withdrawal that waits for them, and says
	// who did, line by line; nil where nobody is asked.
	Agree func(ctx context.Context, withdrawal string) ([]string, error)
	// Swept says which sweeps into vaults have ended, line by line, and whether no hot
	// wallet holds more than its cap; nil where there are no vaults.
	Swept func(ctx context.Context) (lines []string, calm bool, err error)
	// Table compares ledger and chain at the end, per chain and asset.
	Table func(ctx context.Context) ([]Row, error)
}

// Row is one line of the closing table, in base units of the asset.
type Row struct {
	Asset     money.Asset
	Customers money.Units // owed to customers
	Ledger    money.Units // custody as the ledger has it
	InFlight  money.Units // of that: left the chain, not yet booked
	Chain     money.Units // what the nodes confirm
	Agrees    bool
}

// Errors of a tour.
var (
	// ErrDiffers reports that something is not as it should be.
	ErrDiffers = errors.New("tour: ledger and chain differ")
	errEnded   = errors.New("tour: ended otherwise")
)

const defaultPoll = 200 * time.Millisecond

// Tour is one run.
type Tour struct {
	cfg      Config
	state    state
	customer *client.Client
	started  time.Time
}

// New checks the configuration.
func New(cfg Config) (*Tour, error) {
	if cfg.Operator == nil || cfg.Customer == nil || cfg.Outside == nil || cfg.Out == nil || cfg.Clock == nil || cfg.Table == nil || len(cfg.Legs) == 0 {
		return nil, errors.New("tour: a collaborator is missing")
	}
	if cfg.Poll == 0 {
		cfg.Poll = defaultPoll
	}
	return &Tour{cfg: cfg}, nil
}

// Run plays the tour to its end, or resumes one that was interrupted. It returns
// ErrDiffers where the closing comparison fails.
func (t *Tour) Run(ctx context.Context) error {
	t.started = t.cfg.Clock()
	if err := t.load(); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{t.fund, t.enroll, t.deposit, t.move, t.trade, t.withdraw, t.arrive, t.sweep, t.compare} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return t.finish()
}

// say prints one line with the time since the start.
func (t *Tour) say(format string, args ...any) {
	since := t.cfg.Clock().Sub(t.started).Truncate(100 * time.Millisecond)
	_, _ = fmt.Fprintf(t.cfg.Out, "  %6s  %s\n", since, fmt.Sprintf(format, args...))
}

// patiently repeats ask until it is done, for a part of the platform may be down
// for a moment. A refusal ends it: it would be refused again.
func (t *Tour) patiently(ctx context.Context, what string, ask func(context.Context) (done bool, err error)) error {
	ticker := time.NewTicker(t.cfg.Poll)
	defer ticker.Stop()
	for {
		done, err := ask(ctx)
		if done && err == nil {
			return nil
		}
		if err != nil && !passing(err) {
			return fmt.Errorf("%s: %w", what, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, errors.Join(ctx.Err(), err))
		case <-ticker.C:
		}
	}
}

// passing reports an error after which the same request may succeed.
func passing(err error) bool {
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return p.Status == 429 || p.Status >= 500
	}
	return !errors.Is(err, errEnded) && !errors.Is(err, context.Canceled)
}
