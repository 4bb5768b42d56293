package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/assets"
	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/internal/pg"
	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/matching/wire"
	"strongroom/money"
	"strongroom/trading"
)

// marketsCommand is the operator's hand on the markets of a shard.
type marketsCommand struct {
	Apply applyMarketsCommand `cmd:"" help:"Make the shard's markets as a file describes them, and open those that are new."`
	List  listMarketsCommand  `cmd:"" help:"Show the markets, their states and best prices."`
	State stateMarketCommand  `cmd:"" help:"Open, halt or close a market."`
}

// marketFlags say which shard is meant, and who asks.
type marketFlags struct {
	stateFlag
	shardFlags

	Database string        `name:"database-url" help:"PostgreSQL connection string." env:"STRONGROOM_DATABASE_URL" required:"" placeholder:"URL"`
	Certs    string        `name:"tls-dir" help:"Folder with ca.pem and the certificate that --as names." env:"STRONGROOM_TLS_DIR" required:"" placeholder:"DIR"`
	As       string        `help:"Name of the certificate; the shard must let it operate." default:"worker"`
	Wait     time.Duration `help:"How long the shard may take to answer." default:"30s"`
}

// markets is what the commands work with.
type markets struct {
	catalog  *trading.Catalog
	registry *settle.Registry
	shard    *client.Client
}

// with opens registry and shard for one piece of work.
func (f *marketFlags) with(e *env, work func(context.Context, *markets) error) (err error) {
	if !f.trades() {
		return fmt.Errorf("%w: --matching-addresses is needed", errUsage)
	}
	terms, err := f.terms()
	if err != nil {
		return err
	}
	pool, err := pg.Open(e.ctx, f.Database)
	if err != nil {
		return err
	}
	defer pool.Close()
	ctx, cancel := context.WithTimeout(e.ctx, f.Wait)
	defer cancel()
	m := &markets{registry: settle.NewRegistry(pool)}
	if m.catalog, err = readCatalog(ctx, e, pool, terms, m.registry); err != nil {
		return err
	}
	if m.shard, err = f.shardOf(f.Certs, f.As); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.shard.Close()) }()
	return work(ctx, m)
}

// readCatalog works out what the markets of terms mean, with the assets of the platform.
func readCatalog(ctx context.Context, e *env, pool *pgxpool.Pool, terms []trading.Terms, numbers trading.Numbers) (*trading.Catalog, error) {
	registry, err := assets.New(assets.Config{Pool: pool, Clock: e.clock})
	if err != nil {
		return nil, err
	}
	return trading.NewCatalog(ctx, terms, func(code string) (money.Asset, error) {
		a, err := registry.ByCode(ctx, code)
		if err != nil {
			return money.Asset{}, err
		}
		return a.Money(), nil
	}, numbers)
}

// leader waits until a node leads.
func (m *markets) leader(ctx context.Context) (matchingv1.MatchingClient, error) {
	const pause = 100 * time.Millisecond
	for {
		node, err := m.shard.Leader(ctx)
		if err == nil || ctx.Err() != nil {
			return node, err
		}
		again := time.NewTimer(pause)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return nil, err
		}
	}
}

// set gives a market a state.
func (m *markets) set(ctx context.Context, market *trading.Market, state engine.State, until int64) error {
	s, err := m.shard.Open(ctx, client.Options{})
	if err != nil {
		return fmt.Errorf("set state of %s: %w", market.Name, err)
	}
	defer s.Close()
	results, err := s.Do(ctx, engine.Command{Op: engine.OpState, Market: market.ID, State: state, Until: until})
	if err != nil {
		return fmt.Errorf("set state of %s: %w", market.Name, err)
	}
	if r := results[0]; r.Kind == engine.EventRejected {
		return fmt.Errorf("%w: set state of %s: matching answers %s", errUsage, market.Name, trading.CodeName(r.Code))
	}
	return nil
}

type applyMarketsCommand struct {
	marketFlags

	File string `arg:"" optional:"" help:"JSON file of markets; the one of --markets-file where none is given."`
}

// Run makes or changes each market and prints a line of each. The same again changes
// nothing.
func (c *applyMarketsCommand) Run(e *env) error {
	if c.File != "" {
		if _, err := os.Stat(filepath.Clean(c.File)); err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		c.Markets = c.File
	}
	return c.with(e, func(ctx context.Context, m *markets) error {
		for _, market := range m.catalog.All() {
			said, err := c.apply(ctx, m, market)
			if err != nil {
				return err
			}
			e.printf("%s: %s, number %d, tick %s, lot %s\n", market.Name, said, market.ID, market.Price(1), market.Quantity(1))
		}
		return nil
	})
}

