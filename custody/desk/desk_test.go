package desk_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/desk"
	"strongroom/ledger"
)

// big is enough of any asset for a few payments with fees on every chain.
const big = 1_000_000_000_000_000_000

// ready is a house whose customer and hot wallet have enough of an asset.
func ready(t *testing.T, asset string) *house {
	t.Helper()
	h := newHouse(t)
	if asset == "TUSD" {
		h.fund("ETH", 0, big)
	}
	h.fund(asset, big/2, big)
	return h
}

// paid checks that a withdrawal was paid once, in the book and on chain.
func (h *house) paid(w custody.Withdrawal, before ledger.Balance) {
	h.t.Helper()
	info := h.assets.list[w.Asset]
	got, err := h.store.Withdrawal(context.Background(), w.Customer, w.ID)
	h.must(err)
	if got.State != custody.WithdrawalPosted || got.TxID == "" || got.Confirmations < finalDepth || got.Block.Hash == "" {
		h.t.Fatalf("withdrawal is %+v", got)
	}
	if there := h.chains[info.Chain].Balance(w.To, info.Contract); there != w.Amount {
		h.t.Errorf("destination has %s on chain, want %s", there, w.Amount)
	}
	after := h.balance(custody.FundingAccount(w.Customer, w.Asset))
	gone, err := after.DebitsPosted.Sub(before.DebitsPosted)
	h.must(err)
	if due, _ := w.Amount.Add(w.Fee); gone != due || !after.DebitsPending.IsZero() {
		h.t.Errorf("customer paid %s with %s still held, want %s", gone, after.DebitsPending, due)
	}
	clearing := h.balance(custody.ClearingAccount(info.Chain, w.Asset))
	if clearing.CreditsPosted != clearing.DebitsPosted || !clearing.CreditsPending.IsZero() {
		h.t.Errorf("clearing account is not empty: %+v", clearing)
	}
	h.hotWalletAgrees(info)
}

// hotWalletAgrees compares the book's hot wallet with the chain, to the last unit.
func (h *house) hotWalletAgrees(info custody.AssetInfo) {
	h.t.Helper()
	ctx := context.Background()
	status, err := h.store.Chain(ctx, info.Chain)
	h.must(err)
	hot, err := h.store.HotAddress(ctx, info.Chain)
	h.must(err)
	coins := h.hotCoins(info.Chain)
	node := h.chains[info.Chain].Adapter(h.chains[info.Chain].Identity())
	there, err := node.Holdings(ctx, chainadapters.Holdings{
		Contract: info.Contract, Addresses: []string{hot.Address}, Coins: coins, At: status.Cursor,
	})
	h.must(err)
	book := h.balance(custody.HotAccount(info.Chain, info.Code))
	if has, err := book.DebitsPosted.Sub(book.CreditsPosted); err != nil || has != there {
		h.t.Errorf("hot wallet of %s has %s in the book and %s on chain", info.Code, has, there)
	}
}

func TestWithdrawalIsPaidOnce(t *testing.T) {
	for _, asset := range []string{"BTC", "ETH", "TUSD"} {
		t.Run(asset, func(t *testing.T) {
			h := ready(t, asset)
			chain := h.assets.list[asset].Chain
			before := h.balance(custody.FundingAccount(customer, asset))
			w := h.withdraw(asset, 70_000)
			h.do(w.ID, custody.WithdrawalApproved, "screen")
			h.do(w.ID, custody.WithdrawalReserved, "reserve")
			h.do(w.ID, custody.WithdrawalSigned, "sign")
			h.do(w.ID, custody.WithdrawalBroadcast, "send")
			h.do(w.ID, custody.WithdrawalBroadcast, "observe", "settle")
			for range finalDepth - 1 {
				h.mine(chain, 1)
				h.do(w.ID, custody.WithdrawalConfirming, "observe", "settle")
			}
			h.mine(chain, 1)
			h.do(w.ID, custody.WithdrawalFinal, "observe")
			p := h.do(w.ID, custody.WithdrawalPosted, "settle")
			if !p.Ended || p.TxID == "" || p.Kind != custody.IntentWithdrawal {
				t.Errorf("progress is %+v", p)
			}
			h.do(w.ID, custody.WithdrawalPosted, "screen", "reserve", "sign", "send", "observe", "settle")
			h.paid(w, before)
			if asset == "TUSD" {
				h.hotWalletAgrees(h.assets.list["ETH"])
			}
		})
	}
}

