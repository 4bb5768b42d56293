package watch_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest"
	"strongroom/chainadapters/chaintest/nodes"
	"strongroom/custody"
	"strongroom/custody/check"
	"strongroom/custody/custodydb"
	"strongroom/custody/custodytest"
	"strongroom/custody/intake"
	"strongroom/custody/watch"
	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/ledger"
	"strongroom/money"
)

// evmChain is the chain of these tests: a real node.
const evmChain chainadapters.ChainID = "ethereum-dev"

// Public keys for these tests; nothing signs with what belongs to them.
const (
	depositXPub = "xpub6CyqzUqFfRqXNWN9EM8DXiVitCcjxCZi2uDaamzGYkqFvJWqx44tBig3sbNgcD5URGu8QGo4DpbVHW56o3GojzVKNmbSR7jPFsy86S6i1um"
	hotXPub     = "xpub6Bz8zxtYcGA79RPBYWv5y8AP4c65cazV5tAZdTAenR2h4PsBZ73JSxNmanEWRgCG7iWtSPo7T6n7AfCCKHaj9adsp3YgwMuNWCQVnani8vV"
)

// house takes deposits on a real node.
type house struct {
	pool    *pgxpool.Pool
	book    *ledger.Ledger
	store   *custodydb.Store
	intake  *intake.Intake
	watcher *watch.Watcher
	adapter chainadapters.Adapter
	assets  custodytest.Assets
}

// newEVMHouse lists ether and the given contracts by code, and looks at the chain
// through adapter.
func newEVMHouse(tb testing.TB, adapter chainadapters.Adapter, contracts map[string]string) *house {
	tb.Helper()
	h := &house{adapter: adapter}
	list := func(code, contract string) {
		h.assets = append(h.assets, custody.AssetInfo{
			Asset: money.Asset{Code: code, Scale: 6}, Chain: evmChain, Contract: contract, Native: "ETH",
			MinDeposit: money.FromUint64(1), MinWithdrawal: money.FromUint64(1), FinalDepth: 3, State: custody.AssetListed,
			Tiers: []custody.Tier{{CreditDepth: 1, WithdrawDepth: 2}},
		})
	}
	list("ETH", "")
	for code, contract := range contracts {
		list(code, contract)
	}
	var err error
	h.pool, err = pg.Open(context.Background(), testenv.Postgres(tb, ledger.Migrations(), custodydb.Migrations()))
	ok(tb, err)
	tb.Cleanup(h.pool.Close)
	h.book, err = ledger.New(ledger.Config{Pool: h.pool, Clock: time.Now}) //nolint:forbidigo // nothing here depends on it
	ok(tb, err)
	tb.Cleanup(func() { _ = h.book.Close(context.Background()) })
	adapters := map[chainadapters.ChainID]chainadapters.Adapter{evmChain: adapter}
	h.store, err = custodydb.New(custodydb.Config{
		Pool: h.pool, Ledger: h.book, Assets: h.assets, Adapters: adapters, Environment: "test",
		XPubs: map[chainadapters.ChainID]custodydb.XPubs{evmChain: {Deposit: depositXPub, Hot: hotXPub}},
	})
	ok(tb, err)
	log := slog.New(slog.NewTextHandler(tb.Output(), nil))
	h.intake, err = intake.New(intake.Config{
		Store: h.store, Ledger: h.book, Assets: h.assets, Adapters: adapters, Log: log, Screening: &custodytest.Sanctions{},
	})
	ok(tb, err)
	h.watcher, err = watch.New(watch.Config{
		Chain: evmChain, Adapter: adapter, Store: h.store, Assets: h.assets, MaxReorg: 2, Poll: time.Second, Log: log,
	})
	ok(tb, err)
	_, err = h.store.HotAddress(context.Background(), evmChain)
	ok(tb, err)
	return h
}

