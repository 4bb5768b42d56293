package desk_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"strongroom/custody"
	"strongroom/internal/devstack"
)

// crowded is a chain whose blocks two payments fill.
func crowded() devstack.GethConfig { return devstack.GethConfig{GasLimit: 45_000} }

// underwater is a withdrawal in geth's pool whose fee cap the base fee has passed.
func (w *world) underwater() custody.Withdrawal {
	w.t.Helper()
	out := w.withdraw(ether)
	if p := w.step(out.ID); p.State != custody.WithdrawalBroadcast {
		w.t.Fatalf("progress is %+v", p)
	}
	plan, err := w.store.Plan(w.t.Context(), out.ID)
	w.must(err)
	w.raise(plan.Plan.Fee.FeeCap)
	w.mine(1) // geth has it, and does not take it
	if p := w.step(out.ID); p.State != custody.WithdrawalBroadcast {
		w.t.Fatalf("progress is %+v", p)
	}
	w.ahead += time.Minute
	return out
}

func TestGethReplacesWhatIsBelowTheBaseFee(t *testing.T) {
	w := newWorld(t, crowded())
	out := w.underwater()
	for range 12 { // nobody helps: steps and blocks
		if p := w.step(out.ID); p.Ended {
			break
		}
		w.mine(1)
	}
	got, err := w.store.Withdrawal(t.Context(), customer, out.ID)
	w.must(err)
	attempts := w.count(`SELECT count(*) FROM custody.chain_tx WHERE intent = $1`, out.ID)
	if got.State != custody.WithdrawalPosted || attempts < 2 || w.balance(out.To) != units(ether) {
		t.Errorf("%d attempts, %s at the destination, withdrawal %+v", attempts, w.balance(out.To), got)
	}
	w.agrees()
	t.Logf("paid by attempt %d of %d at a base fee of %s wei", attempts, attempts, w.baseFee())
}

func TestGethTakesBackWhatIsBelowTheBaseFee(t *testing.T) {
	w := newWorld(t, crowded())
	out := w.underwater()
	w.must(w.store.OrderCancel(t.Context(), out.ID, "asked by the customer"))
	var p custody.Progress
	for range 12 {
		if p = w.step(out.ID); p.Ended {
			break
		}
		w.mine(1)
	}
	if p.State != custody.WithdrawalCancelled || !w.balance(out.To).IsZero() {
		t.Errorf("%s at the destination, progress %+v", w.balance(out.To), p)
	}
	b, err := w.ledger.Balance(t.Context(), custody.FundingAccount(customer, "ETH"))
	w.must(err)
	if !b.DebitsPending.IsZero() || !b.DebitsPosted.IsZero() {
		t.Errorf("the customer's account is %+v", b)
	}
	w.agrees()
}

func TestGethFillsTheNonceThatTheSignerRefused(t *testing.T) {
	w := newWorld(t, devstack.GethConfig{})
	tooMuch, later := w.withdraw(2*ether), w.withdraw(ether)
	for _, take := range []func(context.Context, string) (custody.Progress, error){w.desk.Screen, w.desk.Reserve, w.desk.Sign} {
		p, err := take(t.Context(), tooMuch.ID)
		if p.State == custody.WithdrawalReserved && err != nil {
			break
		}
		w.must(err)
	}
	w.step(later.ID)
	w.mine(gethFinal)
	if p := w.step(later.ID); p.State != custody.WithdrawalBroadcast {
		t.Fatalf("it waits behind the gap, but: %+v", p)
	}
	w.ahead += 15 * time.Minute
	w.step(tooMuch.ID)
	w.mine(gethFinal + 1)
	w.step(later.ID)
	if p := w.step(tooMuch.ID); p.State != custody.WithdrawalCancelled {
		t.Errorf("refused: %+v", p)
	}
	if p := w.step(later.ID); p.State != custody.WithdrawalPosted {
		t.Errorf("behind it: %+v", p)
	}
	w.agrees()
}

func TestGethPaysManyAtOnceWithoutGaps(t *testing.T) {
	withdrawals := 500
	if testing.Short() {
		withdrawals = 50
	}
	w := newWorld(t, devstack.GethConfig{})
	var open []string
	for range withdrawals {
		open = append(open, w.withdraw(ether/1000).ID)
	}
	w.atOnce(open)
	if n := w.count(`SELECT count(*) FROM custody.withdrawal WHERE state = 'broadcast'`); n != withdrawals {
		t.Errorf("%d of %d are in the pool at once", n, withdrawals)
	}
	for range 20 {
		w.mine(1)
		w.atOnce(open)
		if w.count(`SELECT count(*) FROM custody.withdrawal WHERE state <> 'posted'`) == 0 {
			break
		}
	}
	if n := w.count(`SELECT count(*) FROM custody.withdrawal WHERE state = 'posted'`); n != withdrawals {
		t.Errorf("%d of %d are paid", n, withdrawals)
	}
	if n := w.count(`SELECT count(*) FROM custody.chain_tx`); n != withdrawals {
		t.Errorf("%d transactions for %d payments", n, withdrawals)
	}
	w.agrees()
}

// atOnce steps through all intents from several workers.
func (w *world) atOnce(ids []string) {
	w.t.Helper()
	const workers = 8
	work, done := make(chan string), make(chan error, workers)
	for range workers {
		go func() {
			var failed error
			for id := range work {
				for _, take := range []func(context.Context, string) (custody.Progress, error){
					w.desk.Screen, w.desk.Reserve, w.desk.Sign, w.desk.Send, w.desk.Observe, w.desk.Settle,
				} {
					if p, err := take(w.t.Context(), id); err != nil && failed == nil {
						failed = fmt.Errorf("%s in %s: %w", id, p.State, err)
					}
				}
			}
			done <- failed
		}()
	}
	for _, id := range ids {
		work <- id
	}
	close(work)
	for range workers {
		w.must(<-done)
	}
}
