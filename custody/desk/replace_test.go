package desk_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/desk"
	"strongroom/custody/feedesk"
)

// dear is a price that first bids do not reach.
func dear(asset string) uint64 {
	if asset == "BTC" {
		return 20_000
	}
	return 40_000_000_000
}

// stuck brings a withdrawal to where its fee is too low.
func (h *house) stuck(asset string) custody.Withdrawal {
	h.t.Helper()
	w := h.withdraw(asset, 70_000)
	h.do(w.ID, custody.WithdrawalBroadcast, "screen", "reserve", "sign", "send")
	h.chains[w.Chain].SetPrice(dear(asset))
	h.mine(w.Chain, 2)
	wait := time.Minute
	if asset == "BTC" {
		wait = 61 * time.Minute
	}
	h.do(w.ID, custody.WithdrawalBroadcast, "observe")
	h.pass(wait)
	h.do(w.ID, custody.WithdrawalStuck, "observe")
	return w
}

func TestStuckIsReplacedAndPaidOnce(t *testing.T) {
	for _, asset := range []string{"ETH", "TUSD", "BTC"} {
		t.Run(asset, func(t *testing.T) {
			h := ready(t, asset)
			before := h.balance(custody.FundingAccount(customer, asset))
			w := h.stuck(asset)
			p := h.do(w.ID, custody.WithdrawalReplaced, "observe")
			h.restart() // its bytes are stored: a new process sends them
			if again := h.do(w.ID, custody.WithdrawalBroadcast, "send"); again.TxID != p.TxID {
				t.Errorf("%s was sent in place of %s", again.TxID, p.TxID)
			}
			h.do(w.ID, custody.WithdrawalBroadcast, "observe")
			h.mine(w.Chain, finalDepth)
			h.do(w.ID, custody.WithdrawalPosted, "observe", "settle")
			h.paid(w, before)
			if n := h.count(`SELECT count(*) FROM custody.chain_tx WHERE intent = $1`, w.ID); n != 2 {
				t.Errorf("%d attempts", n)
			}
		})
	}
}

func TestFirstAttemptMayStillWin(t *testing.T) {
	for _, asset := range []string{"ETH", "BTC"} {
		t.Run(asset, func(t *testing.T) {
			h := ready(t, asset)
			before := h.balance(custody.FundingAccount(customer, asset))
			w := h.stuck(asset)
			first := h.first(w.ID)
			h.do(w.ID, custody.WithdrawalBroadcast, "observe", "send")
			h.chains[w.Chain].DropPool()
			h.chains[w.Chain].SetPrice(0)
			h.must(h.nodes[w.Chain].Broadcast(context.Background(), first))
			h.mine(w.Chain, finalDepth)
			h.do(w.ID, custody.WithdrawalPosted, "observe", "settle")
			h.paid(w, before)
		})
	}
}

// first is the raw first attempt of an intent.
func (h *house) first(intent string) (raw []byte) {
	h.t.Helper()
	h.must(h.pool.QueryRow(context.Background(), `SELECT raw FROM custody.chain_tx WHERE intent = $1 AND attempt = 1`, intent).Scan(&raw))
	return raw
}

