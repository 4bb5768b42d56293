// Package desk carries one intent of custody - a withdrawal, a collection, a gas
// top-up - to its end on chain, exactly once. Each step reads the row, does one
// thing and moves the row by compare-and-set; taken twice, or by two at once, it
// has one effect. The bytes that leave are stored before the first of them does,
// and an answer that was lost is never read as a refusal.
//
// The desk decides nothing about money by itself: the rules are custody's, the
// rows custodydb's, the keys the signer's. It starts no goroutine and never waits.
package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/feedesk"
	"strongroom/money"
)

// Signer makes signatures. The same request MUST give the same signature, for
// ever; another payload for a used slot MUST be refused.
type Signer interface {
	Sign(ctx context.Context, req SignRequest) (Signature, error)
}

// SignRequest is what the signer must know to judge a transaction by itself.
type SignRequest struct {
	// Intent is what is meant. Where Kind is custody.IntentCancel, the signature
	// ends the intent of this id for good and moves nothing.
	Intent   custody.Intent
	Attempt  uint32
	Plan     chainadapters.Plan
	Unsigned chainadapters.Unsigned
	// ToPath is our own key behind the destination; nil for withdrawals.
	ToPath *chainadapters.KeyPath
	MaxFee money.Units // native asset
}

// Signature is a signed transaction.
type Signature struct {
	Raw  []byte
	TxID string
}

// Defaults of Config.
const (
	defaultOutstanding = 16
	defaultStuckAfter  = 30 * time.Minute
	defaultGiveUpAfter = 15 * time.Minute
	// underwaterAfter is how long a transaction may be below the base fee before it
	// counts as stuck: the next block may ask less.
	underwaterAfter = 30 * time.Second
	// mergePatience is how much longer a merging of coins may wait, in times.
	mergePatience = 12
)

// ErrRefused is wrapped by a Signer that will not sign this request, whatever the
// state of the connection: its rules are against it.
var ErrRefused = errors.New("signer refuses the transaction")

// ErrFees reports that the market asks more than may be bid: the payment waits.
var ErrFees = errors.New("fees are above what may be bid")

// Config holds the collaborators and settings of a Desk.
type Config struct {
	Store    *custodydb.Store
	Adapters map[chainadapters.ChainID]chainadapters.Adapter
	Assets   custody.Assets
	Signer   Signer
	Vaults   Vaults // on account chains; nil where they pay nothing
	Policy   Policy // nil for the rules that are registered in policy.go
	// Screening is asked about each withdrawal's destination, and again before it is
	// reserved.
	Screening Screener
	Log       *slog.Logger
	Clock     func() time.Time
	// Outstanding is how many transactions of one key may be on their way; 16
	// where zero.
	Outstanding int
	// StuckAfter is how long a transaction may wait in the pool before it counts
	// as stuck; 30 minutes where zero.
	StuckAfter time.Duration
	// GiveUpAfter is how long a payment that the signer refuses may keep its nonce
	// or coins from others before it is taken back; 15 minutes where zero.
	GiveUpAfter time.Duration
	// Gas and Rates bound what is bid on each chain of either family;
	// feedesk.DefaultGas and DefaultRate where a chain is missing.
	Gas   map[chainadapters.ChainID]feedesk.GasPolicy
	Rates map[chainadapters.ChainID]feedesk.RatePolicy
}

// Desk walks intents. It keeps no state: any number may work on one database.
type Desk struct{ cfg Config }

// New returns a Desk.
func New(cfg Config) (*Desk, error) {
	if cfg.Store == nil || len(cfg.Adapters) == 0 || cfg.Assets == nil || cfg.Signer == nil || cfg.Screening == nil || cfg.Log == nil || cfg.Clock == nil {
		return nil, errors.New("desk: config lacks store, adapters, assets, signer, screening, log or clock")
	}
	if cfg.Policy == nil {
		cfg.Policy = Rules(rules())
	}
	if cfg.Outstanding <= 0 {
		cfg.Outstanding = defaultOutstanding
	}
	if cfg.StuckAfter <= 0 {
		cfg.StuckAfter = defaultStuckAfter
	}
	if cfg.GiveUpAfter <= 0 {
		cfg.GiveUpAfter = defaultGiveUpAfter
	}
	return &Desk{cfg: cfg}, cfg.checkFees()
}

