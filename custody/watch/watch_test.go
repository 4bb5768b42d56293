package watch_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/custodytest"
	"strongroom/money"
)

func TestDepositGoesFromBlockToFunds(t *testing.T) {
	k := custodytest.New(t)
	for _, asset := range []string{custodytest.BTC, custodytest.ETH, custodytest.TUSD} {
		info, _ := k.Assets.AssetByCode(asset)
		to := k.Address(t, "cus_a", asset)
		k.Pay(t, asset, to, 500_000)
		k.Mine(t, info.Chain, 1)
		want(t, k, asset, 0, 0, "after one confirmation")
		k.Mine(t, info.Chain, 1)
		want(t, k, asset, 0, 500_000, "at the credit depth")
		k.Mine(t, info.Chain, 1)
		want(t, k, asset, 500_000, 0, "at the withdrawal depth")
	}
	page, next, err := k.Store.Deposits(context.Background(), "cus_a", "", 2)
	if err != nil || len(page) != 2 || next == "" {
		t.Fatalf("first page: %d rows, next %q, %v", len(page), next, err)
	}
	rest, next, err := k.Store.Deposits(context.Background(), "cus_a", next, 2)
	if err != nil || len(rest) != 1 || next != "" || rest[0].State != custody.DepositWithdrawable {
		t.Fatalf("second page: %+v, next %q, %v", rest, next, err)
	}
	if _, err := k.Store.Deposit(context.Background(), "cus_b", rest[0].ID); !errors.Is(err, custody.ErrNotFound) {
		t.Fatalf("another customer reads it: %v", err)
	}
	events, err := k.Store.Events(context.Background(), "cus_a", 0, 100)
	if err != nil || len(events) != 9 {
		t.Fatalf("%d events, %v", len(events), err)
	}
}

func TestLargeAmountsWaitLonger(t *testing.T) {
	k := custodytest.New(t)
	k.Pay(t, custodytest.BTC, k.Address(t, "cus_a", custodytest.BTC), custodytest.Small+1)
	k.Mine(t, custodytest.Coins, custodytest.LargeDepth-1)
	want(t, k, custodytest.BTC, 0, 0, "one short of the second tier")
	k.Mine(t, custodytest.Coins, 1)
	want(t, k, custodytest.BTC, 0, custodytest.Small+1, "at the second tier")
}

func TestDustIsHeld(t *testing.T) {
	k := custodytest.New(t)
	k.Pay(t, custodytest.BTC, k.Address(t, "cus_a", custodytest.BTC), custodytest.Dust-1)
	k.Mine(t, custodytest.Coins, custodytest.FinalDepth+1)
	want(t, k, custodytest.BTC, 0, 0, "dust")
	page, _, err := k.Store.Deposits(context.Background(), "cus_a", "", 9)
	if err != nil || len(page) != 1 || page[0].State != custody.DepositDust {
		t.Fatalf("%+v, %v", page, err)
	}
}

func TestHouseFundsItself(t *testing.T) {
	k := custodytest.New(t)
	hot, err := k.Store.HotAddress(context.Background(), custodytest.Accounts)
	if err != nil {
		t.Fatal(err)
	}
	k.Pay(t, custodytest.ETH, hot.Address, 77)
	k.Mine(t, custodytest.Accounts, custodytest.FinalDepth-1)
	if got := k.Available(t, custody.EquityAccount(custodytest.ETH)); !got.IsZero() {
		t.Fatalf("equity %s before it is final", got)
	}
	k.Mine(t, custodytest.Accounts, 1)
	if got := k.Available(t, custody.HotAccount(custodytest.Accounts, custodytest.ETH)); got != money.FromUint64(77) {
		t.Fatalf("hot wallet %s", got)
	}
}