// TestCrashBetweenAnyTwoSteps takes every step by three at once, each in a desk of
// its own, then again in a new process.
func TestCrashBetweenAnyTwoSteps(t *testing.T) {
	for _, asset := range []string{"BTC", "TUSD"} {
		t.Run(asset, func(t *testing.T) {
			h := ready(t, asset)
			chain := h.assets.list[asset].Chain
			before := h.balance(custody.FundingAccount(customer, asset))
			w := h.withdraw(asset, 70_000)
			for _, name := range []string{"screen", "reserve", "sign", "send", "observe", "mine", "observe", "mine", "observe", "settle"} {
				if name == "mine" {
					h.mine(chain, 2)
					continue
				}
				h.atOnce(3, func(int) error {
					_, err := h.steps()[name](context.Background(), w.ID)
					return err
				})
				h.restart()
				h.must2(h.steps()[name](context.Background(), w.ID))
				h.restart()
			}
			h.paid(w, before)
			if n := h.count(`SELECT count(*) FROM custody.chain_tx WHERE intent = $1`, w.ID); n != 1 {
				t.Errorf("%d transactions were signed", n)
			}
			if n := h.count(`SELECT count(*) FROM custody.attempt_plan WHERE intent = $1`, w.ID); n != 1 {
				t.Errorf("%d plans were made", n)
			}
		})
	}
}

// atOnce runs work n times at once; an error of any is fatal.
func (h *house) atOnce(n int, work func(i int) error) {
	h.t.Helper()
	failed := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { failed[i] = work(i) })
	}
	wg.Wait()
	h.must(errors.Join(failed...))
}

// TestLostReplyIsNotARefusal: the node took it, and we were not told.
func TestLostReplyIsNotARefusal(t *testing.T) {
	h := ready(t, "ETH")
	before := h.balance(custody.FundingAccount(customer, "ETH"))
	w := h.withdraw("ETH", 70_000)
	h.do(w.ID, custody.WithdrawalSigned, "screen", "reserve", "sign")
	h.nodes[evm].Break(fakechain.LostReply)
	p := h.do(w.ID, custody.WithdrawalUnknown, "send")
	if p.Ended || p.Reason == "" {
		t.Errorf("progress is %+v", p)
	}
	if _, err := h.desk.Release(context.Background(), w.ID, "give up"); !errors.Is(err, custody.ErrIllegal) {
		t.Fatalf("released while unknown: %v", err)
	}
	h.do(w.ID, custody.WithdrawalUnknown, "send") // only the chain can tell
	h.nodes[evm].Break(fakechain.None)
	h.do(w.ID, custody.WithdrawalBroadcast, "observe")
	h.mine(evm, finalDepth)
	h.do(w.ID, custody.WithdrawalPosted, "observe", "settle")
	h.paid(w, before)
}

// TestNowhereIsSentAgain: refused, forgotten by the pool, refused again; always
// the same bytes.
func TestNowhereIsSentAgain(t *testing.T) {
	h := ready(t, "BTC")
	before := h.balance(custody.FundingAccount(customer, "BTC"))
	w := h.withdraw("BTC", 70_000)
	h.do(w.ID, custody.WithdrawalSigned, "screen", "reserve", "sign")
	h.nodes[utxo].Break(fakechain.Refuse)
	h.do(w.ID, custody.WithdrawalUnknown, "send")
	h.do(w.ID, custody.WithdrawalUnknown, "observe")
	h.nodes[utxo].Break(fakechain.None)
	h.do(w.ID, custody.WithdrawalBroadcast, "observe")
	h.chains[utxo].DropPool()
	h.do(w.ID, custody.WithdrawalBroadcast, "observe")
	h.mine(utxo, finalDepth)
	h.do(w.ID, custody.WithdrawalPosted, "observe", "settle")
	h.paid(w, before)
	if h.signer.asked != 1 {
		t.Errorf("the signer was asked %d times", h.signer.asked)
	}
}

