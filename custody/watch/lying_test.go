package watch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest"
	"strongroom/chainadapters/chaintest/nodes"
	"strongroom/chainadapters/fakechain"
	"strongroom/chainadapters/quorum"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/custodytest"
	"strongroom/custody/intake"
	"strongroom/custody/watch"
	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/ledger"
	"strongroom/money"
)

// twoChains is a house on a real account chain that is seen through several
// proxies, and on coins in memory.
type twoChains struct {
	house

	evm   *nodes.EVM
	liar  *chaintest.Proxy // in front of the last node
	nodes *quorum.Adapter
	coins *fakechain.Chain
	other *watch.Watcher
}

// probation is how many blocks a liar has to agree on.
const probation = 2

func newTwoChains(t *testing.T, evm *nodes.EVM, n int) *twoChains {
	t.Helper()
	h := &twoChains{evm: evm}
	cfg := quorum.Config{Chain: evmChain, Policy: chainadapters.NodePolicy{Probation: probation}, Grace: 5 * time.Second}
	for i := range n {
		h.liar = chaintest.NewProxy(t, evm.Config().URL)
		one := evm.Config()
		one.URL = h.liar.URL()
		cfg.Nodes = append(cfg.Nodes, quorum.Node{Name: fmt.Sprintf("node%d", i), Adapter: evm.Open(t, one)})
	}
	var err error
	h.nodes, err = quorum.New(cfg)
	ok(t, err)
	h.coins, err = fakechain.New(fakechain.Config{Family: chainadapters.UTXO, Network: "fakecoins"})
	ok(t, err)
	adapters := map[chainadapters.ChainID]chainadapters.Adapter{evmChain: h.nodes, custodytest.Coins: h.coins.Adapter(h.coins.Identity())}
	for code, contract := range map[string]string{"ETH": "", "TUSD": evm.Token(), "BTC": ""} {
		info := custody.AssetInfo{
			Asset: money.Asset{Code: code, Scale: 6}, Chain: evmChain, Contract: contract, Native: "ETH",
			MinDeposit: units(1), MinWithdrawal: units(1), FinalDepth: 3, State: custody.AssetListed,
			Tiers: []custody.Tier{{CreditDepth: 1, WithdrawDepth: 2}},
		}
		if code == "BTC" {
			info.Chain, info.Native = custodytest.Coins, code
		}
		h.assets = append(h.assets, info)
	}
	h.pool, err = pg.Open(context.Background(), testenv.Postgres(t, ledger.Migrations(), custodydb.Migrations()))
	ok(t, err)
	t.Cleanup(h.pool.Close)
	h.book, err = ledger.New(ledger.Config{Pool: h.pool, Clock: time.Now}) //nolint:forbidigo // the node has a clock of its own
	ok(t, err)
	t.Cleanup(func() { _ = h.book.Close(context.Background()) })
	h.store, err = custodydb.New(custodydb.Config{
		Pool: h.pool, Ledger: h.book, Assets: h.assets, Adapters: adapters, Environment: "test",
		XPubs: map[chainadapters.ChainID]custodydb.XPubs{
			evmChain:          {Deposit: depositXPub, Hot: hotXPub},
			custodytest.Coins: {Deposit: fakechain.PublicKey("deposits"), Hot: fakechain.PublicKey("hot")},
		},
	})
	ok(t, err)
	log := slog.New(slog.DiscardHandler)
	h.intake, err = intake.New(intake.Config{Store: h.store, Ledger: h.book, Assets: h.assets, Adapters: adapters, Log: log, Screening: &custodytest.Sanctions{}})
	ok(t, err)
	watcher := func(chain chainadapters.ChainID) *watch.Watcher {
		w, err := watch.New(watch.Config{Chain: chain, Adapter: adapters[chain], Store: h.store, Assets: h.assets, MaxReorg: 2, Poll: time.Second, Log: log})
		ok(t, err)
		_, err = h.store.HotAddress(context.Background(), chain)
		ok(t, err)
		return w
	}
	h.adapter, h.watcher, h.other = h.nodes, watcher(evmChain), watcher(custodytest.Coins)
	return h
}

// look takes in what both chains let it, and gives what deposits are due.
func (h *twoChains) look(t *testing.T) custodydb.ChainStatus {
	t.Helper()
	ctx := context.Background()
	for _, w := range []*watch.Watcher{h.watcher, h.other} {
		for more := true; more; {
			var err error
			more, err = w.Look(ctx)
			ok(t, err)
		}
	}
	page, _, err := h.store.Deposits(ctx, "cus_a", "", 500)
	ok(t, err)
	for _, d := range page {
		_, _ = h.intake.Advance(ctx, d.ID) // refused where its chain stands still
	}
	other, err := h.store.Chain(ctx, custodytest.Coins)
	ok(t, err)
	if other.Status != custodydb.ChainOK {
		t.Fatalf("the other chain is %s: %s", other.Status, other.Reason)
	}
	chain, err := h.store.Chain(ctx, evmChain)
	ok(t, err)
	return chain
}

// deposit sends 1,000 units of each asset and mines one block on each chain.
func (h *twoChains) deposit(t *testing.T) {
	t.Helper()
	h.evm.Fund(t, h.address(t, "ETH"), units(1_000))
	h.evm.FundToken(t, h.address(t, "TUSD"), units(1_000))
	h.evm.Mine(t, 1)
	_, err := h.coins.Pay(chainadapters.Payment{To: h.address(t, "BTC"), Amount: units(1_000)})
	ok(t, err)
	ok(t, h.coins.Mine(1))
}

