package chaintest

import (
	"testing"

	"strongroom/chainadapters"
	"strongroom/money"
)

// Contracts is what a Harness may offer besides, where its chain runs the
// contracts of package contracts: the cases of hostile tokens are run then.
type Contracts interface {
	// Deploy puts a contract on the chain by its name and returns its canonical
	// address. On return it is mined.
	Deploy(tb testing.TB, name string) (contract string)
	// Invoke calls a method of it from the stranger, with native value. Arguments
	// are canonical addresses, amounts, lists of both, or what the chain's own
	// library takes. On return the transaction is in the pool.
	Invoke(tb testing.TB, contract, method string, value money.Units, args ...any) (txid string)
	// Stranger returns the address that calls.
	Stranger() string
}

// contractCases are run where the harness has contracts.
func contractCases() []testCase {
	return []testCase{
		{"native value sent by contracts is found", internalTransfers},
		{"native value that contracts sent and undid is not", undoneTransfers},
		{"token that lies about its transfers", lyingToken},
		{"token that keeps a fee", feeToken},
		{"token whose balances change by themselves", rebasingToken},
		{"token that breaks", revertingToken},
		{"token that returns false", falseToken},
		{"token that returns nothing", silentToken},
		{"token that calls itself", reentrantToken},
		{"token whose decimals change", decimalsToken},
		{"token that refuses with a megabyte", hugeRevertToken},
		{"events of other contracts and of zero value", poisoning},
	}
}

// internalOf returns the native movements to an address, which must have been
// made by contracts in this very transaction, each under a place of its own.
func internalOf(t *testing.T, b chainadapters.Block, txid, address string) []money.Units {
	t.Helper()
	var amounts []money.Units
	seen := map[uint32]bool{}
	for _, m := range movementsTo(b, address) {
		if m.TxID != txid || m.Contract != "" || m.Index < chainadapters.InternalIndex || seen[m.Index] {
			t.Fatalf("movement %+v, want native value moved by a contract in %s", m, txid)
		}
		seen[m.Index] = true
		amounts = append(amounts, m.Amount)
	}
	return amounts
}

func wantAmounts(t *testing.T, what string, got []money.Units, want ...uint64) {
	t.Helper()
	same := len(got) == len(want)
	for i := 0; same && i < len(got); i++ {
		same = got[i] == money.FromUint64(want[i])
	}
	if !same {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func internalTransfers(t *testing.T, h Harness) {
	t.Helper()
	c := h.(Contracts)
	sender, copied := c.Deploy(t, "EthSender"), c.Deploy(t, "EthSender")
	one, two := h.NewWallet(t).Address, h.NewWallet(t).Address
	single := c.Invoke(t, sender, "send", money.FromUint64(7), one)
	many := c.Invoke(t, sender, "sendMany", money.FromUint64(6), []string{one, two, one},
		[]money.Units{money.FromUint64(1), money.FromUint64(2), money.FromUint64(3)})
	delegated := c.Invoke(t, sender, "sendDelegated", money.FromUint64(11), copied, two)
	ended := c.Invoke(t, sender, "bequeath", money.FromUint64(13), two)
	before := headOf(t, h)
	h.Mine(t, 1)
	b := blockAt(t, h, before.Height+1)
	if b.Untraced {
		t.Fatal("the node did not trace")
	}
	only := func(txid string) chainadapters.Block {
		part := chainadapters.Block{}
		for _, m := range b.Movements {
			if m.TxID == txid {
				part.Movements = append(part.Movements, m)
			}
		}
		return part
	}
	wantAmounts(t, "a single send", internalOf(t, only(single), single, one), 7)
	wantAmounts(t, "several in one call", internalOf(t, only(many), many, one), 1, 3)
	wantAmounts(t, "another in that call", internalOf(t, only(many), many, two), 2)
	wantAmounts(t, "a delegated send", internalOf(t, only(delegated), delegated, two), 11)
	wantAmounts(t, "what an ended contract left", internalOf(t, only(ended), ended, two), 13)
	// What the block says that arrived is what the balances say.
	for address, want := range map[string]uint64{one: 11, two: 26} {
		held := must(h.Adapter().Holdings(within(t), chainadapters.Holdings{Addresses: []string{address}, At: b.Ref}))(t, "holdings")
		wantAmounts(t, "balance of "+address, []money.Units{held}, want)
	}
	// Mined again elsewhere, each has the place that it had.
	again := must(h.Adapter().Block(within(t), b.Ref, nil))(t, "read again")
	for i, m := range again.Movements {
		if m != b.Movements[i] {
			t.Fatalf("read again: got %+v, want %+v", m, b.Movements[i])
		}
	}
}

func undoneTransfers(t *testing.T, h Harness) {
	t.Helper()
	c := h.(Contracts)
	sender := c.Deploy(t, "EthSender")
	partly, wholly := h.NewWallet(t).Address, h.NewWallet(t).Address
	txid := c.Invoke(t, sender, "sendAndUndo", money.FromUint64(9), partly, money.FromUint64(4), money.FromUint64(5))
	failed := c.Invoke(t, sender, "sendThenRevert", money.FromUint64(5), wholly, money.FromUint64(5))
	b := mined(t, h)
	wantAmounts(t, "sent, and sent and undone", internalOf(t, b, txid, partly), 4)
	wantAmounts(t, "sent by a transaction that failed", internalOf(t, b, failed, wholly))
}
