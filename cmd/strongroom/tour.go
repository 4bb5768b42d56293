package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/api/client"
	"strongroom/assets"
	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/intake"
	"strongroom/identity/reqsign"
	"strongroom/internal/devstack"
	"strongroom/internal/devstack/outside"
	"strongroom/internal/pg"
	"strongroom/internal/tour"
	"strongroom/ledger"
	"strongroom/money"
)

// What the tour moves, in wholes.
const (
	tourHouseBTC = "0.5"
	tourHouseLTC = "5"
	tourHouseETH = "5"
)

// playTour plays the tour on a running stack, given the environment of its
// processes.
func playTour(e *env, vars map[string]string) error {
	if _, _, err := bootstrap(e, vars["STRONGROOM_DATABASE_URL"], sealFile("", vars["STRONGROOM_STATE_DIR"]), vars["STRONGROOM_STATE_DIR"]); err != nil {
		return err
	}
	books, err := openTourBooks(e, vars)
	if err != nil {
		return err
	}
	t, err := newTour(e, vars, books)
	if err == nil {
		e.printf("tour: a customer deposits four assets and withdraws them again\n")
		err = t.Run(e.ctx)
	}
	return errors.Join(err, books.close(e.ctx))
}

func newTour(e *env, vars map[string]string, books *tourBooks) (*tour.Tour, error) {
	dir, url := vars["STRONGROOM_STATE_DIR"], vars["STRONGROOM_API_URL"]
	cred, err := readCredential(adminFile(dir))
	if err != nil {
		return nil, err
	}
	operator, err := client.New(client.Config{URL: url, Credential: cred, Clock: e.clock})
	if err != nil {
		return nil, err
	}
	world, err := openOutside(vars)
	if err != nil {
		return nil, err
	}
	house, err := books.house(e.ctx)
	if err != nil {
		return nil, err
	}
	trades := vars[simVariable] != ""
	legs, err := books.legs(e.ctx, trades)
	if err != nil {
		return nil, err
	}
	moves, deals := tourDeals(trades)
	staff, err := books.openTourTreasury(e, vars)
	if err != nil {
		return nil, err
	}
	cfg := tour.Config{
		Moves: moves, Deals: deals,
		Operator: operator, Outside: world, Legs: legs, House: house, StateDir: dir, Out: e.out, Clock: e.clock, Table: books.table,
		Customer: func(c tour.Credential) (*client.Client, error) {
			cred := reqsign.Credential{Key: c.Key, Scheme: reqsign.Ed25519, Secret: c.Seed, Customer: c.Customer}
			if err := writeCredential(customerFile(dir), cred); err != nil {
				return nil, err
			}
			return client.New(client.Config{URL: url, Credential: cred, Clock: e.clock})
		},
	}
	if staff != nil {
		cfg.Agree, cfg.Swept = staff.agree, staff.swept
	}
	return tour.New(cfg)
}

func openOutside(vars map[string]string) (*outside.World, error) {
	chains, err := readChains(vars["STRONGROOM_CHAINS_FILE"])
	if err != nil {
		return nil, err
	}
	cfg := outside.Config{Token: vars["STRONGROOM_TEST_TOKEN"]}
	if dir := vars["STRONGROOM_STATE_DIR"]; dir != "" {
		cfg.Lock = filepath.Join(dir, "outside.lock")
	}
	for _, c := range chains {
		rpc := devstack.RPC{URL: c.URL, User: c.User, Password: c.Password}
		switch c.Chain {
		case "bitcoin-regtest":
			cfg.Bitcoin = rpc
		case "litecoin-regtest":
			cfg.Litecoin = rpc
		case "ethereum-dev":
			cfg.Ethereum = rpc
		}
	}
	return outside.New(cfg)
}

// tourBooks is what the tour reads beside the API: the ledger and the nodes.
type tourBooks struct {
	pool     *pgxpool.Pool
	book     *ledger.Ledger
	registry *assets.Registry
	store    *custodydb.Store
	adapters map[chainadapters.ChainID]chainadapters.Adapter
	end      context.CancelFunc // of what refreshes itself in the background
}

