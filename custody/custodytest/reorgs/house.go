// Package reorgs puts a house on any chain of which somebody holds the miner's
// powers, lets blocks be replaced under its deposits and withdrawals, with and
// without a double spend, and compares what is left with what must be. It knows no
// chain and never runs in production.
package reorgs

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest"
	"strongroom/custody"
	"strongroom/custody/check"
	"strongroom/custody/custodydb"
	"strongroom/custody/custodytest"
	"strongroom/custody/desk"
	"strongroom/custody/intake"
	"strongroom/custody/watch"
	"strongroom/internal/id"
	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/ledger"
	"strongroom/money"
)

// Bed is a chain with the powers of its miner; chaintest.Harness is one.
type Bed interface {
	Adapter() chainadapters.Adapter
	Mine(tb testing.TB, n int)
	Reorg(tb testing.TB, depth int)
	DropPool(tb testing.TB)
	Fund(tb testing.TB, address string, units money.Units) (txid string)
	NewWallet(tb testing.TB) chaintest.Wallet
	Plenty() money.Units
}

// The policy of the house. Amounts up to instant need one block, those up to early
// are credited after one and mature after late, larger ones are credited after late.
const (
	chainName  chainadapters.ChainID = "chain"
	asset                            = "COIN"
	finalDepth                       = 5
	maxReorg                         = finalDepth - 1
	lateDepth                        = 8
	instant                          = 150_000
	early                            = 300_000
	fee                              = 1_000
)

// house is custody on one chain, with a database of its own.
type house struct {
	testing.TB

	bed      Bed
	customer string // of the case that is played
	keys     *keys
	pool     *pgxpool.Pool
	book     *ledger.Ledger
	store    *custodydb.Store
	intake   *intake.Intake
	desk     *desk.Desk
	watcher  *watch.Watcher
	info     custody.AssetInfo
	open     []string // withdrawals that have not ended
	asked    int
}

func newHouse(t *testing.T, bed Bed) *house {
	t.Helper()
	h := &house{TB: t, bed: bed, customer: id.New("cus"), keys: &keys{Adapter: bed.Adapter(), bed: bed, tb: t, made: map[string]chaintest.Wallet{}}}
	h.info = custody.AssetInfo{
		Asset: money.Asset{Code: asset, Scale: 8}, Chain: chainName, Native: asset,
		MinDeposit: units(fee), MinWithdrawal: units(fee), WithdrawalFee: units(fee), FinalDepth: finalDepth, State: custody.AssetListed,
		Tiers: []custody.Tier{
			{UpTo: units(instant), CreditDepth: 1, WithdrawDepth: 1},
			{UpTo: units(early), CreditDepth: 1, WithdrawDepth: lateDepth},
			{CreditDepth: lateDepth, WithdrawDepth: lateDepth + 1},
		},
	}
	ctx := h.ctx()
	var err error
	h.pool, err = pg.Open(ctx, testenv.Postgres(t, ledger.Migrations(), custodydb.Migrations())+"&pool_max_conns=16")
	h.must(err)
	t.Cleanup(h.pool.Close)
	h.book, err = ledger.New(ledger.Config{Pool: h.pool, Clock: now})
	h.must(err)
	t.Cleanup(func() { _ = h.book.Close(context.WithoutCancel(ctx)) })
	h.wire()
	h.must(h.store.OpenAccounts(ctx, "", h.info))
	hot, err := h.store.HotAddress(ctx, chainName)
	h.must(err)
	bed.Fund(t, hot.Address, bed.Plenty())
	h.mine(lateDepth)
	return h
}

// serve lets the house serve another case, with a customer of its own.
func (h *house) serve(t *testing.T) {
	t.Helper()
	h.TB, h.keys.tb, h.customer = t, t, id.New("cus")
}

func now() time.Time { return time.Now() } //nolint:forbidigo // nothing here depends on it