func TestReorgTakesItBackAndItConfirmsAgain(t *testing.T) {
	for _, asset := range []string{"BTC", "ETH"} {
		t.Run(asset, func(t *testing.T) {
			h := ready(t, asset)
			chain := h.assets.list[asset].Chain
			before := h.balance(custody.FundingAccount(customer, asset))
			w := h.withdraw(asset, 70_000)
			h.do(w.ID, custody.WithdrawalBroadcast, "screen", "reserve", "sign", "send")
			h.mine(chain, 1)
			h.do(w.ID, custody.WithdrawalConfirming, "observe")
			h.reorg(chain, 1)
			h.do(w.ID, custody.WithdrawalBroadcast, "observe") // through reorged, and sent again where it was forgotten
			h.mine(chain, finalDepth)
			h.do(w.ID, custody.WithdrawalFinal, "observe")
			h.reorg(chain, finalDepth)
			h.do(w.ID, custody.WithdrawalReorged, "settle")
			h.do(w.ID, custody.WithdrawalBroadcast, "observe")
			h.mine(chain, finalDepth)
			h.do(w.ID, custody.WithdrawalPosted, "observe", "settle")
			h.paid(w, before)
		})
	}
}

// TestBothMustSeeTheBlock: the node alone, or our own tables alone, are not enough.
func TestBothMustSeeTheBlock(t *testing.T) {
	h := ready(t, "ETH")
	w := h.withdraw("ETH", 70_000)
	h.do(w.ID, custody.WithdrawalBroadcast, "screen", "reserve", "sign", "send")
	h.must(h.chains[evm].Mine(finalDepth + 1)) // the watcher has not seen it
	h.do(w.ID, custody.WithdrawalConfirming, "observe", "settle")
	h.follow(evm)
	h.must(h.chains[evm].Reorg(finalDepth + 1)) // the watcher has not seen that either
	p := h.do(w.ID, custody.WithdrawalConfirming, "observe", "settle")
	if p.Reason == "" {
		t.Error("no reason is given")
	}
	h.follow(evm)
	h.do(w.ID, custody.WithdrawalBroadcast, "observe", "settle")
}

func TestHaltedChainSendsNothing(t *testing.T) {
	h := ready(t, "ETH")
	w := h.withdraw("ETH", 70_000)
	h.do(w.ID, custody.WithdrawalApproved, "screen")
	ctx := context.Background()
	h.must(h.store.HaltChain(ctx, evm, "node is lagging", false))
	if p, err := h.desk.Reserve(ctx, w.ID); !errors.Is(err, custody.ErrChainHalted) || p.State != custody.WithdrawalApproved || p.Reason == "" {
		t.Fatalf("reserve on a halted chain: %+v, %v", p, err)
	}
	other := h.withdraw("ETH", 1_000) // a request is still taken
	h.must(h.store.SetChainOK(ctx, evm, 0))
	h.do(w.ID, custody.WithdrawalSigned, "reserve", "sign")
	h.must(h.store.HaltChain(ctx, evm, "node is lagging", false))
	if _, err := h.desk.Send(ctx, w.ID); !errors.Is(err, custody.ErrChainHalted) {
		t.Fatalf("send on a halted chain: %v", err)
	}
	if n := h.count(`SELECT count(*) FROM custody.chain_tx WHERE sent_at IS NOT NULL`); n != 0 {
		t.Error("something was sent")
	}
	h.must(h.store.SetChainOK(ctx, evm, 0))
	h.do(w.ID, custody.WithdrawalBroadcast, "send")
	h.do(other.ID, custody.WithdrawalApproved, "screen")
}

func TestStuckInThePool(t *testing.T) {
	h := ready(t, "ETH")
	w := h.withdraw("ETH", 70_000)
	h.do(w.ID, custody.WithdrawalBroadcast, "screen", "reserve", "sign", "send")
	h.pass(59 * time.Minute)
	h.do(w.ID, custody.WithdrawalBroadcast, "observe")
	h.pass(2 * time.Minute)
	if p := h.do(w.ID, custody.WithdrawalStuck, "observe"); p.Reason == "" || p.Ended {
		t.Errorf("progress is %+v", p)
	}
	h.mine(evm, finalDepth)
	h.do(w.ID, custody.WithdrawalPosted, "observe", "settle")
}