// apply makes one market and says what was done.
func (c *applyMarketsCommand) apply(ctx context.Context, m *markets, market *trading.Market) (string, error) {
	cfg := &market.Config
	err := m.registry.Define(ctx, settle.Market{
		Shard: c.Shard, No: market.ID, Base: cfg.Base, Quote: cfg.Quote, LotUnits: cfg.LotUnits, TickUnits: cfg.TickUnits,
	})
	if err != nil {
		return "", fmt.Errorf("%s: %w; assets, tick and lot of a market never change: give the new one another number and close the old one", market.Name, err)
	}
	node, err := m.leader(ctx)
	if err != nil {
		return "", err
	}
	before, err := node.Depth(ctx, &matchingv1.DepthRequest{Market: uint32(market.ID)})
	if err != nil {
		return "", fmt.Errorf("read %s: %w", market.Name, err)
	}
	out, err := node.Configure(ctx, &matchingv1.ConfigureRequest{Version: wire.Version, Market: uint32(market.ID), Config: wire.AppendConfig(nil, cfg)})
	if err != nil {
		return "", fmt.Errorf("configure %s: %w", market.Name, err)
	}
	if code := engine.Code(out.GetCode()); code != engine.CodeNone { //nolint:gosec // the shard's own
		return "", fmt.Errorf("configure %s: matching answers %s", market.Name, trading.CodeName(code))
	}
	if before.GetMade() {
		return "as the file says, " + stateText(before), nil
	}
	return "new, open", m.set(ctx, market, engine.Open, 0)
}

func stateText(d *matchingv1.DepthResponse) string {
	if !d.GetMade() {
		return "not made"
	}
	return trading.StateName(engine.State(d.GetState())) //nolint:gosec // the shard's own
}

type listMarketsCommand struct{ marketFlags }

// Run prints a line of each market.
func (c *listMarketsCommand) Run(e *env) error {
	return c.with(e, func(ctx context.Context, m *markets) error {
		node, err := m.leader(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "MARKET\tSTATE\tLAST\tBID\tASK")
		for _, market := range m.catalog.All() {
			d, err := node.Depth(ctx, &matchingv1.DepthRequest{Market: uint32(market.ID), Levels: 1})
			if err != nil {
				return fmt.Errorf("read %s: %w", market.Name, err)
			}
			last := "-"
			if d.GetLast() != 0 {
				last = market.Price(d.GetLast())
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", market.Name, stateText(d), last, best(market, d.GetBids()), best(market, d.GetAsks()))
		}
		return w.Flush()
	})
}

// best is the first price of a side and what it shows.
func best(m *trading.Market, side []*matchingv1.Level) string {
	if len(side) == 0 {
		return "-"
	}
	return m.Price(side[0].GetPrice()) + " × " + m.Quantity(side[0].GetQty())
}

type stateMarketCommand struct {
	marketFlags

	Market string        `arg:"" help:"Name of the market."`
	To     string        `arg:"" name:"state" enum:"open,halt,close,auction,post-only,cancel-only" help:"open, halt, close, auction, post-only or cancel-only."`
	For    time.Duration `help:"How long a halt or an auction lasts; until told otherwise where it is not given."`
}

// Run sets the state.
func (c *stateMarketCommand) Run(e *env) error {
	return c.with(e, func(ctx context.Context, m *markets) error {
		market := m.catalog.Market(c.Market)
		if market == nil {
			return fmt.Errorf("%w: there is no market %s; use one of %s", errUsage, c.Market, m.catalog.Names())
		}
		until, err := c.until(e.clock())
		if err != nil {
			return err
		}
		state := map[string]engine.State{
			"open": engine.Open, "halt": engine.Halted, "close": engine.Closed, "auction": engine.Auction,
			"post-only": engine.PostOnlyState, "cancel-only": engine.CancelOnly,
		}[c.To]
		if err := m.set(ctx, market, state, until); err != nil {
			return err
		}
		e.printf("%s: %s\n", market.Name, trading.StateName(state))
		return nil
	})
}

// until is the log time at which the state ends, zero for not by itself.
func (c *stateMarketCommand) until(now time.Time) (int64, error) {
	switch {
	case c.For == 0:
		return 0, nil
	case c.For < 0 || c.To != "halt" && c.To != "auction":
		return 0, fmt.Errorf("%w: --for is of a halt or an auction, and above zero", errUsage)
	}
	return now.Add(c.For).UnixNano(), nil
}