// TestReorgTakesBackAndCreditsOnce: a credited deposit vanishes after its owner
// spent it, comes back, and is credited once more with the debt repaid first.
func TestReorgTakesBackAndCreditsOnce(t *testing.T) {
	k := custodytest.New(t)
	ctx := context.Background()
	k.Pay(t, custodytest.BTC, k.Address(t, "cus_a", custodytest.BTC), 5_000)
	k.Mine(t, custodytest.Coins, 3)
	want(t, k, custodytest.BTC, 5_000, 0, "matured")
	spend(t, k, "cus_a", custodytest.BTC, 4_000)

	if err := k.Chains[custodytest.Coins].Reorg(3); err != nil {
		t.Fatal(err)
	}
	k.Look(t, custodytest.Coins)
	k.Deliver(t)
	want(t, k, custodytest.BTC, 0, 0, "taken back")
	if got := k.Available(t, custody.DebtAccount("cus_a", custodytest.BTC)); got != money.FromUint64(4_000) {
		t.Fatalf("debt %s", got)
	}
	if !frozen(t, k, "cus_a") {
		t.Fatal("a debtor is not frozen")
	}
	if err := k.Store.ClearHalt(ctx, "nowhere", 0); !errors.Is(err, custody.ErrNotFound) {
		t.Fatal(err)
	}

	k.Mine(t, custodytest.Coins, 3) // the pool still has it
	want(t, k, custodytest.BTC, 1_000, 0, "credited again, debt repaid first")
	if got := k.Available(t, custody.DebtAccount("cus_a", custodytest.BTC)); !got.IsZero() || frozen(t, k, "cus_a") {
		t.Fatalf("debt %s, frozen %v", got, frozen(t, k, "cus_a"))
	}
	page, _, err := k.Store.Deposits(ctx, "cus_a", "", 9)
	if err != nil || len(page) != 1 {
		t.Fatalf("the deposit has %d rows, %v", len(page), err)
	}
}

func TestBadNodesHaltAndRecover(t *testing.T) {
	k := custodytest.New(t)
	ctx := context.Background()
	to := k.Address(t, "cus_a", custodytest.BTC)
	k.Pay(t, custodytest.BTC, to, 5_000)
	k.Mine(t, custodytest.Coins, 1)
	for fault, reason := range map[fakechain.Fault]string{ //nolint:exhaustive // the others are faults of sending
		fakechain.Down: "node is down", fakechain.Timeout: "deadline", fakechain.NullBlock: "incomplete",
		fakechain.PartialBlock: "incomplete", fakechain.Lagging: "lags", fakechain.Foreign: "another network",
	} {
		k.Pay(t, custodytest.BTC, to, 2_000)
		if fault == fakechain.Lagging {
			k.Look(t, custodytest.Coins)
		}
		k.Nodes[custodytest.Coins].Break(fault)
		if fault != fakechain.Lagging {
			mine(t, k, 1)
		}
		k.Look(t, custodytest.Coins)
		k.Nodes[custodytest.Coins].Break(fakechain.None)
		status := chain(t, k)
		if status.Status != custodydb.ChainHalted || !strings.Contains(status.Reason, reason) || status.Operator {
			t.Errorf("fault %d: %+v", fault, status)
		}
		if other, err := k.Store.Chains(ctx); err != nil || len(other) != 1 {
			t.Errorf("other chains: %+v, %v", other, err)
		}
		mine(t, k, 1)
		k.Look(t, custodytest.Coins)
		if status := chain(t, k); status.Status != custodydb.ChainOK || status.Cursor.Height != status.HeadHeight {
			t.Errorf("after fault %d: %+v", fault, status)
		}
		k.Deliver(t)
	}
	k.Mine(t, custodytest.Coins, 3)
	want(t, k, custodytest.BTC, 5_000+6*2_000, 0, "after all faults")
}

// TestOtherChainsGoOn: one chain's node is down, deposits on the other are credited.
func TestOtherChainsGoOn(t *testing.T) {
	k := custodytest.New(t)
	k.Nodes[custodytest.Coins].Break(fakechain.Down)
	k.Look(t, custodytest.Coins)
	if status := chain(t, k); status.Status != custodydb.ChainHalted || status.Started() {
		t.Fatalf("%+v", status)
	}
	k.Pay(t, custodytest.ETH, k.Address(t, "cus_a", custodytest.ETH), 5_000)
	k.Mine(t, custodytest.Accounts, custodytest.WithdrawDepth)
	want(t, k, custodytest.ETH, 5_000, 0, "while the other chain is down")
}