// TestForgedSignatureIsNeverStored: the desk reads what the signer gave back.
func TestForgedSignatureIsNeverStored(t *testing.T) {
	h := ready(t, "ETH")
	w := h.withdraw("ETH", 70_000)
	h.do(w.ID, custody.WithdrawalReserved, "screen", "reserve")
	build := func(change func(*chainadapters.Plan)) func(desk.SignRequest) desk.Signature {
		return func(req desk.SignRequest) desk.Signature {
			plan := req.Plan
			slot := *plan.Slot
			plan.Slot, plan.Payments = &slot, append([]chainadapters.Payment(nil), plan.Payments...)
			change(&plan)
			unsigned, err := h.nodes[evm].Build(plan)
			h.must(err)
			raw, txid := fakechain.Sign(unsigned.Bytes)
			return desk.Signature{Raw: raw, TxID: txid}
		}
	}
	for name, forge := range map[string]func(desk.SignRequest) desk.Signature{
		"destination": build(func(p *chainadapters.Plan) { p.Payments[0].To = h.outside("ETH", "thief") }),
		"amount":      build(func(p *chainadapters.Plan) { p.Payments[0].Amount = units(70_001) }),
		"token":       build(func(p *chainadapters.Plan) { p.Payments[0].Contract = h.chains[evm].Token() }),
		"nonce":       build(func(p *chainadapters.Plan) { p.Slot.Nonce++ }),
		"sender":      build(func(p *chainadapters.Plan) { p.Slot.From = h.outside("ETH", "other") }),
		"txid": func(req desk.SignRequest) desk.Signature {
			raw, _ := fakechain.Sign(req.Unsigned.Bytes)
			return desk.Signature{Raw: raw, TxID: "00"}
		},
		"nonsense": func(desk.SignRequest) desk.Signature { return desk.Signature{Raw: []byte("x"), TxID: "00"} },
	} {
		h.signer.forge = forge
		if p, err := h.desk.Sign(context.Background(), w.ID); !errors.Is(err, desk.ErrForgery) || p.State != custody.WithdrawalReserved {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	h.signer.forge = nil
	h.signer.refuse = errors.New("caps")
	if p, err := h.desk.Sign(context.Background(), w.ID); err == nil || p.State != custody.WithdrawalReserved {
		t.Errorf("refused by the signer: %+v, %v", p, err)
	}
	h.signer.refuse = nil
	if n := h.count(`SELECT count(*) FROM custody.chain_tx`); n != 0 {
		t.Fatalf("%d transactions were stored", n)
	}
	h.do(w.ID, custody.WithdrawalBroadcast, "sign", "send")
}

// generous quotes for calls that will fail, as a chain may that changes between
// estimate and block.
type generous struct{ chainadapters.Adapter }

func (g generous) Quote(context.Context, chainadapters.Plan) (chainadapters.Fee, error) {
	return chainadapters.Fee{GasLimit: 100_000, TipCap: units(1), FeeCap: units(30_000_000_000)}, nil
}

func TestFailedOnChainGivesBackAndPaysGas(t *testing.T) {
	h := ready(t, "ETH")
	ctx := context.Background()
	before := h.balance(custody.FundingAccount(customer, "ETH"))
	req := h.request("ETH", "k", 70_000)
	req.To = h.chains[evm].Token() // it takes no native value
	w, _, err := h.store.CreateWithdrawal(ctx, req)
	h.must(err)
	d, err := desk.New(desk.Config{
		Store: h.store, Adapters: map[chainadapters.ChainID]chainadapters.Adapter{evm: generous{h.nodes[evm]}},
		Assets: h.assets, Signer: h.signer, Screening: h.sanctions, Log: quiet(), Clock: h.clock,
	})
	h.must(err)
	h.desk = d
	h.do(w.ID, custody.WithdrawalBroadcast, "screen", "reserve", "sign", "send")
	h.mine(evm, finalDepth-1)
	h.do(w.ID, custody.WithdrawalConfirming, "observe", "settle")
	h.mine(evm, 1)
	p := h.do(w.ID, custody.WithdrawalReverted, "observe", "observe", "settle")
	if !p.Ended || p.Reason == "" {
		t.Errorf("progress is %+v", p)
	}
	after := h.balance(custody.FundingAccount(customer, "ETH"))
	if after.DebitsPosted != before.DebitsPosted || !after.DebitsPending.IsZero() {
		t.Errorf("customer paid: %+v", after)
	}
	if fees := h.balance(custody.NetworkFeesAccount("ETH")); fees.DebitsPosted.IsZero() {
		t.Error("the gas was not booked")
	}
	h.hotWalletAgrees(h.assets.list["ETH"])
}

func TestReserveWaitsForSlotsAndFunds(t *testing.T) {
	h := ready(t, "ETH")
	ctx := context.Background()
	adapters := map[chainadapters.ChainID]chainadapters.Adapter{evm: h.nodes[evm], utxo: h.nodes[utxo]}
	var err error
	h.desk, err = desk.New(desk.Config{
		Store: h.store, Adapters: adapters, Assets: h.assets, Signer: h.signer, Screening: h.sanctions, Log: quiet(), Clock: h.clock, Outstanding: 2,
	})
	h.must(err)
	var ids []string
	for range 3 {
		w := h.withdraw("ETH", 70_000)
		h.do(w.ID, custody.WithdrawalApproved, "screen")
		ids = append(ids, w.ID)
	}
	h.do(ids[0], custody.WithdrawalBroadcast, "reserve", "sign", "send")
	h.do(ids[1], custody.WithdrawalReserved, "reserve")
	if p, err := h.desk.Reserve(ctx, ids[2]); !errors.Is(err, custody.ErrSlots) || p.State != custody.WithdrawalApproved {
		t.Fatalf("a third slot: %+v, %v", p, err)
	}
	h.mine(evm, 1)
	h.do(ids[2], custody.WithdrawalReserved, "reserve")
	if n := h.count(`SELECT count(DISTINCT nonce) FROM custody.nonce_slot WHERE nonce < 3`); n != 3 {
		t.Errorf("%d of 3 nonces without a gap", n)
	}
	// Open promises count: what is left on chain covers the fee of one, not of two.
	h.fund("TUSD", 100_000, 50_000)
	w := h.withdraw("TUSD", 60_000)
	h.mine(evm, 1)
	h.do(ids[1], custody.WithdrawalBroadcast, "sign", "send")
	h.do(ids[2], custody.WithdrawalBroadcast, "sign", "send")
	h.mine(evm, 1)
	h.do(w.ID, custody.WithdrawalApproved, "screen")
	if p, err := h.desk.Reserve(ctx, w.ID); !errors.Is(err, custody.ErrHotWallet) || p.State != custody.WithdrawalApproved {
		t.Fatalf("reserved without cover: %+v, %v", p, err)
	}
	h.fund("TUSD", 0, 20_000)
	h.do(w.ID, custody.WithdrawalReserved, "reserve")
}

// TestPromisesAreNotMadeTwice: two withdrawals, one balance.
func TestPromisesAreNotMadeTwice(t *testing.T) {
	for _, asset := range []string{"BTC", "ETH", "TUSD"} {
		t.Run(asset, func(t *testing.T) {
			h := newHouse(t)
			if asset == "TUSD" {
				h.fund("ETH", 0, big)
			}
			h.fund(asset, 2*big, big)
			a, b := h.withdraw(asset, big/10*6), h.withdraw(asset, big/10*6)
			h.do(a.ID, custody.WithdrawalApproved, "screen")
			h.do(b.ID, custody.WithdrawalApproved, "screen")
			errs := make([]error, 2)
			var wg sync.WaitGroup
			for i, id := range []string{a.ID, b.ID} {
				wg.Go(func() { _, errs[i] = h.desk.Reserve(context.Background(), id) })
			}
			wg.Wait()
			if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs...), custody.ErrHotWallet) {
				t.Fatalf("both: %v", errs)
			}
		})
	}
}