func TestCancelIsFinalBeforeTheHoldIsReleased(t *testing.T) {
	for _, asset := range []string{"ETH", "TUSD", "BTC"} {
		t.Run(asset, func(t *testing.T) {
			h := ready(t, asset)
			ctx := context.Background()
			before := h.balance(custody.FundingAccount(customer, asset))
			w := h.stuck(asset)
			h.must(h.store.OrderCancel(ctx, w.ID, "the customer sent it to the wrong place"))
			h.do(w.ID, custody.WithdrawalBroadcast, "observe", "send", "observe")
			h.mine(w.Chain, finalDepth-1)
			h.do(w.ID, custody.WithdrawalConfirming, "observe")
			if b := h.balance(custody.FundingAccount(customer, asset)); b.DebitsPending.IsZero() {
				t.Error("the hold is gone before the cancellation is final")
			}
			h.mine(w.Chain, 1)
			p := h.do(w.ID, custody.WithdrawalCancelled, "observe", "settle")
			if !p.Ended || p.Reason != "taken back before it was paid: the customer sent it to the wrong place" {
				t.Errorf("progress is %+v", p)
			}
			after := h.balance(custody.FundingAccount(customer, asset))
			if after.DebitsPosted != before.DebitsPosted || !after.DebitsPending.IsZero() {
				t.Errorf("the customer has %+v, had %+v", after, before)
			}
			if there := h.chains[w.Chain].Balance(w.To, h.assets.list[asset].Contract); !there.IsZero() {
				t.Errorf("%s were paid", there)
			}
			h.hotWalletAgrees(h.assets.list[asset])
			h.hotWalletAgrees(h.assets.list[h.assets.list[asset].Native])
			if err := h.store.OrderCancel(ctx, w.ID, "again"); !errors.Is(err, custody.ErrIllegal) {
				t.Errorf("ordered after the end: %v", err)
			}
		})
	}
}

func TestPaymentThatWinsOverItsCancellation(t *testing.T) {
	for _, asset := range []string{"ETH", "BTC"} {
		t.Run(asset, func(t *testing.T) {
			h := ready(t, asset)
			ctx := context.Background()
			before := h.balance(custody.FundingAccount(customer, asset))
			w := h.withdraw(asset, 70_000)
			h.do(w.ID, custody.WithdrawalBroadcast, "screen", "reserve", "sign", "send")
			h.must(h.store.OrderCancel(ctx, w.ID, "too late"))
			h.do(w.ID, custody.WithdrawalStuck, "observe") // an order does not wait
			h.do(w.ID, custody.WithdrawalBroadcast, "observe", "send")
			h.mine(w.Chain, 1)
			h.do(w.ID, custody.WithdrawalConfirming, "observe")
			h.reorg(w.Chain, 1) // the cancellation was mined, and is not any more
			h.chains[w.Chain].DropPool()
			h.must(h.nodes[w.Chain].Broadcast(ctx, h.first(w.ID)))
			h.mine(w.Chain, finalDepth)
			h.do(w.ID, custody.WithdrawalFinal, "observe", "observe")
			h.do(w.ID, custody.WithdrawalPosted, "settle")
			h.paid(w, before)
		})
	}
}

func TestNonceOfARefusedPaymentIsFilled(t *testing.T) {
	h := ready(t, "ETH")
	ctx := context.Background()
	refused, later := h.withdraw("ETH", 70_000), h.withdraw("ETH", 60_000)
	h.do(refused.ID, custody.WithdrawalReserved, "screen", "reserve")
	h.signer.refuse = fmt.Errorf("above the cap: %w", desk.ErrRefused)
	if _, err := h.desk.Sign(ctx, refused.ID); !errors.Is(err, desk.ErrRefused) {
		t.Fatalf("sign: %v", err)
	}
	h.signer.refuse = nil
	h.do(later.ID, custody.WithdrawalBroadcast, "screen", "reserve", "sign", "send")
	h.mine(evm, finalDepth)
	h.do(later.ID, custody.WithdrawalBroadcast, "observe") // behind the gap
	h.pass(15 * time.Minute)
	h.do(refused.ID, custody.WithdrawalBroadcast, "sign", "send")
	h.mine(evm, finalDepth)
	p := h.do(refused.ID, custody.WithdrawalCancelled, "observe")
	if p.Reason != "taken back before it was paid: it could not be signed" {
		t.Errorf("reason is %q", p.Reason)
	}
	h.do(later.ID, custody.WithdrawalPosted, "observe", "settle")
	h.hotWalletAgrees(h.assets.list["ETH"])
	if there := h.chains[evm].Balance(refused.To, ""); there != later.Amount {
		t.Errorf("%s were paid to the address of both", there)
	}
}