func openTourBooks(whole *env, vars map[string]string) (*tourBooks, error) {
	e := *whole
	b := &tourBooks{}
	e.ctx, b.end = context.WithCancel(whole.ctx)
	c := apiCommand{
		Chains: vars["STRONGROOM_CHAINS_FILE"], Signer: vars["STRONGROOM_SIGNER_ADDRESS"],
		Certs: vars["STRONGROOM_TLS_DIR"], Environment: "development",
	}
	var err error
	if b.pool, err = pg.Open(e.ctx, vars["STRONGROOM_DATABASE_URL"]); err != nil {
		return nil, err
	}
	if b.book, err = ledger.New(ledger.Config{Pool: b.pool, Clock: e.clock}); err != nil {
		return nil, err
	}
	if b.registry, err = assets.New(assets.Config{Pool: b.pool, Clock: e.clock}); err != nil {
		return nil, err
	}
	h := &apiHouse{registry: b.registry}
	err = c.custody(&e, h, custodydb.Config{Pool: b.pool, Ledger: b.book, Environment: c.Environment, Clock: e.clock})
	b.store, b.adapters = h.store, h.adapters
	return b, err
}

func (b *tourBooks) close(ctx context.Context) error {
	b.end()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	err := b.book.Close(ctx)
	b.pool.Close()
	return err
}

// simVariable tells a stack's processes that somebody plays on its markets.
const simVariable = "STRONGROOM_SIM"

// tourDeals is what the tour trades, where there is somebody to trade with.
func tourDeals(trades bool) ([]tour.Move, []tour.Deal) {
	if !trades {
		return nil, nil
	}
	return []tour.Move{{Asset: "BTC", Amount: "0.1"}, {Asset: "USDC", Amount: "500"}},
		[]tour.Deal{{Market: "BTC-USDC", Side: "sell", Quantity: "0.05"}, {Market: "ETH-USDC", Side: "buy", Quantity: "0.5"}}
}

// legs are the assets that the tour moves: all that the registry has listed and
// that the tour knows an amount for. Who trades takes the proceeds out: more than
// was deposited and not moved, so that the withdrawal pulls the rest from trading.
func (b *tourBooks) legs(ctx context.Context, trades bool) ([]tour.Leg, error) {
	list, err := b.registry.All(ctx)
	if err != nil {
		return nil, err
	}
	amounts := map[string][2]string{"BTC": {"0.5", "0.2"}, "LTC": {"12.5", "4"}, "ETH": {"2", "0.75"}, "USDC": {"1000", "250.25"}}
	if trades {
		amounts["ETH"], amounts["USDC"] = [2]string{"2", "2.25"}, [2]string{"1000", "1200.25"}
	}
	var legs []tour.Leg
	for _, a := range list {
		if amount, ok := amounts[a.Code]; ok {
			legs = append(legs, tour.Leg{Asset: a.Money(), Deposit: amount[0], Withdraw: amount[1]})
		}
	}
	return legs, nil
}

// house is what the operator gives the hot wallets; their addresses are rows
// once the worker has registered them.
func (b *tourBooks) house(ctx context.Context) ([]tour.Funding, error) {
	list, err := b.registry.All(ctx)
	if err != nil {
		return nil, err
	}
	amounts := map[string]string{"BTC": tourHouseBTC, "LTC": tourHouseLTC, "ETH": tourHouseETH}
	var out []tour.Funding
	for _, a := range list {
		if amounts[a.Code] == "" {
			continue
		}
		at, err := b.store.HotAddress(ctx, a.Chain)
		if err != nil {
			return nil, fmt.Errorf("find hot wallet of %s: %w", a.Chain, err)
		}
		out = append(out, tour.Funding{Asset: a.Money(), Amount: amounts[a.Code], Address: at.Address})
	}
	return out, nil
}