func TestForeignNonceHaltsTheKey(t *testing.T) {
	h := ready(t, "ETH")
	ctx := context.Background()
	w := h.withdraw("ETH", 70_000)
	later := h.withdraw("ETH", 70_000)
	h.do(later.ID, custody.WithdrawalApproved, "screen")
	h.do(w.ID, custody.WithdrawalSigned, "screen", "reserve", "sign")
	hot, err := h.store.HotAddress(ctx, evm)
	h.must(err)
	fee, err := generous{h.nodes[evm]}.Quote(ctx, chainadapters.Plan{})
	h.must(err)
	stolen, err := h.nodes[evm].Build(chainadapters.Plan{
		Slot: &chainadapters.Slot{From: hot.Address}, Fee: fee,
		Payments: []chainadapters.Payment{{To: h.outside("ETH", "thief"), Amount: units(5)}},
	})
	h.must(err)
	raw, _ := fakechain.Sign(stolen.Bytes)
	h.must(h.nodes[evm].Broadcast(ctx, raw))
	h.mine(evm, 1)
	if p, err := h.desk.Send(ctx, w.ID); !errors.Is(err, custody.ErrKeyHalted) || p.Ended {
		t.Errorf("send with a stolen key: %+v, %v", p, err)
	}
	if p, err := h.desk.Reserve(ctx, later.ID); !errors.Is(err, custody.ErrKeyHalted) || p.State != custody.WithdrawalApproved {
		t.Errorf("reserve on a stolen key: %+v, %v", p, err)
	}
}

