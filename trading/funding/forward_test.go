package funding_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"strongroom/custody"
	"strongroom/custody/custodytest"
	"strongroom/money"
	"strongroom/trading"
	"strongroom/trading/funding"
)

// custodial is a house whose customers deposit on a chain.
type custodial struct {
	*house

	kit     *custodytest.Kit
	forward *funding.Forwarder
}

func newCustodial(t *testing.T) *custodial {
	t.Helper()
	k := custodytest.New(t)
	c := &custodial{house: on(t, k), kit: k}
	var err error
	c.forward, err = funding.NewForwarder(c.store, k.Intake)
	c.must(err)
	return c
}

// deposit pays a customer and returns the deposit once its block is taken in.
func (c *custodial) deposit(customer string, amount uint64) string {
	c.tb.Helper()
	txid := c.kit.Pay(c.tb, custodytest.BTC, c.kit.Address(c.tb, customer, custodytest.BTC), amount)
	c.kit.Mine(c.tb, custodytest.Coins, 1)
	var id string
	c.must(c.pool.QueryRow(c.tb.Context(), `SELECT id FROM custody.deposit WHERE txid = $1`, txid).Scan(&id))
	return id
}

// mature makes all deposits withdrawable.
func (c *custodial) mature() { c.kit.Mine(c.tb, custodytest.Coins, custodytest.WithdrawDepth) }

// onward lets a deposit flow on and returns how much of it did.
func (c *custodial) onward(deposit string) uint64 {
	c.tb.Helper()
	id, err := c.forward.Forward(c.tb.Context(), deposit)
	c.must(err)
	if id == "" {
		return 0
	}
	got, err := c.store.ByID(c.tb.Context(), id)
	c.must(err)
	n, _ := got.Amount.Uint64()
	return n
}