// table compares, per asset, custody as the ledger has it with what the nodes
// confirm, plus what has left the chain and is not booked yet.
func (b *tourBooks) table(ctx context.Context) ([]tour.Row, error) {
	list, err := b.registry.All(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]tour.Row, 0, len(list))
	for _, a := range list {
		row, err := b.row(ctx, a)
		if err != nil {
			return nil, fmt.Errorf("count %s: %w", a.Code, err)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (b *tourBooks) row(ctx context.Context, a assets.Asset) (tour.Row, error) {
	row := tour.Row{Asset: a.Money()}
	position, err := b.book.Position(ctx, a.Code)
	if err != nil {
		return row, err
	}
	row.Customers = position.Liabilities
	basis, err := b.store.AttestBasis(ctx, a.Code)
	if err != nil {
		return row, err
	}
	row.InFlight = basis.InFlight
	if row.Chain, err = intake.Count(ctx, b.adapters[a.Chain], a.Contract, basis); err != nil {
		return row, err
	}
	if row.Ledger, err = b.custodyBalance(ctx, a); err != nil {
		return row, err
	}
	expected, err := row.Chain.Add(row.InFlight)
	row.Agrees = err == nil && expected == row.Ledger
	return row, err
}

func (b *tourBooks) custodyBalance(ctx context.Context, a assets.Asset) (money.Units, error) {
	var total money.Units
	vaults, err := b.store.VaultNames(ctx, a.Chain)
	if err != nil {
		return total, err
	}
	accounts := []ledger.AccountID{custody.DepositsAccount(a.Chain, a.Code), custody.HotAccount(a.Chain, a.Code)}
	for _, name := range vaults {
		accounts = append(accounts, custody.VaultAccount(a.Chain, a.Code, name))
	}
	for _, account := range accounts {
		balances, err := b.book.Balances(ctx, account)
		if errors.Is(err, ledger.ErrAccountUnknown) {
			continue // nothing was ever booked there
		}
		if err != nil {
			return total, err
		}
		held, err := balances[0].DebitsPosted.Sub(balances[0].CreditsPosted)
		if err != nil {
			return total, err
		}
		if total, err = total.Add(held); err != nil {
			return total, err
		}
	}
	return total, nil
}

// demoCommand is the tour from start to end.
type demoCommand struct {
	stackFlags

	For     time.Duration `help:"Play the tour again and again for so long, while the markets live; once where it is zero." default:"0s"`
	Timeout time.Duration `help:"How long one tour may take." default:"10m"`
}

// Run starts the platform, or uses the one that runs on the state folder, plays
// the tour, checks all invariants and stops what it started.
func (c *demoCommand) Run(e *env) error {
	ctx, cancel := context.WithTimeout(e.ctx, c.For+c.Timeout)
	defer cancel()
	layout, err := c.layout()
	if err != nil {
		return err
	}
	bounded := *e
	bounded.ctx = ctx
	if pid := layout.Running(); pid != 0 && !c.Reset {
		e.printf("using the platform that runs on %s (process %d)\n", layout.Dir, pid)
		vars, err := readEnvFile(layout.Dir)
		if err != nil {
			return err
		}
		return c.play(&bounded, vars)
	}
	s, err := startStack(&bounded, c.stackFlags)
	if err != nil {
		return err
	}
	err = c.play(&bounded, s.Env())
	return errors.Join(err, stopStack(e, s))
}

// play plays tours until the time is over, each to its end, and checks all invariants.
func (c *demoCommand) play(e *env, vars map[string]string) error {
	began := e.clock()
	for n := 1; n == 1 || e.clock().Sub(began) < c.For; n++ {
		if err := playTour(e, vars); err != nil {
			return fmt.Errorf("tour %d: %w", n, err)
		}
	}
	if vars[simVariable] != "" {
		if err := printTraded(e, vars, began); err != nil {
			return err
		}
	}
	return checkInvariants(e, vars)
}

// printTraded says how much was settled since a moment.
func printTraded(e *env, vars map[string]string, since time.Time) error {
	pool, err := pg.Open(e.ctx, vars["STRONGROOM_DATABASE_URL"])
	if err != nil {
		return err
	}
	defer pool.Close()
	var trades, deposits, withdrawals, transfers int
	err = pool.QueryRow(e.ctx, `SELECT (SELECT count(*) FROM trading.trade WHERE time >= $2),
		(SELECT count(*) FROM custody.deposit WHERE state = 'withdrawable' AND seen_at >= $1),
		(SELECT count(*) FROM custody.withdrawal WHERE state = 'posted' AND created_at >= $1),
		(SELECT count(*) FROM funding.request WHERE state = 'done' AND created_at >= $1)`, since, since.UnixNano()).
		Scan(&trades, &deposits, &withdrawals, &transfers)
	if err != nil {
		return fmt.Errorf("count what was done: %w", err)
	}
	e.printf("in %s: %d trades settled, %d deposits, %d withdrawals, %d transfers between funding and trading\n",
		e.clock().Sub(since).Round(time.Second), trades, deposits, withdrawals, transfers)
	return nil
}