func TestPolicyAndScreening(t *testing.T) {
	h := ready(t, "ETH")
	ctx := context.Background()
	before := h.balance(custody.FundingAccount(customer, "ETH"))
	h.assets.change("ETH", func(a *custody.AssetInfo) { a.AutoLimit = units(10_000) })
	small, large := h.withdraw("ETH", 10_000), h.withdraw("ETH", 10_001)
	h.do(small.ID, custody.WithdrawalApproved, "screen")
	if p := h.do(large.ID, custody.WithdrawalAwaitingApproval, "screen", "screen", "reserve"); p.Reason == "" {
		t.Error("no reason is given")
	}
	h.assets.change("ETH", func(a *custody.AssetInfo) { a.AutoLimit = units(20_000) })
	h.do(large.ID, custody.WithdrawalApproved, "screen")

	h.assets.change("ETH", func(a *custody.AssetInfo) { a.State = custody.AssetListed })
	waiting := h.withdraw("ETH", 10_000)
	h.assets.change("ETH", func(a *custody.AssetInfo) { a.State = custody.AssetSuspended })
	h.do(waiting.ID, custody.WithdrawalHeld, "screen")
	h.assets.change("ETH", func(a *custody.AssetInfo) { a.State = custody.AssetListed })

	h.must2(h.pool.Exec(ctx, `INSERT INTO custody.blocked_address VALUES ($1, $2, 'x', now())`, evm, h.outside("ETH", "outside")))
	h.do(waiting.ID, custody.WithdrawalBlocked, "screen")
	h.do(small.ID, custody.WithdrawalBlocked, "reserve") // it was approved before
	h.must2(h.pool.Exec(ctx, `DELETE FROM custody.blocked_address`))
	h.must2(h.pool.Exec(ctx, `INSERT INTO custody.frozen VALUES ($1, 'debt', now())`, customer))
	h.do(large.ID, custody.WithdrawalBlocked, "reserve")
	after := h.balance(custody.FundingAccount(customer, "ETH"))
	if !after.DebitsPending.IsZero() || after.DebitsPosted != before.DebitsPosted {
		t.Errorf("something is still held: %+v", after)
	}
}

// no is a policy that refuses.
type no struct{}

func (no) Decide(context.Context, custodydb.IntentRow, custody.AssetInfo) (desk.Verdict, string, error) {
	return desk.Deny, "not this one", nil
}

