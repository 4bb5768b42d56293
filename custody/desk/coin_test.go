package desk_test

import (
	"testing"
	"time"

	"strongroom/custody"
)

// onCoins runs a test on each real node of the Bitcoin family: btcd, and litecoind
// with the rules of Core.
func onCoins(t *testing.T, test func(t *testing.T, w *coinWorld)) {
	t.Helper()
	for name, start := range map[string]func(*testing.T) *coinMiner{"btcd": onBtcd, "litecoind": onLitecoind} {
		t.Run(name, func(t *testing.T) {
			w := newCoinWorld(t, start(t))
			test(t, w)
			w.agrees()
		})
	}
}

// stuck is a withdrawal that no miner takes any more, since long ago.
func (w *coinWorld) stuck(amount uint64) custody.Withdrawal {
	w.t.Helper()
	out := w.withdraw(amount)
	if p := w.step(out.ID); p.State != custody.WithdrawalBroadcast {
		w.t.Fatalf("progress is %+v", p)
	}
	w.market.rate = costly
	w.blocks(2)
	if p := w.step(out.ID); p.State != custody.WithdrawalBroadcast || len(w.coinMiner.pool()) != 1 {
		w.t.Fatalf("progress is %+v", p)
	}
	w.ahead += 31 * time.Minute
	return out
}

func TestCoinsReplaceWhatMinersLeave(t *testing.T) {
	onCoins(t, func(t *testing.T, w *coinWorld) {
		t.Helper()
		out := w.stuck(1_000_000)
		p := w.alone(out.ID)
		attempts := w.count(`SELECT count(*) FROM custody.chain_tx WHERE intent = $1`, out.ID)
		if p.State != custody.WithdrawalPosted || attempts < 2 {
			t.Errorf("%d attempts, progress %+v", attempts, p)
		}
		tx := w.transaction(p.TxID)
		paid := 0
		for _, o := range tx.TxOut {
			if o.Value == 1_000_000 {
				paid++
			}
		}
		if paid != 1 {
			t.Errorf("%s pays %d times", p.TxID, paid)
		}
	})
}

func TestCoinsTakeBackWhatMinersLeave(t *testing.T) {
	onCoins(t, func(t *testing.T, w *coinWorld) {
		t.Helper()
		out := w.stuck(1_000_000)
		w.must(w.store.OrderCancel(t.Context(), out.ID, "asked by the customer"))
		if p := w.alone(out.ID); p.State != custody.WithdrawalCancelled {
			t.Errorf("progress %+v", p)
		}
		b, err := w.ledger.Balance(t.Context(), custody.FundingAccount(customer, "BTC"))
		w.must(err)
		if !b.DebitsPending.IsZero() || !b.DebitsPosted.IsZero() || b.CreditsPosted != units(deposited) {
			t.Errorf("the customer's account is %+v", b)
		}
		if next := w.withdraw(9_000_000 - 4_000_000); w.alone(next.ID).State != custody.WithdrawalPosted {
			t.Error("its coins do not pay for another")
		}
	})
}
