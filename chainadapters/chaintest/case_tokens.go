package chaintest

import (
	"errors"
	"testing"

	"strongroom/chainadapters"
	"strongroom/money"
)

// hoard is what the stranger has of each hostile token.
const hoard = 1_000_000_000

// maxErrorText bounds what an error may say, whatever a contract answered.
const maxErrorText = 2_000

// hostile deploys a token and makes the stranger rich in it.
func hostile(t *testing.T, h Harness, name string) (c Contracts, token string) {
	t.Helper()
	c, _ = h.(Contracts)
	token = c.Deploy(t, name)
	c.Invoke(t, token, "mint", money.Units{}, c.Stranger(), money.FromUint64(hoard))
	h.Mine(t, 1)
	return c, token
}

// received mines, reads the block with the hostile token and an honest one beside
// it, and returns what arrived of the hostile one at an address. It makes sure of
// what every hostile token must leave alone: the honest deposit is found, nothing
// is credited beyond what the balance shows, and no doubt is told at length.
func received(t *testing.T, h Harness, token, address string) (credited []money.Units, doubts []chainadapters.Doubt) {
	t.Helper()
	honest := h.NewWallet(t).Address
	h.FundToken(t, honest, money.FromUint64(77))
	h.Fund(t, honest, money.FromUint64(78))
	b := mined(t, h, h.Token(), token)
	ours := func(a string) bool { return a == address || a == honest }
	movements, doubts, err := chainadapters.Received(within(t), h.Adapter(), b, ours, nil)
	if err != nil {
		t.Fatalf("compare with balances: %v", err)
	}
	for _, m := range movements {
		if m.To == address && m.Contract == token {
			credited = append(credited, m.Amount)
		}
	}
	if others := movementsTo(chainadapters.Block{Movements: movements}, honest); len(others) != 2 {
		t.Fatalf("the honest deposits beside it: got %+v", others)
	}
	covered(t, h, chainadapters.Holdings{Contract: token, Addresses: []string{address}, At: b.Ref}, credited)
	for _, d := range doubts {
		if d.Err != nil && len(d.Err.Error()) > maxErrorText {
			t.Fatalf("a doubt of %d characters", len(d.Err.Error()))
		}
	}
	return credited, doubts
}

// covered makes sure that a balance covers what would be credited; one that the
// token does not tell covers nothing.
func covered(t *testing.T, h Harness, q chainadapters.Holdings, credited []money.Units) {
	t.Helper()
	var sum money.Units
	for _, amount := range credited {
		sum = must(sum.Add(amount))(t, "add up")
	}
	held, err := h.Adapter().Holdings(within(t), q)
	if err != nil && !errors.Is(err, chainadapters.ErrContract) {
		t.Fatalf("ask for the balance: %v", err)
	}
	if held.Less(sum) {
		t.Fatalf("credited %s, the balance is %s (%v)", sum, held, err)
	}
}

func lyingToken(t *testing.T, h Harness) {
	t.Helper()
	c, token := hostile(t, h, "LyingTransfer")
	victim, none := h.NewWallet(t).Address, money.Units{}
	c.Invoke(t, token, "transfer", none, victim, money.FromUint64(500))
	got, doubts := received(t, h, token, victim)
	wantAmounts(t, "an event without movement", got)
	if len(doubts) != 1 || doubts[0].Err != nil || !doubts[0].Received.IsZero() {
		t.Fatalf("doubts: %+v", doubts)
	}
	c.Invoke(t, token, "transferLess", none, victim, money.FromUint64(500), money.FromUint64(3))
	got, _ = received(t, h, token, victim)
	wantAmounts(t, "an event with a larger amount", got, 3)
	c.Invoke(t, token, "transferLess", none, victim, money.FromUint64(60), money.FromUint64(60))
	c.Invoke(t, token, "transferLess", none, victim, money.FromUint64(50), money.FromUint64(10))
	c.Invoke(t, token, "transfer", none, victim, money.FromUint64(1))
	got, _ = received(t, h, token, victim)
	wantAmounts(t, "several in a block share what arrived, in order", got, 60, 10)
}

func feeToken(t *testing.T, h Harness) {
	t.Helper()
	c, token := hostile(t, h, "FeeToken")
	to, none := h.NewWallet(t).Address, money.Units{}
	c.Invoke(t, token, "transfer", none, to, money.FromUint64(1_000))
	got, _ := received(t, h, token, to)
	wantAmounts(t, "a tenth is kept", got, 900)
	c.Invoke(t, token, "pay", none, []string{to, to}, []money.Units{money.FromUint64(100), money.FromUint64(200)})
	got, _ = received(t, h, token, to)
	wantAmounts(t, "two in one transaction", got, 100, 170)
}

func rebasingToken(t *testing.T, h Harness) {
	t.Helper()
	c, token := hostile(t, h, "Rebasing")
	to, none := h.NewWallet(t).Address, money.Units{}
	c.Invoke(t, token, "transfer", none, to, money.FromUint64(1_000))
	got, _ := received(t, h, token, to)
	wantAmounts(t, "a plain transfer", got, 1_000)
	// All balances fall by half in the block of the next transfer.
	c.Invoke(t, token, "rebase", none, money.FromUint64(500_000))
	c.Invoke(t, token, "transfer", none, to, money.FromUint64(700))
	got, _ = received(t, h, token, to)
	wantAmounts(t, "a transfer while balances fall", got, 200)
	// And double: what grew by itself is nobody's deposit.
	c.Invoke(t, token, "rebase", none, money.FromUint64(1_000_000))
	c.Invoke(t, token, "transfer", none, to, money.FromUint64(10))
	got, _ = received(t, h, token, to)
	wantAmounts(t, "a transfer while balances grow", got, 10)
}