func (h *house) wire() {
	adapters := map[chainadapters.ChainID]chainadapters.Adapter{chainName: h.keys}
	assets := custodytest.Assets{h.info}
	log := slog.New(slog.DiscardHandler)
	var err error
	h.store, err = custodydb.New(custodydb.Config{
		Pool: h.pool, Ledger: h.book, Assets: assets, Adapters: adapters, Environment: "test",
		XPubs: map[chainadapters.ChainID]custodydb.XPubs{chainName: {Deposit: "deposit", Hot: "hot"}},
	})
	h.must(err)
	nobody := &custodytest.Sanctions{}
	h.intake, err = intake.New(intake.Config{Store: h.store, Ledger: h.book, Assets: assets, Adapters: adapters, Screening: nobody, Log: log})
	h.must(err)
	h.desk, err = desk.New(desk.Config{
		Store: h.store, Adapters: adapters, Assets: assets, Signer: h.keys, Screening: nobody, Log: log, Clock: now,
	})
	h.must(err)
	head, err := h.keys.Head(h.ctx())
	h.must(err)
	h.watcher, err = watch.New(watch.Config{
		Chain: chainName, Adapter: h.keys, Store: h.store, Assets: assets, StartHeight: head.Height, MaxReorg: maxReorg,
		Poll: time.Second, Log: log,
	})
	h.must(err)
}

func (h *house) ctx() context.Context { return h.Context() }

func (h *house) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// mine adds blocks and lets the house do what is due after the first and after the
// last.
func (h *house) mine(n int) {
	h.Helper()
	for _, blocks := range []int{min(n, 1), n - 1} {
		if blocks > 0 {
			h.bed.Mine(h.TB, blocks)
			h.follow()
		}
	}
}

// follow takes in what the chain has and lets the house do what is due.
func (h *house) follow() {
	h.Helper()
	for more := true; more; {
		var err error
		more, err = h.watcher.Look(h.ctx())
		h.must(err)
	}
	for {
		rows, err := h.store.Outbox(h.ctx(), 500)
		h.must(err)
		if len(rows) == 0 {
			break
		}
		var sent []int64
		for _, r := range rows {
			sent = append(sent, r.Seq)
			if r.Topic == custodydb.TopicDeposit {
				_, _ = h.intake.Advance(h.ctx(), r.Subject) // what cannot move now is told of again
			}
		}
		h.must(h.store.OutboxSent(h.ctx(), sent))
	}
	h.walk()
	h.must(h.intake.RepayDebts(h.ctx()))
	_ = h.desk.ResendOrphans(h.ctx()) // a halted chain is asked again later
	_ = h.desk.CorrectFees(h.ctx())
}

// walk takes each step of each withdrawal that can be taken now.
func (h *house) walk() {
	h.Helper()
	h.open = slices.DeleteFunc(h.open, func(w string) bool {
		r, err := h.store.LoadIntent(h.ctx(), w)
		h.must(err)
		return r.State.Ended()
	})
	for _, w := range h.open {
		for _, step := range []func(context.Context, string) (custody.Progress, error){
			h.desk.Screen, h.desk.Reserve, h.desk.Sign, h.desk.Send, h.desk.Observe, h.desk.Observe, h.desk.Settle,
		} {
			_, _ = step(h.ctx(), w) // what cannot be done now is tried after the next block
		}
	}
}

// withdraw asks for a payment to a fresh address.
func (h *house) withdraw(amount uint64) (custody.Withdrawal, error) {
	h.asked++
	w, _, err := h.store.CreateWithdrawal(h.ctx(), custody.WithdrawalRequest{
		Customer: h.customer, IdempotencyKey: strconv.Itoa(h.asked), Asset: asset, To: h.bed.NewWallet(h.TB).Address, Amount: units(amount),
	})
	return w, err
}

// deposit pays the customer from a stranger whom nobody can double spend.
func (h *house) deposit(amount uint64) {
	h.Helper()
	h.bed.Fund(h.TB, h.depositAddress(), units(amount))
}

func (h *house) depositAddress() string {
	h.Helper()
	a, err := h.store.DepositAddress(h.ctx(), h.customer, asset)
	h.must(err)
	return a.Address
}

// balances is what the customer has and owes.
type balances struct{ funding, held, maturing, debt money.Units }

func (h *house) balances() balances {
	h.Helper()
	list, err := h.book.Balances(h.ctx(), custody.FundingAccount(h.customer, asset), custody.MaturingAccount(h.customer, asset), custody.DebtAccount(h.customer, asset))
	h.must(err)
	return balances{list[0].Available(), list[0].DebitsPending, list[1].Available(), list[2].Available()}
}

// violations runs the checker of production.
func (h *house) violations() []check.Violation {
	h.Helper()
	found, err := check.Run(h.ctx(), check.Config{
		Pool: h.pool, Assets: custodytest.Assets{h.info}, Adapters: map[chainadapters.ChainID]chainadapters.Adapter{chainName: h.keys},
	})
	h.must(err)
	return found
}

func units(n uint64) money.Units { return money.FromUint64(n) }