func TestOrderedBeforeItIsSigned(t *testing.T) {
	h := ready(t, "BTC")
	ctx := context.Background()
	w := h.withdraw("BTC", 70_000)
	if err := h.store.OrderCancel(ctx, w.ID, "x"); !errors.Is(err, custody.ErrIllegal) {
		t.Errorf("nothing is reserved yet: %v", err)
	}
	h.do(w.ID, custody.WithdrawalReserved, "screen", "reserve")
	if err := h.store.OrderCancel(ctx, w.ID, "  "); !errors.Is(err, custodydb.ErrReason) {
		t.Errorf("without a reason: %v", err)
	}
	h.must(h.store.OrderCancel(ctx, w.ID, "x"))
	h.do(w.ID, custody.WithdrawalBroadcast, "sign", "send")
	h.mine(utxo, finalDepth)
	h.do(w.ID, custody.WithdrawalCancelled, "observe")
	h.hotWalletAgrees(h.assets.list["BTC"])
}

// The signer allows no higher fee: what is out stays out, and is paid when the
// market falls.
func TestRefusedRaiseLeavesThePaymentOut(t *testing.T) {
	h := ready(t, "ETH")
	w := h.stuck("ETH")
	h.signer.refuse = fmt.Errorf("fee ceiling: %w", desk.ErrRefused)
	for range 3 {
		if p := h.do(w.ID, custody.WithdrawalStuck, "observe"); p.Reason != "the signer refuses a higher fee" {
			t.Errorf("reason is %q", p.Reason)
		}
	}
	if n := h.count(`SELECT count(*) FROM custody.attempt_plan WHERE intent = $1`, w.ID); n != 2 {
		t.Errorf("%d plans: the refused one must be asked for again", n)
	}
	h.chains[evm].SetPrice(0)
	h.mine(evm, finalDepth)
	h.do(w.ID, custody.WithdrawalPosted, "observe", "settle")
}

func TestLadderEndsAtItsLimit(t *testing.T) {
	for _, asset := range []string{"ETH", "BTC"} {
		t.Run(asset, func(t *testing.T) {
			h := ready(t, asset)
			gas, rate := feedesk.DefaultGas(), feedesk.DefaultRate()
			gas.Ceiling, rate.Ceiling = units(5_000_000_000), 9_000
			h.withFees(gas, rate)
			w := h.stuck(asset)
			const tries = 60
			for range tries {
				p := h.do(w.ID, h.any(w.ID), "observe", "send")
				h.pass(2 * time.Hour)
				if p.Reason == "the most that may be bid is out: it waits for the market" {
					break
				}
			}
			p := h.do(w.ID, custody.WithdrawalStuck, "observe")
			if p.Reason != "the most that may be bid is out: it waits for the market" {
				t.Fatalf("after %d rounds: %+v", tries, p)
			}
			var fee chainadapters.Fee
			h.must(h.pool.QueryRow(context.Background(), `SELECT plan->'fee' FROM custody.attempt_plan WHERE intent = $1 ORDER BY attempt DESC LIMIT 1`, w.ID).Scan(&fee))
			if (asset == "ETH" && fee.FeeCap != gas.Ceiling) || (asset == "BTC" && fee.SatPerKVB != rate.Ceiling) {
				t.Errorf("the last bid is %+v", fee)
			}
		})
	}
}

// any takes two steps' outcome as it is.
func (h *house) any(intent string) custody.WithdrawalState {
	h.t.Helper()
	for _, step := range []func(context.Context, string) (custody.Progress, error){h.desk.Observe, h.desk.Send} {
		h.must2(step(context.Background(), intent))
	}
	r, err := h.store.LoadIntent(context.Background(), intent)
	h.must(err)
	return r.State
}