func ok(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// address is where a customer's deposits of an asset go.
func (h *house) address(tb testing.TB, asset string) string {
	tb.Helper()
	a, err := h.store.DepositAddress(context.Background(), "cus_a", asset)
	ok(tb, err)
	return a.Address
}

// follow takes in all blocks and advances every deposit as far as it goes.
func (h *house) follow(tb testing.TB) {
	tb.Helper()
	ctx := context.Background()
	for more := true; more; {
		var err error
		more, err = h.watcher.Look(ctx)
		ok(tb, err)
	}
	chain, err := h.store.Chain(ctx, evmChain)
	ok(tb, err)
	if chain.Status != custodydb.ChainOK {
		tb.Fatalf("the chain is %s: %s", chain.Status, chain.Reason)
	}
	page, _, err := h.store.Deposits(ctx, "cus_a", "", 500)
	ok(tb, err)
	for _, d := range page {
		_, err := h.intake.Advance(ctx, d.ID)
		ok(tb, err)
	}
}

// credited is what the customer got of an asset.
func (h *house) credited(tb testing.TB, asset string) money.Units {
	tb.Helper()
	var sum money.Units
	for _, account := range []ledger.AccountID{custody.FundingAccount("cus_a", asset), custody.MaturingAccount("cus_a", asset)} {
		b, err := h.book.Balance(context.Background(), account)
		ok(tb, err)
		sum, err = sum.Add(b.Available())
		ok(tb, err)
	}
	return sum
}

// clean makes sure that no invariant is violated: that what the book says custody
// holds is what is on chain is one of them.
func (h *house) clean(tb testing.TB) {
	tb.Helper()
	found, err := check.Run(context.Background(), check.Config{
		Pool: h.pool, Assets: h.assets, Adapters: map[chainadapters.ChainID]chainadapters.Adapter{evmChain: h.adapter},
		Grace: time.Minute, // nobody carries messages here
	})
	ok(tb, err)
	for _, v := range found {
		tb.Errorf("violation: %s", v)
	}
}

func units(n uint64) money.Units { return money.FromUint64(n) }

// TestHostileTokensAreCreditedAsTheyArrived: every hostile token, an honest one
// and ether that contracts send, all listed and deposited in the same blocks.
func TestHostileTokensAreCreditedAsTheyArrived(t *testing.T) {
	node, none := nodes.NewAnvil(t), money.Units{}
	contracts := map[string]string{"TUSD": node.Token()}
	names := map[string]string{
		"LYING": "LyingTransfer", "FEE": "FeeToken", "REBASE": "Rebasing", "BROKEN": "Reverting", "FALSE": "ReturnsFalse",
		"SILENT": "ReturnsNothing", "AGAIN": "Reentrant", "DECIMALS": "ChangingDecimals", "HUGE": "HugeRevert",
	}
	for code, name := range names {
		contracts[code] = node.Deploy(t, name)
		node.Invoke(t, contracts[code], "mint", none, node.Stranger(), units(1_000_000))
	}
	sender := node.Deploy(t, "EthSender")
	h := newEVMHouse(t, node.Adapter(), contracts)
	h.follow(t)
	pay := func(code, method string, args ...any) {
		node.Invoke(t, contracts[code], method, none, append([]any{h.address(t, code)}, args...)...)
	}
	for _, code := range []string{"LYING", "FEE", "REBASE", "FALSE", "SILENT", "AGAIN", "DECIMALS", "HUGE"} {
		pay(code, "transfer", units(1_000))
	}
	pay("BROKEN", "transferAndBreak", units(1_000))
	pay("LYING", "transferLess", units(900), units(9))
	node.FundToken(t, h.address(t, "TUSD"), units(1_000))
	node.Invoke(t, sender, "send", units(1_000), h.address(t, "ETH"))
	node.Invoke(t, sender, "sendAndUndo", units(500), h.address(t, "ETH"), units(200), units(300))
	node.Mine(t, 1)
	h.follow(t)
	pay("FEE", "transfer", units(500))
	pay("LYING", "transfer", units(100))
	node.Mine(t, 3)
	h.follow(t)
	for code, want := range map[string]uint64{
		"LYING": 9, "FEE": 1_350, "REBASE": 1_000, "BROKEN": 0, "FALSE": 0, "SILENT": 1_000, "AGAIN": 1_000, "DECIMALS": 1_000, "HUGE": 0,
		"TUSD": 1_000, "ETH": 1_200,
	} {
		if got := h.credited(t, code); got != units(want) {
			t.Errorf("%s: credited %s, want %d", code, got, want)
		}
	}
	h.clean(t)
}

// TestEtherFromContractsWithoutTraces: a node that cannot trace hides nothing.
func TestEtherFromContractsWithoutTraces(t *testing.T) {
	node := nodes.NewAnvil(t)
	proxy := chaintest.NewProxy(t, node.Config().URL)
	proxy.Answer("debug_traceBlockByHash", func(chaintest.Call, func(chaintest.Call) chaintest.Reply) chaintest.Reply {
		return chaintest.Reply{Error: json.RawMessage(`{"code":-32601,"message":"the method debug_traceBlockByHash does not exist/is not available"}`)}
	})
	cfg := node.Config()
	cfg.URL = proxy.URL()
	sender := node.Deploy(t, "EthSender")
	h := newEVMHouse(t, node.Open(t, cfg), map[string]string{"TUSD": node.Token()})
	h.follow(t)
	ether, dollar := h.address(t, "ETH"), h.address(t, "TUSD") // ether at an address for dollars is the customer's too
	node.Fund(t, ether, units(7))
	node.Invoke(t, sender, "sendMany", units(60), []string{ether, dollar, ether}, []money.Units{units(10), units(20), units(30)})
	node.Invoke(t, sender, "sendThenRevert", units(5), ether, units(5))
	node.Mine(t, 1)
	h.follow(t)
	node.Fund(t, ether, units(8)) // a plain block needs no trace
	node.Mine(t, 3)
	h.follow(t)
	if got := h.credited(t, "ETH"); got != units(75) {
		t.Errorf("credited %s, want 75", got)
	}
	h.clean(t)
}