func TestHaltedChainCreditsNothing(t *testing.T) {
	k := custodytest.New(t)
	ctx := context.Background()
	k.Pay(t, custodytest.BTC, k.Address(t, "cus_a", custodytest.BTC), 5_000)
	mine(t, k, 3)
	k.Look(t, custodytest.Coins)
	if err := k.Store.HaltChain(ctx, custodytest.Coins, "test", false); err != nil {
		t.Fatal(err)
	}
	failed := k.Deliver(t)
	if len(failed) != 1 {
		t.Fatalf("%d deposits refused", len(failed))
	}
	for id, err := range failed {
		if !errors.Is(err, custody.ErrChainHalted) {
			t.Errorf("%s: %v", id, err)
		}
	}
	want(t, k, custodytest.BTC, 0, 0, "while halted")
	k.Mine(t, custodytest.Coins, 1) // the next block tells again
	want(t, k, custodytest.BTC, 5_000, 0, "afterwards")
}

func TestDeepReorgWaitsForAPerson(t *testing.T) {
	k := custodytest.New(t)
	ctx := context.Background()
	k.Pay(t, custodytest.BTC, k.Address(t, "cus_a", custodytest.BTC), 5_000)
	k.Mine(t, custodytest.Coins, custodytest.FinalDepth+3)
	if err := k.Chains[custodytest.Coins].Reorg(custodytest.FinalDepth + 1); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		k.Look(t, custodytest.Coins)
		if status := chain(t, k); !status.Operator || status.Status != custodydb.ChainHalted {
			t.Fatalf("%+v", status)
		}
	}
	want(t, k, custodytest.BTC, 5_000, 0, "while it waits")
	if err := k.Store.ClearHalt(ctx, custodytest.Coins, custodytest.FinalDepth+1); err != nil {
		t.Fatal(err)
	}
	k.Look(t, custodytest.Coins)
	k.Deliver(t)
	if status := chain(t, k); status.Status != custodydb.ChainOK || status.Allowed != 0 {
		t.Fatalf("%+v", status)
	}
	k.Mine(t, custodytest.Coins, 3)
	want(t, k, custodytest.BTC, 5_000, 0, "on the new branch")
}

func TestAnotherGenesisIsForeignForEver(t *testing.T) {
	k := custodytest.New(t)
	k.Mine(t, custodytest.Coins, 2)
	other, err := fakechain.New(fakechain.Config{Family: chainadapters.UTXO, Network: "else"})
	if err != nil {
		t.Fatal(err)
	}
	healthy := k.Nodes[custodytest.Coins]
	k.Nodes[custodytest.Coins] = other.Adapter(other.Identity()) // reconfigured to another network on the same database
	k.Look(t, custodytest.Coins)
	if status := chain(t, k); status.Status != custodydb.ChainHalted || !strings.Contains(status.Reason, "pinned") {
		t.Fatalf("%+v", status)
	}
	k.Nodes[custodytest.Coins] = healthy
	k.Look(t, custodytest.Coins)
	if status := chain(t, k); status.Status != custodydb.ChainOK {
		t.Fatalf("%+v", status)
	}
}

func TestOldHeadIsLagging(t *testing.T) {
	k := custodytest.New(t)
	k.Mine(t, custodytest.Coins, 2)
	w := aged(t, k, time.Hour)
	if _, err := w.Look(context.Background()); err != nil {
		t.Fatal(err)
	}
	if status := chain(t, k); status.Status != custodydb.ChainHalted || !strings.Contains(status.Reason, "old") {
		t.Fatalf("%+v", status)
	}
}

// TestRunningWatchersTakeTurns runs two watchers and a stop in between.
func TestRunningWatchersTakeTurns(t *testing.T) {
	k := custodytest.New(t)
	first, stop := context.WithCancel(context.Background())
	second, end := context.WithCancel(context.Background())
	var done sync.WaitGroup
	for _, ctx := range []context.Context{first, second} {
		w := k.Watcher(t, custodytest.Coins)
		done.Go(func() { _ = w.Run(ctx) })
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	reach := func(height uint64) {
		for range 4_000 {
			c, err := k.Store.Chain(context.Background(), custodytest.Coins)
			if err == nil && c.Cursor.Height >= height {
				return
			}
			<-tick.C
		}
		t.Fatalf("height %d is not reached", height)
	}
	mine(t, k, 5)
	reach(5)
	stop()
	mine(t, k, 5)
	reach(10)
	end()
	done.Wait()
}