func revertingToken(t *testing.T, h Harness) {
	t.Helper()
	c, token := hostile(t, h, "Reverting")
	to, none := h.NewWallet(t).Address, money.Units{}
	c.Invoke(t, token, "transferAndBreak", none, to, money.FromUint64(1_000))
	got, doubts := received(t, h, token, to)
	wantAmounts(t, "a token that does not tell balances any more", got)
	if len(doubts) != 1 || !errors.Is(doubts[0].Err, chainadapters.ErrContract) {
		t.Fatalf("doubts: %+v, want ErrContract", doubts)
	}
	c.Invoke(t, token, "transfer", none, to, money.FromUint64(1_000))
	got, _ = received(t, h, token, to)
	wantAmounts(t, "a transfer that failed", got)
}

func falseToken(t *testing.T, h Harness) {
	t.Helper()
	c, token := hostile(t, h, "ReturnsFalse")
	to := h.NewWallet(t).Address
	txid := c.Invoke(t, token, "transfer", money.Units{}, to, money.FromUint64(1_000))
	got, _ := received(t, h, token, to)
	wantAmounts(t, "a transfer that returned false", got)
	if status := wantState(t, h, txid, chainadapters.Mined); status.Success {
		t.Fatal("a transfer that moved nothing counts as success")
	}
	cannotPay(t, h, token, "a token that returns false")
}

// cannotPay makes sure that a payment which cannot work is refused where it is
// priced, in few words.
func cannotPay(t *testing.T, h Harness, token, what string) {
	t.Helper()
	p := newPurse(t, h)
	plan := chainadapters.Plan{
		Payments: []chainadapters.Payment{{To: h.NewWallet(t).Address, Contract: token, Amount: money.FromUint64(5)}},
		Slot:     &chainadapters.Slot{From: p.Address, Path: p.Path},
	}
	_, err := h.Adapter().Quote(within(t), plan)
	if err == nil || len(err.Error()) > maxErrorText {
		t.Fatalf("price a payment of %s: got an error of %d characters: %.200v", what, len(errorText(err)), err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func silentToken(t *testing.T, h Harness) {
	t.Helper()
	c, token := hostile(t, h, "ReturnsNothing")
	p := newPurse(t, h)
	c.Invoke(t, token, "transfer", money.Units{}, p.Address, money.FromUint64(1_000))
	got, doubts := received(t, h, token, p.Address)
	wantAmounts(t, "a token that returns nothing", got, 1_000)
	if len(doubts) != 0 {
		t.Fatalf("doubts: %+v", doubts)
	}
	// It is paid out like any other.
	to := h.NewWallet(t).Address
	raw, _, signed := p.sign(t, h, p.plan(t, h, chainadapters.Payment{To: to, Contract: token, Amount: money.FromUint64(400)}))
	if err := h.Adapter().Broadcast(within(t), raw); err != nil {
		t.Fatalf("broadcast: %v", err)
	}
	b := mined(t, h, token)
	if status := wantState(t, h, signed.TxID, chainadapters.Mined); !status.Success {
		t.Fatal("the payment failed")
	}
	if arrived := movementsTo(b, to); len(arrived) != 1 || arrived[0].Amount != money.FromUint64(400) {
		t.Fatalf("arrived: %+v", arrived)
	}
}

func reentrantToken(t *testing.T, h Harness) {
	t.Helper()
	c, token := hostile(t, h, "Reentrant")
	to := h.NewWallet(t).Address
	c.Invoke(t, token, "transfer", money.Units{}, to, money.FromUint64(1_000))
	got, _ := received(t, h, token, to)
	wantAmounts(t, "events that count some of it twice", got, 500, 500)
}

func decimalsToken(t *testing.T, h Harness) {
	t.Helper()
	c, token := hostile(t, h, "ChangingDecimals")
	to := h.NewWallet(t).Address
	for range 2 { // amounts are base units: what a token calls a whole does not count
		c.Invoke(t, token, "transfer", money.Units{}, to, money.FromUint64(1_000))
		got, _ := received(t, h, token, to)
		wantAmounts(t, "a token whose decimals change", got, 1_000)
	}
}

func hugeRevertToken(t *testing.T, h Harness) {
	t.Helper()
	c, token := hostile(t, h, "HugeRevert")
	to := h.NewWallet(t).Address
	c.Invoke(t, token, "transfer", money.Units{}, to, money.FromUint64(1_000))
	got, _ := received(t, h, token, to)
	wantAmounts(t, "a transfer that was refused", got)
	cannotPay(t, h, token, "a token that refuses at length")
	c.Invoke(t, token, "arm", money.Units{})
	b := mined(t, h, token)
	_, err := h.Adapter().Holdings(within(t), chainadapters.Holdings{Contract: token, Addresses: []string{to}, At: b.Ref})
	if !errors.Is(err, chainadapters.ErrContract) || len(err.Error()) > maxErrorText {
		t.Fatalf("balance of it: got an error of %d characters: %.200v, want ErrContract", len(errorText(err)), err)
	}
}

func poisoning(t *testing.T, h Harness) {
	t.Helper()
	c, token := hostile(t, h, "LyingTransfer")
	_, unlisted := hostile(t, h, "FeeToken")
	to := h.NewWallet(t).Address
	c.Invoke(t, token, "transfer", money.Units{}, to, money.Units{})
	c.Invoke(t, unlisted, "transfer", money.Units{}, to, money.FromUint64(1_000))
	b := mined(t, h, h.Token(), token)
	if found := movementsTo(b, to); len(found) != 0 {
		t.Fatalf("got %+v, want nothing", found)
	}
}
