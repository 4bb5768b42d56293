package desk_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/custody"
	collector "strongroom/custody/collect"
	"strongroom/custody/custodydb"
)

// plan lets the house plan its own movements and returns the newest of a kind.
func (w *coinWorld) plan(kind custody.IntentKind) string {
	w.t.Helper()
	planner, err := collector.New(collector.Config{
		Store: w.store, Adapters: w.adapters(), Assets: w.assets, Log: slog.New(slog.DiscardHandler), Clock: w.clock,
		Merge: custody.ConsolidationPolicy{Above: 2, Most: 50, LowSatPerKVB: lowRate, SharePercent: 100},
	})
	w.must(err)
	w.must(planner.Round(w.t.Context()))
	var id string
	w.must(w.pool.QueryRow(w.t.Context(), `SELECT coalesce(max(id), '') FROM custody.house_intent WHERE kind = $1 AND state = 'approved'`, kind).Scan(&id))
	return id
}

// house is a movement of the house that no miner takes any more, since long ago.
func (w *coinWorld) house(kind custody.IntentKind, waits time.Duration) string {
	w.t.Helper()
	id := w.plan(kind)
	if p := w.step(id); p.State != custody.WithdrawalBroadcast {
		w.t.Fatalf("progress is %+v", p)
	}
	w.market.rate = costly
	w.blocks(2)
	if p := w.step(id); p.State != custody.WithdrawalBroadcast || len(w.coinMiner.pool()) != 1 {
		w.t.Fatalf("progress is %+v", p)
	}
	w.ahead += waits
	return id
}

func TestCoinsCollectForAHigherFee(t *testing.T) {
	onCoins(t, func(t *testing.T, w *coinWorld) {
		t.Helper()
		id := w.house(custody.IntentCollect, 31*time.Minute)
		p := w.alone(id)
		attempts := w.count(`SELECT count(*) FROM custody.chain_tx WHERE intent = $1`, id)
		if p.State != custody.WithdrawalPosted || attempts < 2 {
			t.Errorf("%d attempts, progress %+v", attempts, p)
		}
		if n := w.count(`SELECT count(*) FROM custody.deposit WHERE collected_by = $1`, id); n != deposits {
			t.Errorf("%d deposits are collected", n)
		}
		w.emptied()
	})
}

// emptied: the book has nothing at deposit addresses any more.
func (w *coinWorld) emptied() {
	w.t.Helper()
	b, err := w.ledger.Balance(w.t.Context(), custody.DepositsAccount(w.chain, "BTC"))
	w.must(err)
	if b.DebitsPosted != b.CreditsPosted || b.DebitsPosted.IsZero() {
		w.t.Errorf("deposit addresses hold %+v", b)
	}
}

func TestCoinsOfACollectionComeBack(t *testing.T) {
	onCoins(t, func(t *testing.T, w *coinWorld) {
		t.Helper()
		id := w.house(custody.IntentCollect, 31*time.Minute)
		w.must(w.store.OrderCancel(t.Context(), id, "the wrong hour"))
		if p := w.step(id); p.Ended || w.plan(custody.IntentCollect) != "" {
			t.Fatalf("its coins are free before the chain has decided: %+v", p)
		}
		p := w.alone(id)
		if p.State != custody.WithdrawalCancelled || len(w.transaction(p.TxID).TxIn) != 1 {
			t.Errorf("progress %+v", p)
		}
		if n := w.count(`SELECT count(*) FROM custody.deposit WHERE collected_by = $1`, id); n != 1 {
			t.Errorf("%d deposits paid for taking back", n)
		}
		w.agrees()
		if p := w.alone(w.plan(custody.IntentCollect)); p.State != custody.WithdrawalPosted {
			t.Errorf("the others: %+v", p)
		}
		w.emptied()
	})
}

func TestCoinsOfAMergingComeBackByThemselves(t *testing.T) {
	onCoins(t, func(t *testing.T, w *coinWorld) {
		t.Helper()
		pay := map[string]int64{}
		for range 3 {
			var a custodydb.HouseAddress
			w.must(w.store.InTx(t.Context(), func(tx pgx.Tx) (err error) {
				a, err = w.store.NewChange(t.Context(), tx, w.chain)
				return err
			}))
			pay[a.Address] = 200_000
		}
		w.alone(w.plan(custody.IntentCollect))
		w.payFrom(2, pay)
		w.look()
		w.blocks(coinFinal)
		id := w.house(custody.IntentConsolidate, 5*time.Hour)
		if p := w.step(id); p.State != custody.WithdrawalBroadcast {
			t.Fatalf("it does not wait for the next cheap hour: %+v", p)
		}
		w.ahead += 2 * time.Hour
		p := w.alone(id)
		if p.State != custody.WithdrawalCancelled || len(w.transaction(p.TxID).TxIn) != 1 {
			t.Errorf("progress %+v", p)
		}
		if n := w.count(`SELECT count(*) FROM custody.coin_lock l JOIN custody.coin c USING (chain, txid, vout) WHERE l.intent = $1 AND c.spent_by IS NULL`, id); n != 0 {
			t.Errorf("%d of its coins are not free", n)
		}
	})
}

// TestCoinsOfAChildPayForItsParent: the parent cannot be replaced, for its change is
// spent; what spends it bids for both.
func TestCoinsOfAChildPayForItsParent(t *testing.T) {
	onCoins(t, func(t *testing.T, w *coinWorld) {
		t.Helper()
		parent := w.withdraw(1_000_000)
		w.step(parent.ID)
		child := w.withdraw(2_000_000) // the hot wallet has one coin
		w.step(child.ID)
		w.market.rate = costly
		w.blocks(2)
		if n := len(w.coinMiner.pool()); n != 2 {
			t.Fatalf("%d in the pool", n)
		}
		w.ahead += 31 * time.Minute
		if p := w.alone(parent.ID, child.ID); p.State != custody.WithdrawalPosted {
			t.Errorf("progress %+v", p)
		}
		for id, want := range map[string]int{parent.ID: 1, child.ID: 2} {
			if n := w.count(`SELECT count(*) FROM custody.chain_tx WHERE intent = $1`, id); n != want {
				t.Errorf("%s has %d attempts, want %d", id, n, want)
			}
		}
	})
}