// withFees puts the desk on other limits.
func (h *house) withFees(gas feedesk.GasPolicy, rate feedesk.RatePolicy) {
	h.t.Helper()
	adapters := map[chainadapters.ChainID]chainadapters.Adapter{}
	for id, node := range h.nodes {
		adapters[id] = node
	}
	var err error
	h.desk, err = desk.New(desk.Config{
		Store: h.store, Adapters: adapters, Assets: h.assets, Signer: h.signer, Screening: h.sanctions, Log: quiet(), Clock: h.clock, StuckAfter: time.Hour,
		Gas:   map[chainadapters.ChainID]feedesk.GasPolicy{evm: gas},
		Rates: map[chainadapters.ChainID]feedesk.RatePolicy{utxo: rate},
	})
	h.must(err)
}

func TestClearedKeySendsAgainWithoutGaps(t *testing.T) {
	h := ready(t, "ETH")
	ctx := context.Background()
	hot, err := h.store.HotAddress(ctx, evm)
	h.must(err)
	paid := h.withdraw("ETH", 70_000)
	h.do(paid.ID, custody.WithdrawalBroadcast, "screen", "reserve", "sign", "send")
	h.mine(evm, finalDepth)
	h.do(paid.ID, custody.WithdrawalPosted, "observe", "settle")
	fee, err := generous{h.nodes[evm]}.Quote(ctx, chainadapters.Plan{})
	h.must(err)
	stolen, err := h.nodes[evm].Build(chainadapters.Plan{
		Slot: &chainadapters.Slot{From: hot.Address, Nonce: 1}, Fee: fee,
		Payments: []chainadapters.Payment{{To: hot.Address, Amount: units(5)}},
	})
	h.must(err)
	raw, _ := fakechain.Sign(stolen.Bytes)
	h.must(h.nodes[evm].Broadcast(ctx, raw))
	h.mine(evm, 1)
	w := h.withdraw("ETH", 60_000)
	h.do(w.ID, custody.WithdrawalApproved, "screen")
	if _, err := h.desk.Reserve(ctx, w.ID); !errors.Is(err, custody.ErrKeyHalted) {
		t.Fatalf("reserve on a halted key: %v", err)
	}
	keys, chains, err := h.store.HaltedKeys(ctx)
	h.must(err)
	if len(keys) != 1 || keys[0].From != hot.Address || chains[0] != evm {
		t.Fatalf("halted: %v on %v", keys, chains)
	}
	count, err := h.nodes[evm].NextNonce(ctx, hot.Address)
	h.must(err)
	for why, try := range map[error]func() error{
		custodydb.ErrReason: func() error { return h.store.ClearKey(ctx, evm, hot.Address, count, "") },
		custody.ErrNotFound: func() error { return h.store.ClearKey(ctx, evm, "nobody", count, "x") },
		custody.ErrIllegal:  func() error { return h.store.ClearKey(ctx, evm, hot.Address, 1<<40, "x") },
	} {
		if err := try(); !errors.Is(err, why) {
			t.Errorf("got %v, want %v", err, why)
		}
	}
	h.must(h.store.ClearKey(ctx, evm, hot.Address, count, "it was our own test"))
	if err := h.store.ClearKey(ctx, evm, hot.Address, count, "again"); !errors.Is(err, custody.ErrIllegal) {
		t.Errorf("cleared twice: %v", err)
	}
	h.do(w.ID, custody.WithdrawalBroadcast, "reserve", "sign", "send")
	h.mine(evm, finalDepth)
	h.do(w.ID, custody.WithdrawalPosted, "observe", "settle")
	if n := h.count(`SELECT count(*) FROM custody.nonce_counter c WHERE next <> (SELECT count(*) FROM custody.nonce_slot s WHERE s.address = c.address)`); n != 0 {
		t.Error("there is a gap among the nonces")
	}
	if n := h.count(`SELECT count(*) FROM custody.operator_order WHERE act = 'clear_key' AND reason = 'it was our own test'`); n != 1 {
		t.Errorf("%d orders on record", n)
	}
}