func TestADepositFlowsOnOnceItMayBeWithdrawn(t *testing.T) {
	c := newCustodial(t)
	c.must(c.store.SetPreference(t.Context(), alice, true))
	mine, his := c.deposit(alice, 5_000), c.deposit(bob, 7_000)
	if n := c.onward(mine); n != 0 {
		t.Errorf("%d flowed on before it may be withdrawn", n)
	}
	c.mature()
	var all sync.WaitGroup
	for range 20 { // told again and again, by several at once
		all.Go(func() {
			if _, err := c.forward.Forward(context.Background(), mine); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := c.onward(mine); n != 5_000 {
		t.Errorf("%d flowed on", n)
	}
	if n := c.onward(his); n != 0 {
		t.Errorf("%d flowed on, and nobody wanted that", n)
	}
	c.expect(alice, "BTC", 0, 5_000)
	c.expect(bob, "BTC", 7_000, 0)
	id := funding.ID(alice, "deposit/"+mine+"/1")
	_, err := c.store.Tell(t.Context(), id)
	c.must(err)
	if got := c.conclude(id); got.State != trading.TransferDone {
		t.Errorf("%+v", got)
	}
	// Who wants it later wants it for later deposits.
	c.must(c.store.SetPreference(t.Context(), bob, true))
	if n := c.onward(his); n != 0 {
		t.Errorf("%d flowed on after it was decided that it stays", n)
	}
	c.agree()
}

func TestWhatIsLeftFlowsOn(t *testing.T) {
	c := newCustodial(t)
	c.must(c.store.SetPreference(t.Context(), alice, true))
	first, second := c.deposit(alice, 5_000), c.deposit(alice, 4_000)
	c.mature()
	c.create(to(trading.ToTrading, alice, "by hand", "BTC", 6_000))
	if a, b := c.onward(first), c.onward(second); a != 3_000 || b != 0 {
		t.Errorf("%d and %d flowed on, want 3000 and 0", a, b)
	}
	c.expect(alice, "BTC", 0, 9_000)
}

func TestOnlyTheDepositFlowsOn(t *testing.T) {
	c := newCustodial(t)
	c.deposit(alice, 4_000)
	c.mature()
	c.must(c.store.SetPreference(t.Context(), alice, true))
	later := c.deposit(alice, 3_000)
	c.mature()
	if n := c.onward(later); n != 3_000 {
		t.Errorf("%d flowed on", n)
	}
	c.expect(alice, "BTC", 4_000, 3_000)
}

// A deposit leaves the chain after it flowed on, and comes back: that repays the debt,
// and nothing flows on twice.
func TestADepositThatVanishedIsNotMovedTwice(t *testing.T) {
	c := newCustodial(t)
	c.must(c.store.SetPreference(t.Context(), alice, true))
	other := c.deposit(alice, 3_000)
	c.mature()
	if n := c.onward(other); n != 3_000 {
		t.Fatalf("%d", n)
	}
	id := c.deposit(alice, 5_000)
	c.kit.Mine(t, custodytest.Coins, custodytest.WithdrawDepth-1)
	if n := c.onward(id); n != 5_000 {
		t.Fatalf("%d flowed on", n)
	}
	c.expect(alice, "BTC", 0, 8_000)
	c.must(c.kit.Chains[custodytest.Coins].Reorg(custodytest.WithdrawDepth))
	c.kit.Look(t, custodytest.Coins)
	if n := c.onward(id); n != 0 {
		t.Errorf("%d flowed on of what is not on the chain", n)
	}
	c.kit.Deliver(t)
	debt, err := c.kit.Store.DebtOf(t.Context(), alice, "BTC")
	c.must(err)
	if debt.Amount != money.FromUint64(5_000) {
		t.Fatalf("debt %s", debt.Amount)
	}
	c.kit.Mine(t, custodytest.Coins, 2*custodytest.WithdrawDepth) // mined once more
	row, err := c.kit.Store.DepositRow(t.Context(), id)
	c.must(err)
	if row.State != custody.DepositWithdrawable || row.Round != 2 {
		t.Fatalf("came back as %+v", row)
	}
	if n := c.onward(id); n != 0 {
		t.Errorf("%d flowed on a second time", n)
	}
	c.expect(alice, "BTC", 0, 8_000)
	if n := c.count(`SELECT count(*) FROM funding.request`); n != 2 {
		t.Errorf("%d transfers", n)
	}
}

// Who is frozen gets money back from trading, and none there.
func TestWhoIsFrozenMovesNothingToTrading(t *testing.T) {
	c := newCustodial(t)
	c.must(c.store.SetPreference(t.Context(), alice, true))
	c.deposit(alice, 9_000)
	c.mature()
	c.carry(to(trading.ToTrading, alice, "before", "BTC", 2_000))
	_, err := c.pool.Exec(t.Context(), `INSERT INTO custody.frozen (customer, reason, at) VALUES ($1, 'test', now())`, alice)
	c.must(err)
	late := c.deposit(alice, 3_000)
	c.mature()
	if n := c.onward(late); n != 0 {
		t.Errorf("%d flowed on", n)
	}
	if _, _, err := c.store.CreateTransfer(t.Context(), to(trading.ToTrading, alice, "in", "BTC", 5)); !errors.Is(err, custody.ErrFrozen) {
		t.Errorf("to trading: %v", err)
	}
	if got := c.carry(to(trading.ToFunding, alice, "out", "BTC", 2_000)); got.State != trading.TransferDone {
		t.Errorf("to funding: %+v", got)
	}
	c.expect(alice, "BTC", 12_000, 0)
	if n := c.count(`SELECT count(*) FROM funding.request`); n != 2 {
		t.Errorf("%d requests are kept", n)
	}
}

// The block leaves the chain between the decision and the booking.
func TestADepositThatVanishesMeanwhileStays(t *testing.T) {
	c := newCustodial(t)
	c.must(c.store.SetPreference(t.Context(), alice, true))
	id := c.deposit(alice, 5_000)
	c.kit.Mine(t, custodytest.Coins, custodytest.WithdrawDepth-1)
	c.must(c.kit.Chains[custodytest.Coins].Reorg(custodytest.WithdrawDepth))
	late := &late{Deposits: c.kit.Intake, then: func() { c.kit.Look(t, custodytest.Coins) }}
	f, err := funding.NewForwarder(c.store, late)
	c.must(err)
	if got, err := f.Forward(t.Context(), id); err != nil || got != "" {
		t.Errorf("flowed on as %q, %v", got, err)
	}
	c.expect(alice, "BTC", 5_000, 0)
	if n := c.count(`SELECT count(*) FROM funding.onward`); n != 0 {
		t.Error("it was decided about a deposit that is not on the chain")
	}
}

// late does something once a deposit was read.
type late struct {
	funding.Deposits

	then func()
}

func (l *late) Matured(ctx context.Context, id string) (custody.Matured, error) {
	m, err := l.Deposits.Matured(ctx, id)
	if then := l.then; then != nil {
		l.then = nil
		then()
	}
	return m, err
}

// A customer who uses the house's own key for a transfer only confuses themselves.
func TestAKeyThatIsTakenLeavesTheDeposit(t *testing.T) {
	c := newCustodial(t)
	for i, amount := range []uint64{10, 4_000} {
		customer := []string{alice, bob}[i]
		c.must(c.store.SetPreference(t.Context(), customer, true))
		id := c.deposit(customer, 4_000)
		c.mature()
		c.create(to(trading.ToTrading, customer, "deposit/"+id+"/1", "BTC", amount))
		if amount == 4_000 {
			c.deposit(customer, 4_000)
			c.mature()
		}
		if _, err := c.forward.Forward(t.Context(), id); err != nil {
			t.Error(err)
		}
		c.expect(customer, "BTC", 4_000-amount%4_000, amount)
	}
	if _, err := c.forward.Forward(t.Context(), "dep_none"); !errors.Is(err, custody.ErrNotFound) {
		t.Errorf("an unknown deposit: %v", err)
	}
}
