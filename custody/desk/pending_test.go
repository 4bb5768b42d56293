package desk_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"strongroom/custody"
)

// TestWithdrawalsFollowEachOtherOnChange: two payments hang on the change of the
// first while all wait in the pool, the next waits for a block; each is paid once,
// through a reorganisation too.
func TestWithdrawalsFollowEachOtherOnChange(t *testing.T) {
	h := ready(t, "BTC")
	var orders []custody.Withdrawal
	for range 4 {
		orders = append(orders, h.withdraw("BTC", 10_000))
	}
	before := h.balance(custody.FundingAccount(customer, "BTC"))
	for _, w := range orders[:3] {
		h.do(w.ID, custody.WithdrawalBroadcast, "screen", "reserve", "sign", "send")
	}
	h.do(orders[3].ID, custody.WithdrawalApproved, "screen")
	if _, err := h.desk.Reserve(context.Background(), orders[3].ID); !errors.Is(err, custody.ErrHotWallet) {
		t.Fatalf("a chain of four: %v", err)
	}
	h.mine(utxo, 1)
	h.do(orders[3].ID, custody.WithdrawalBroadcast, "reserve", "sign", "send")
	h.reorg(utxo, 1)
	h.mine(utxo, finalDepth+1)
	for range 2 {
		for _, w := range orders {
			for _, step := range []string{"observe", "send", "observe", "settle"} {
				_, err := h.steps()[step](context.Background(), w.ID)
				h.must(err)
			}
		}
		h.mine(utxo, finalDepth)
	}
	for _, w := range orders {
		h.do(w.ID, custody.WithdrawalPosted, "observe")
	}
	after := h.balance(custody.FundingAccount(customer, "BTC"))
	if after.CreditsPosted != before.CreditsPosted || !after.DebitsPending.IsZero() {
		t.Errorf("%+v, before %+v", after, before)
	}
	h.hotWalletAgrees(h.assets.list["BTC"])
}

// TestWhoIsBuiltOnIsNotReplaced: another transaction of it would take its coins
// from under the payment that spends its change.
func TestWhoIsBuiltOnIsNotReplaced(t *testing.T) {
	h := ready(t, "BTC")
	first, second := h.withdraw("BTC", 10_000), h.withdraw("BTC", 10_000)
	for _, w := range []custody.Withdrawal{first, second} {
		h.do(w.ID, custody.WithdrawalBroadcast, "screen", "reserve", "sign", "send")
	}
	h.chains[utxo].SetPrice(dear("BTC"))
	h.mine(utxo, 2)
	h.pass(61 * time.Minute)
	h.do(first.ID, custody.WithdrawalStuck, "observe")
	if p := h.do(first.ID, custody.WithdrawalStuck, "observe"); p.Reason == "" {
		t.Error("it says nothing")
	}
	if n := h.count(`SELECT count(*) FROM custody.attempt_plan WHERE intent = $1`, first.ID); n != 1 {
		t.Errorf("%d attempts", n)
	}
	third := h.withdraw("BTC", 10_000)
	h.do(third.ID, custody.WithdrawalApproved, "screen")
	h.do(second.ID, custody.WithdrawalStuck, "observe")
	if _, err := h.desk.Reserve(context.Background(), third.ID); !errors.Is(err, custody.ErrHotWallet) {
		t.Errorf("it builds on what is stuck: %v", err)
	}
	h.chains[utxo].SetPrice(0)
	h.mine(utxo, finalDepth)
	for _, w := range []custody.Withdrawal{first, second} {
		h.do(w.ID, custody.WithdrawalPosted, "observe", "settle")
	}
	h.hotWalletAgrees(h.assets.list["BTC"])
}