// untruths are what a liar makes of a node's answers, by method.
func untruths() map[string]map[string]chaintest.Rule {
	swap := func(from, to string) chaintest.Rule {
		return func(call chaintest.Call, forward func(chaintest.Call) chaintest.Reply) chaintest.Reply {
			reply := forward(call)
			reply.Result = bytes.ReplaceAll(reply.Result, []byte(from), []byte(to))
			return reply
		}
	}
	more := func(call chaintest.Call, forward func(chaintest.Call) chaintest.Reply) chaintest.Reply {
		reply := forward(call)
		var text string
		if json.Unmarshal(reply.Result, &text) == nil && len(text) > 2 {
			last := "7"
			if text[len(text)-1:] == last {
				last = "9"
			}
			reply.Result, _ = json.Marshal(text[:len(text)-1] + last)
		}
		return reply
	}
	hash := func(call chaintest.Call, forward func(chaintest.Call) chaintest.Reply) chaintest.Reply {
		reply := forward(call)
		var block map[string]json.RawMessage
		if string(call.Params[0]) == `"0x0"` || json.Unmarshal(reply.Result, &block) != nil || block == nil {
			return reply
		}
		block["hash"] = json.RawMessage(fmt.Sprintf("%q", "0x"+fmt.Sprintf("%064x", 0xbad)))
		reply.Result, _ = json.Marshal(block)
		return reply
	}
	receipt, logs := swap(`"status":"0x1"`, `"status":"0x0"`), swap("00000003e8", "0000ffffff")
	return map[string]map[string]chaintest.Rule{
		"receipt": {"eth_getBlockReceipts": receipt, "eth_getTransactionReceipt": receipt},
		"logs":    {"eth_getBlockReceipts": logs, "eth_getLogs": logs},
		"balance": {"eth_getBalance": more, "eth_call": more},
		"hash":    {"eth_getBlockByNumber": hash},
	}
}

func (h *twoChains) lie(rules map[string]chaintest.Rule, on bool) {
	for method, rule := range rules {
		if !on {
			rule = nil
		}
		h.liar.Answer(method, rule)
	}
}

// state tells whether the liar is in a state.
func (h *twoChains) state(t *testing.T, want chainadapters.NodeState) bool {
	t.Helper()
	list := h.nodes.Nodes()
	return list[len(list)-1].State == want
}

// heal lets the liar tell the truth and mines until it counts again.
func (h *twoChains) heal(t *testing.T) {
	t.Helper()
	for tries := 0; ; tries++ {
		h.evm.Mine(t, 1)
		status := h.look(t)
		if status.Status == custodydb.ChainOK && h.state(t, chainadapters.NodeOK) {
			return
		}
		if tries > 200 {
			t.Fatalf("it never comes back: %+v, nodes %+v", status, h.nodes.Nodes())
		}
	}
}

func (h *twoChains) has(t *testing.T, when string, deposits uint64, codes ...string) {
	t.Helper()
	for _, code := range codes {
		if got := h.credited(t, code); got != money.FromUint64(1_000*deposits) {
			t.Fatalf("%s: %s credited %s after %d deposits of 1000", when, code, got, deposits)
		}
	}
}

// TestALyingNodeOfTwoStopsItsChain: whatever it lies about, nothing is credited
// from that block on until the nodes agree, and the other chain goes on.
func TestALyingNodeOfTwoStopsItsChain(t *testing.T) {
	h := newTwoChains(t, nodes.NewAnvil(t), 2)
	h.heal(t)
	deposits := uint64(0)
	for name, rules := range untruths() {
		h.lie(rules, true)
		before := h.look(t).Cursor
		h.deposit(t)
		for range 3 {
			status := h.look(t)
			if status.Status != custodydb.ChainHalted || status.Cursor != before {
				t.Fatalf("%s: the chain is %s at %d, it was at %d; nodes %+v", name, status.Status, status.Cursor.Height, before.Height, h.nodes.Nodes())
			}
		}
		h.has(t, name, deposits, "ETH", "TUSD")
		deposits++
		h.has(t, name+", elsewhere", deposits, "BTC")
		h.lie(rules, false)
		h.heal(t)
		h.has(t, name+" is over", deposits, "ETH", "TUSD", "BTC")
	}
}

// TestALyingNodeOfThreeIsEjected: within the block that it lies about, and nobody
// waits for it.
func TestALyingNodeOfThreeIsEjected(t *testing.T) {
	h := newTwoChains(t, nodes.NewAnvil(t), 3)
	h.heal(t)
	deposits := uint64(0)
	for name, rules := range untruths() {
		h.lie(rules, true)
		h.deposit(t)
		deposits++
		status := h.look(t)
		for tries := 0; tries < 200 && !h.state(t, chainadapters.NodeEjected); tries++ {
			status = h.look(t) // its answers are judged when they come
		}
		if status.Status != custodydb.ChainOK || !h.state(t, chainadapters.NodeEjected) {
			t.Fatalf("%s: the chain is %s: %s; nodes %+v", name, status.Status, status.Reason, h.nodes.Nodes())
		}
		h.has(t, name, deposits, "ETH", "TUSD", "BTC")
		h.lie(rules, false)
		h.heal(t)
		h.has(t, name+" is over", deposits, "ETH", "TUSD", "BTC")
	}
}