func (c Config) checkFees() error {
	for chain, p := range c.Gas {
		if err := p.Check(); err != nil {
			return fmt.Errorf("desk: fees of %s: %w", chain, err)
		}
	}
	for chain, p := range c.Rates {
		if err := p.Check(); err != nil {
			return fmt.Errorf("desk: fees of %s: %w", chain, err)
		}
	}
	return nil
}

// maxRaces bounds how often a step starts over because the row moved under it.
const maxRaces = 5

// step does at most one thing for an intent. It does nothing in a state that is
// not its own.
type step func(ctx context.Context, r *custodydb.IntentRow) error

// walk takes a step and says where the intent stands. A step that cannot be taken
// now leaves its reason in the row, for people, and returns the error.
func (d *Desk) walk(ctx context.Context, id string, take step) (custody.Progress, error) {
	for range maxRaces {
		r, err := d.cfg.Store.LoadIntent(ctx, id)
		if err != nil {
			return custody.Progress{ID: id}, fmt.Errorf("load: %w", err)
		}
		before := r.State
		failed := take(ctx, &r)
		if errors.Is(failed, custody.ErrConflict) {
			continue
		}
		if r.State != before {
			d.cfg.Log.InfoContext(ctx, "intent moved", "intent", id, "from", string(before), "to", string(r.State), "reason", r.Reason)
		}
		if failed != nil {
			if err := d.cfg.Store.SetReason(ctx, &r, explain(failed)); err != nil {
				return r.Progress(""), errors.Join(failed, err)
			}
		}
		return d.progress(ctx, r, failed)
	}
	return custody.Progress{ID: id}, fmt.Errorf("walk %s: %w", id, custody.ErrConflict)
}

// explain says in a customer's words why a step cannot be taken now. What the
// database or the node said stays in the error.
func explain(err error) string {
	for _, known := range []error{
		custody.ErrSlots, custody.ErrHotWallet, custody.ErrChainHalted, custody.ErrKeyHalted, custody.ErrIllegal, ErrForgery, ErrRefused, ErrFees,
		custody.ErrScreening, custody.ErrConsent,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "a step failed and will be tried again"
}

// progress adds the transaction that counts: the mined one, else the newest.
func (d *Desk) progress(ctx context.Context, r custodydb.IntentRow, failed error) (custody.Progress, error) {
	attempts, err := d.cfg.Store.Attempts(ctx, r.ID)
	if err != nil {
		return r.Progress(""), errors.Join(failed, err)
	}
	txid := ""
	for _, a := range attempts {
		txid = a.TxID
		if a.Mined {
			break
		}
	}
	return r.Progress(txid), failed
}

// chain returns the adapter of an intent's chain and the chain's standing, or
// custody.ErrChainHalted where nothing may be sent.
func (d *Desk) chain(ctx context.Context, id chainadapters.ChainID) (chainadapters.Adapter, custodydb.ChainStatus, error) {
	adapter, ok := d.cfg.Adapters[id]
	if !ok {
		return nil, custodydb.ChainStatus{}, fmt.Errorf("chain %s is not served: %w", id, custody.ErrChainHalted)
	}
	status, err := d.cfg.Store.Chain(ctx, id)
	switch {
	case errors.Is(err, custody.ErrNotFound):
		return nil, status, fmt.Errorf("chain %s was never looked at: %w", id, custody.ErrChainHalted)
	case err != nil:
		return nil, status, fmt.Errorf("read chain: %w", err)
	case status.Status != custodydb.ChainOK || !status.Started():
		return nil, status, fmt.Errorf("chain %s is %s: %s: %w", id, status.Status, status.Reason, custody.ErrChainHalted)
	}
	return adapter, status, nil
}

// asset returns what is known of an intent's asset.
func (d *Desk) asset(r *custodydb.IntentRow) (custody.AssetInfo, error) {
	asset, ok := d.cfg.Assets.AssetByCode(r.Asset)
	if !ok {
		return asset, fmt.Errorf("asset %s of %s: %w", r.Asset, r.ID, custody.ErrAsset)
	}
	return asset, nil
}