func TestDeniedIsRejectedAndReleased(t *testing.T) {
	h := ready(t, "ETH")
	d, err := desk.New(desk.Config{
		Store: h.store, Adapters: map[chainadapters.ChainID]chainadapters.Adapter{evm: h.nodes[evm]}, Assets: h.assets,
		Signer: h.signer, Screening: h.sanctions, Policy: no{}, Log: quiet(), Clock: h.clock,
	})
	h.must(err)
	w := h.withdraw("ETH", 10_000)
	p, err := d.Screen(context.Background(), w.ID)
	h.must(err)
	if p.State != custody.WithdrawalRejected || p.Reason != "not this one" || !p.Ended {
		t.Errorf("progress is %+v", p)
	}
	if b := h.balance(custody.FundingAccount(customer, "ETH")); !b.DebitsPending.IsZero() {
		t.Errorf("something is still held: %+v", b)
	}
}

func TestNewNeedsItsCollaborators(t *testing.T) {
	if _, err := desk.New(desk.Config{}); err == nil {
		t.Error("an empty config was taken")
	}
}

func TestUnknownIntent(t *testing.T) {
	h := newHouse(t)
	for name, step := range h.steps() {
		for _, id := range []string{"wdr_x", "col_x", "gas_x"} {
			if _, err := step(context.Background(), id); !errors.Is(err, custody.ErrNotFound) {
				t.Errorf("%s of %s: %v", name, id, err)
			}
		}
	}
}

// TestSettleReadsTheChainAgain: what was true when Observe looked may not be when
// the booking is made.
func TestSettleReadsTheChainAgain(t *testing.T) {
	h := ready(t, "ETH")
	ctx := context.Background()
	w := h.withdraw("ETH", 70_000)
	p := h.do(w.ID, custody.WithdrawalBroadcast, "screen", "reserve", "sign", "send")
	h.mine(evm, finalDepth)
	h.do(w.ID, custody.WithdrawalFinal, "observe")
	r, err := h.store.LoadIntent(ctx, w.ID)
	h.must(err)
	facts := custody.WithdrawalFacts{Signed: true, FinalDepth: finalDepth, Depth: 99, Agreed: true, Success: true, Pays: true}
	sent, err := h.store.Attempts(ctx, w.ID)
	h.must(err)
	fee := sent[0].Fee
	settle := func(r custodydb.IntentRow, txid string) error {
		return h.store.Settle(ctx, &r, custodydb.Mined{TxID: txid, Fee: fee}, facts)
	}
	const transfers = `SELECT count(*) FROM ledger.transfer`
	before, booked := h.balance(custody.FundingAccount(customer, "ETH")), h.count(transfers)
	if err := settle(r, "another"); !errors.Is(err, custody.ErrConflict) {
		t.Errorf("by a transaction that is not ours: %v", err)
	}
	fee = units(1)
	if err := settle(r, p.TxID); !errors.Is(err, custody.ErrConflict) {
		t.Errorf("at the fee of another block: %v", err)
	}
	fee = sent[0].Fee
	stale := r
	stale.Version--
	if err := settle(stale, p.TxID); !errors.Is(err, custody.ErrConflict) {
		t.Errorf("with an older version: %v", err)
	}
	h.reorg(evm, finalDepth)
	if err := settle(r, p.TxID); !errors.Is(err, custody.ErrConflict) {
		t.Errorf("after a reorganisation: %v", err)
	}
	h.must(h.nodes[evm].Broadcast(ctx, h.raw(p.TxID)))
	h.mine(evm, finalDepth-1)
	if err := settle(r, p.TxID); !errors.Is(err, custody.ErrIllegal) {
		t.Errorf("mined again, not deep enough: %v", err)
	}
	if h.balance(custody.FundingAccount(customer, "ETH")) != before || h.count(transfers) != booked {
		t.Error("something was booked")
	}
	h.do(w.ID, custody.WithdrawalReorged, "settle") // it confirms anew
	h.do(w.ID, custody.WithdrawalConfirming, "observe")
	h.mine(evm, 1)
	h.do(w.ID, custody.WithdrawalPosted, "observe", "settle")
}

func (h *house) raw(txid string) (raw []byte) {
	h.t.Helper()
	h.must(h.pool.QueryRow(context.Background(), `SELECT raw FROM custody.chain_tx WHERE txid = $1`, txid).Scan(&raw))
	return raw
}
