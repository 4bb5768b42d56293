package desk_test

import (
	"context"
	"testing"
	"time"

	"strongroom/custody"
	"strongroom/money"
)

// TestMergingWaitsForTheNextCheapHour: coins of the hot wallet become one, only the
// fee leaves it, and where fees rise it waits instead of bidding again.
func TestMergingWaitsForTheNextCheapHour(t *testing.T) {
	h := ready(t, "BTC")
	ctx := context.Background()
	hot, err := h.store.HotAddress(ctx, utxo)
	h.must(err)
	coins := h.hotCoins(utxo)
	var sum money.Units
	for _, c := range coins {
		sum, err = sum.Add(c.Amount)
		h.must(err)
	}
	fee := units(uint64(11+68*len(coins)+31) * 5) // what the chain asks
	merge := h.order(custody.IntentConsolidate, "col", "BTC", "", hot.Address, sum.SubFloor(fee))
	h.must2(h.pool.Exec(ctx, `INSERT INTO custody.coin_lock (chain, txid, vout, intent) SELECT chain, txid, vout, $1 FROM custody.coin WHERE account = 1`, merge))
	h.do(merge, custody.WithdrawalBroadcast, "reserve", "sign", "send")
	h.chains[utxo].SetPrice(dear("BTC"))
	h.mine(utxo, 2)
	h.pass(11 * time.Hour)
	h.do(merge, custody.WithdrawalBroadcast, "observe", "observe")
	if n := h.count(`SELECT count(*) FROM custody.attempt_plan WHERE intent = $1`, merge); n != 1 {
		t.Errorf("it bids %d times", n)
	}
	h.chains[utxo].SetPrice(0)
	h.mine(utxo, finalDepth)
	h.do(merge, custody.WithdrawalPosted, "observe", "settle")
	if left := h.hotCoins(utxo); len(left) != 1 || len(coins) == 0 {
		t.Errorf("%d coins became %d", len(coins), len(left))
	}
	h.hotWalletAgrees(h.assets.list["BTC"])
	if fees := h.balance(custody.NetworkFeesAccount("BTC")); fees.DebitsPosted != fee {
		t.Errorf("fees booked: %s", fees.DebitsPosted)
	}
}
