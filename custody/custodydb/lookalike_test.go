package custodydb_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/custodytest"
	"strongroom/money"
)

// alike returns the names of two addresses of a network that begin and end alike:
// whoever wants such a pair has to try as well.
func alike(t *testing.T, network string) (name, other string) {
	t.Helper()
	const tries = 2_000_000
	seen := map[string]string{}
	for i := range tries {
		name := strconv.Itoa(i)
		a := fakechain.Address(network, name)[len(network)+1:]
		ends := a[:custody.LookAlikeEnds] + a[len(a)-custody.LookAlikeEnds:]
		if other, found := seen[ends]; found {
			return other, name
		}
		seen[ends] = name
	}
	t.Fatal("no pair")
	return "", ""
}

// TestLookAlikeIsRefused: an address that resembles one which the customer paid or
// was paid by must be confirmed. Cancelled withdrawals, amounts that were never
// credited and other customers' addresses make nobody known.
func TestLookAlikeIsRefused(t *testing.T) {
	k := custodytest.New(t)
	ctx := context.Background()
	network := "fake" + string(custodytest.Accounts)
	first, second := alike(t, network)
	known, twin := fakechain.Address(network, first), fakechain.Address(network, second)
	for _, customer := range []string{"cus_a", "cus_b", "cus_c"} {
		k.Pay(t, custodytest.ETH, k.Address(t, customer, custodytest.ETH), 900_000)
	}
	k.Mine(t, custodytest.Accounts, custodytest.WithdrawDepth)
	n := 0
	ask := func(customer, to string, confirm bool) (custody.Withdrawal, error) {
		n++
		w, _, err := k.Store.CreateWithdrawal(ctx, custody.WithdrawalRequest{
			Customer: customer, IdempotencyKey: strconv.Itoa(n), Asset: custodytest.ETH, To: to,
			Amount: money.FromUint64(10_000), ConfirmDestination: confirm,
		})
		return w, err
	}
	allowed := func(when, customer, to string, confirm bool) custody.Withdrawal {
		t.Helper()
		w, err := ask(customer, to, confirm)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		return w
	}
	refused := func(when, customer, to string) {
		t.Helper()
		if _, err := ask(customer, to, false); !errors.Is(err, custody.ErrDestination) || !errors.Is(err, custody.ErrLookAlike) {
			t.Fatalf("%s: %v", when, err)
		}
	}
	allowed("nothing is known", "cus_a", known, false)
	refused("it resembles what was paid", "cus_a", twin)
	allowed("of another customer", "cus_b", twin, false)
	allowed("the same again", "cus_a", known, false)
	allowed("confirmed", "cus_a", twin, true)
	allowed("paid before, by confirmation", "cus_a", twin, false)
	w := allowed("first of the third", "cus_c", known, false)
	if _, err := k.Store.CancelWithdrawal(ctx, "cus_c", w.ID); err != nil {
		t.Fatal(err)
	}
	allowed("the other was cancelled", "cus_c", twin, false)
	refused("it resembles what was paid by the third", "cus_c", known)
	for customer, want := range map[string][]string{"cus_b": {twin}, "cus_c": {twin}, "cus_d": nil} {
		list, err := custodydb.KnownAddresses(ctx, k.Pool, customer, custodytest.Accounts, 10)
		if err != nil {
			t.Fatal(err)
		}
		list = slices.DeleteFunc(list, func(a string) bool { return a != known && a != twin }) // who paid them is known, too
		if !slices.Equal(list, want) {
			t.Errorf("%s knows %v, want %v", customer, list, want)
		}
	}
}

// TestPayersAreKnownNotTrusted: who paid makes an address known once that was
// credited; whoever resembles a destination stays suspect by paying.
func TestPayersAreKnownNotTrusted(t *testing.T) {
	k := custodytest.New(t)
	ctx := context.Background()
	network := "fake" + string(custodytest.Accounts)
	first, second := alike(t, network)
	payer, twin := fakechain.Address(network, first), fakechain.Address(network, second)
	to := k.Address(t, "cus_a", custodytest.ETH)
	k.Pay(t, custodytest.ETH, to, 900_000)
	from(t, k, payer, to, custodytest.Dust-1) // poison: not credited, so nobody is known by it
	ask := func(key, to string) error {
		_, _, err := k.Store.CreateWithdrawal(ctx, custody.WithdrawalRequest{
			Customer: "cus_a", IdempotencyKey: key, Asset: custodytest.ETH, To: to, Amount: money.FromUint64(10_000),
		})
		return err
	}
	if err := ask("1", twin); err != nil {
		t.Fatalf("dust made its sender known: %v", err)
	}
	if err := ask("2", payer); !errors.Is(err, custody.ErrLookAlike) {
		t.Fatalf("the twin was paid, now the other is asked for: %v", err)
	}
	from(t, k, payer, to, 50_000) // it pays for being known
	if err := ask("3", payer); !errors.Is(err, custody.ErrLookAlike) {
		t.Fatalf("a payment made the look-alike trusted: %v", err)
	}
	if err := ask("4", twin); err != nil {
		t.Fatalf("what was paid before: %v", err)
	}
}

// from pays from an account of a stranger and lets the deposit mature.
func from(t *testing.T, k *custodytest.Kit, sender, to string, amount uint64) {
	t.Helper()
	chain, node := k.Chains[custodytest.Accounts], k.Nodes[custodytest.Accounts]
	const gas = 1_000_000_000_000_000
	if _, err := chain.Pay(chainadapters.Payment{To: sender, Amount: money.FromUint64(amount + gas)}); err != nil {
		t.Fatal(err)
	}
	k.Mine(t, custodytest.Accounts, 1)
	nonce, err := node.NextNonce(t.Context(), sender)
	if err != nil {
		t.Fatal(err)
	}
	plan := chainadapters.Plan{
		Payments: []chainadapters.Payment{{To: to, Amount: money.FromUint64(amount)}},
		Slot:     &chainadapters.Slot{From: sender, Nonce: nonce},
	}
	if plan.Fee, err = node.Quote(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	unsigned, err := node.Build(plan)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := fakechain.Sign(unsigned.Bytes)
	if err := node.Broadcast(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	k.Mine(t, custodytest.Accounts, custodytest.WithdrawDepth)
}
