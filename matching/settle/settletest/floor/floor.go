package floor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/ledger"
	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/matching/settle/settletest"
	"strongroom/matching/wire"
	"strongroom/money"
)

// Config holds what a Floor needs; Pool is migrated by ledger and settle, and as empty
// as the shard. All of it is needed but Seed.
type Config struct {
	Pool      *pgxpool.Pool
	Ledger    *ledger.Ledger
	Client    *client.Client
	Customers int
	Seed      uint64
}

const (
	base  = engine.AssetID(0)
	quote = engine.AssetID(1)

	lotUnits  = 1_000
	tickUnits = 3

	// plenty is what each customer has in funding of each asset, and funds what of it
	// goes to trading.
	plenty = 1 << 50
	funds  = 1 << 46
	// perCall is how many transfers the engine is told of at once.
	perCall = 256
)

func codes() []string { return []string{"BTC", "USDC"} }

// Floor is the customers. Its methods are for one goroutine.
type Floor struct {
	cfg       Config
	dice      *rand.Rand
	registry  *settle.Registry
	transfers *settle.Transfers
	session   *client.Session
	outward   []string // transfers that the engine was told of and that are not booked
}

// ErrRefused reports an engine that cannot be prepared.
var ErrRefused = errors.New("the engine refuses")

// New gives customers numbers and money and the engine a market, and moves part of the
// money there. It waits until a node leads, or ctx ends.
func New(ctx context.Context, cfg Config) (*Floor, error) {
	f := &Floor{
		cfg: cfg, dice: rand.New(rand.NewPCG(cfg.Seed, 51)), registry: settle.NewRegistry(cfg.Pool), //nolint:gosec // chance that can be repeated
		transfers: settle.NewTransfers(cfg.Pool, cfg.Ledger),
	}
	for no, code := range codes() {
		if err := f.found(ctx, no, code); err != nil {
			return nil, err
		}
	}
	market := settle.Market{No: 0, Base: base, Quote: quote, LotUnits: lotUnits, TickUnits: tickUnits}
	if err := f.registry.Define(ctx, market); err != nil {
		return nil, fmt.Errorf("define market: %w", err)
	}
	if err := f.market(ctx); err != nil {
		return nil, err
	}
	return f, f.fund(ctx)
}

// Close ends the floor's session with the shard.
func (f *Floor) Close() {
	if f.session != nil {
		f.session.Close()
	}
}

// found numbers an asset and everybody, and pays plenty in.
func (f *Floor) found(ctx context.Context, want int, code string) error {
	if no, err := f.registry.Asset(ctx, code); err != nil || int(no) != want {
		return fmt.Errorf("asset %s has number %d: %w", code, no, errors.Join(ErrRefused, err))
	}
	custody := ledger.AccountID("custody/test/" + code + "/deposits")
	accounts := []ledger.Account{{ID: custody, Asset: code, Class: ledger.Asset}}
	all, err := money.FromUint64(plenty).Mul(uint64(f.cfg.Customers)) //nolint:gosec // a count
	if err != nil {
		return fmt.Errorf("add up: %w", err)
	}
	if err := f.cfg.Ledger.Attest(ctx, ledger.Attestation{Asset: code, Source: "test", Amount: all}); err != nil {
		return fmt.Errorf("attest %s: %w", code, err)
	}
	tx := ledger.Transaction{ID: "fund/" + code}
	for n := range f.cfg.Customers {
		customer := settletest.Customer(engine.AccountID(n + 1))
		if no, err := f.registry.Account(ctx, customer); err != nil || int(no) != n+1 {
			return fmt.Errorf("%s has number %d: %w", customer, no, errors.Join(ErrRefused, err))
		}
		funding := ledger.AccountID("customer/" + customer + "/" + code + "/funding")
		accounts = append(accounts, ledger.Account{ID: funding, Asset: code, Class: ledger.Liability})
		tx.Legs = append(tx.Legs, ledger.Transfer{
			ID: ledger.TransferID("fund/" + code + "/" + customer), Kind: ledger.Single, Debit: custody, Credit: funding, Amount: money.FromUint64(plenty),
		})
	}
	if err := f.cfg.Ledger.Open(ctx, accounts...); err != nil {
		return fmt.Errorf("open accounts: %w", err)
	}
	if _, err := f.cfg.Ledger.Post(ctx, tx); err != nil {
		return fmt.Errorf("fund customers: %w", err)
	}
	return nil
}

// market makes the engine's market, with fees.
func (f *Floor) market(ctx context.Context) error {
	leader, err := f.leader(ctx)
	if err != nil {
		return err
	}
	terms := &engine.MarketConfig{
		Base: base, Quote: quote, LotUnits: lotUnits, TickUnits: tickUnits, MinQty: 1, MaxQty: 1 << 20, MaxSlippage: 1_000, MaxOrders: 1 << 16,
	}
	terms.Tiers[0] = engine.Fees{Maker: 900, Taker: 2_100}
	out, err := leader.Configure(ctx, &matchingv1.ConfigureRequest{Version: wire.Version, Config: wire.AppendConfig(nil, terms)})
	if err != nil || out.GetCode() != 0 {
		return fmt.Errorf("make market: code %d: %w", out.GetCode(), errors.Join(ErrRefused, err))
	}
	commands := []engine.Command{{Op: engine.OpState, State: engine.Open}}
	for n := range f.cfg.Customers {
		commands = append(commands, engine.Command{Op: engine.OpAccount, Account: engine.AccountID(n + 1)})
	}
	return f.Do(ctx, commands...)
}

func (f *Floor) fund(ctx context.Context) error {
	var commands []engine.Command
	for n := range f.cfg.Customers {
		for asset := range codes() {
			c, err := f.inward(ctx, engine.AccountID(n+1), engine.AssetID(asset), funds)
			if err != nil {
				return err
			}
			commands = append(commands, c)
		}
	}
	for len(commands) > 0 {
		n := min(perCall, len(commands))
		if err := f.Do(ctx, commands[:n]...); err != nil {
			return err
		}
		commands = commands[n:]
	}
	return nil
}

// retry is the pause before a shard without a leader is asked again.
const retry = 10 * time.Millisecond

func (f *Floor) leader(ctx context.Context) (matchingv1.MatchingClient, error) {
	for {
		leader, err := f.cfg.Client.Leader(ctx)
		if err == nil {
			return leader, nil
		}
		if !wait(ctx) {
			return nil, fmt.Errorf("find leader: %w", err)
		}
	}
}

func wait(ctx context.Context) bool {
	t := time.NewTimer(retry)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
