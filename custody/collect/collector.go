// Package collector plans the movement of customers' deposits from their
// addresses into the hot wallet, the gas that tokens need for it, and the merging
// of the hot wallet's small coins. It looks at
// rows and balances, decides by the pure rules of package custody, and stores
// intents of the house; package desk carries them out. It signs and sends nothing.
package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/money"
)

// Defaults and bounds of Config.
const (
	defaultMargin = 25
	defaultCoins  = 50
	defaultEvery  = 10 * time.Second
	// Of Config.Merge.
	defaultAbove   = 100
	defaultMerge   = 100
	defaultLowRate = 5_000
	defaultShare   = 50
	// maxPiles bounds how many addresses one round looks at, per chain.
	maxPiles = 200
)

// Config holds the collaborators and settings of a Collector.
type Config struct {
	Store    *custodydb.Store
	Assets   custody.Assets
	Adapters map[chainadapters.ChainID]chainadapters.Adapter
	Log      *slog.Logger
	// Minimum is the least of an asset that is worth collecting; an asset that is
	// not in it takes its least deposit.
	Minimum map[string]money.Units
	// MarginPercent is added to quoted fees, for they rise between plan and
	// payment; 25 where zero.
	MarginPercent uint64
	// MaxCoins is how many coins one collection spends; 50 where zero.
	MaxCoins int
	// Merge says when small coins of a hot wallet are merged; where zero, above 100
	// coins, 100 at a time, up to 5 sat/vB and half of the wallet.
	Merge custody.ConsolidationPolicy
	// Gas bounds the gas station by chain; DefaultGas for a chain that is not in it.
	Gas   map[chainadapters.ChainID]custody.GasPolicy
	Clock func() time.Time // nil for the system's clock
	// Every is the time between two rounds; 10 s where zero.
	Every time.Duration
}

// Collector plans collections. Several may run on one database.
type Collector struct{ cfg Config }

// New returns a Collector.
func New(cfg Config) (*Collector, error) {
	if cfg.Store == nil || cfg.Assets == nil || cfg.Log == nil || len(cfg.Adapters) == 0 {
		return nil, errors.New("collector: config is incomplete")
	}
	if cfg.MarginPercent == 0 {
		cfg.MarginPercent = defaultMargin
	}
	if cfg.MaxCoins <= 0 {
		cfg.MaxCoins = defaultCoins
	}
	if cfg.Merge == (custody.ConsolidationPolicy{}) {
		cfg.Merge = custody.ConsolidationPolicy{Above: defaultAbove, Most: defaultMerge, LowSatPerKVB: defaultLowRate, SharePercent: defaultShare}
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now //nolint:forbidigo // the default of what is injected
	}
	if cfg.Every <= 0 {
		cfg.Every = defaultEvery
	}
	return &Collector{cfg: cfg}, nil
}

// Run plans a round on every chain again and again until ctx ends, and returns
// its error. What went wrong in a round is logged: the next one looks anew.
func (c *Collector) Run(ctx context.Context) error {
	ticker := time.NewTicker(c.cfg.Every)
	defer ticker.Stop()
	for {
		if err := c.Round(ctx); err != nil && ctx.Err() == nil {
			c.cfg.Log.WarnContext(ctx, "collections not planned", "error", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("collect: %w", ctx.Err())
		case <-ticker.C:
		}
	}
}

// Round plans once what can be collected now on every chain that is not halted.
// It goes on after a failure and joins the errors.
func (c *Collector) Round(ctx context.Context) error {
	var failed []error
	chains, err := c.cfg.Store.Chains(ctx)
	if err != nil {
		return err
	}
	for _, chain := range chains {
		adapter, served := c.cfg.Adapters[chain.Chain]
		if !served || chain.Status != custodydb.ChainOK || !chain.Started() {
			continue
		}
		hot, err := c.cfg.Store.HotAddress(ctx, chain.Chain)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		final, deep := c.final(chain)
		if !deep {
			continue
		}
		p := planner{c: c, adapter: adapter, at: chain.Cursor, final: final, hot: hot}
		if adapter.Family() == chainadapters.UTXO {
			err = errors.Join(p.coins(ctx), p.consolidate(ctx))
		} else {
			err = p.piles(ctx)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("plan on %s: %w", chain.Chain, err))
		}
	}
	return errors.Join(failed...)
}

// final returns the newest height that no reorganisation reaches any more: what is
// collected must not vanish under its collection. deep is false where there is none.
func (c *Collector) final(chain custodydb.ChainStatus) (height uint64, deep bool) {
	depth := uint64(1)
	for _, info := range c.cfg.Assets.AssetsOf(chain.Chain) {
		depth = max(depth, info.FinalDepth)
	}
	if chain.Cursor.Height+1 < depth {
		return 0, false
	}
	return chain.Cursor.Height + 1 - depth, true
}

// planner plans on one chain as it is at one block.
type planner struct {
	c       *Collector
	adapter chainadapters.Adapter
	at      chainadapters.Ref
	final   uint64 // the newest height that is final for every asset of the chain
	hot     custodydb.HouseAddress
}

func (p *planner) minimum(info custody.AssetInfo) money.Units {
	if least, ok := p.c.cfg.Minimum[info.Code]; ok {
		return least
	}
	return info.MinDeposit
}

// open stores an intent. That somebody else was faster is no failure.
func (p *planner) open(ctx context.Context, h custodydb.HouseIntent) error {
	intent, err := p.c.cfg.Store.OpenHouseIntent(ctx, h)
	if errors.Is(err, custodydb.ErrBusy) {
		return nil
	}
	if err != nil {
		return err
	}
	p.c.cfg.Log.InfoContext(ctx, "movement planned", "intent", intent, "kind", h.Kind, "asset", h.Asset,
		"amount", h.Amount.String(), "from", h.From, "deposits", len(h.Deposits))
	return nil
}
