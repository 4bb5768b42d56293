package chaintest

import (
	"errors"
	"slices"
	"testing"

	"strongroom/chainadapters"
	"strongroom/money"
)

func identity(t *testing.T, h Harness) {
	t.Helper()
	if got := must(h.Adapter().Identity(within(t)))(t, "identity"); got != h.Identity() {
		t.Fatalf("identity: got %+v, want %+v", got, h.Identity())
	}
	genesis := must(h.Adapter().HeaderAt(within(t), 0))(t, "header of genesis")
	if genesis.Hash != h.Identity().Genesis {
		t.Fatalf("genesis: got %s, want %s", genesis.Hash, h.Identity().Genesis)
	}
}

func foreign(t *testing.T, h Harness) {
	t.Helper()
	h.Mine(t, 1)
	head := headOf(t, h)
	w := h.NewWallet(t)
	for _, a := range h.Foreign(t) {
		for name, err := range readings(t, a, head.Ref, w.Address) {
			if !errors.Is(err, chainadapters.ErrForeign) {
				t.Errorf("%s on a foreign network: got %v, want ErrForeign", name, err)
			}
		}
	}
}

// readings calls every method that asks the node and returns their errors.
func readings(tb testing.TB, a chainadapters.Adapter, at chainadapters.Ref, address string) map[string]error {
	tb.Helper()
	errs := map[string]error{}
	_, errs["identity"] = a.Identity(within(tb))
	_, errs["head"] = a.Head(within(tb))
	_, errs["header"] = a.HeaderAt(within(tb), at.Height)
	_, errs["block"] = a.Block(within(tb), at, nil)
	_, errs["statuses"] = a.Statuses(within(tb), []string{at.Hash})
	if a.Family() == chainadapters.Account {
		_, errs["next nonce"] = a.NextNonce(within(tb), address)
		_, errs["holdings"] = a.Holdings(within(tb), chainadapters.Holdings{Addresses: []string{address}, At: at})
	}
	return errs
}

// walkDepth is how many blocks the walks of this suite follow.
const walkDepth = 4

func parentWalk(t *testing.T, h Harness) {
	t.Helper()
	h.Mine(t, walkDepth)
	head := headOf(t, h)
	if _, err := h.Adapter().HeaderAt(within(t), head.Height+1); !errors.Is(err, chainadapters.ErrNotFound) {
		t.Fatalf("header above head: got %v, want ErrNotFound", err)
	}
	same := must(h.Adapter().HeaderAt(within(t), head.Height))(t, "header at head")
	if same != head {
		t.Fatalf("header at head: got %+v, want %+v", same, head)
	}
	child := head
	for range walkDepth {
		parent := must(h.Adapter().HeaderAt(within(t), child.Height-1))(t, "parent")
		if parent.Hash != child.Parent || parent.Height != child.Height-1 {
			t.Fatalf("parent of %d: got %s, want %s", child.Height, parent.Hash, child.Parent)
		}
		if parent.Time.After(child.Time) {
			t.Fatalf("time goes back at height %d", child.Height)
		}
		child = parent
	}
	block := must(h.Adapter().Block(within(t), head.Ref, nil))(t, "block of head")
	if block.Header != head {
		t.Fatalf("header of the block: got %+v, want %+v", block.Header, head)
	}
}

func deposit(t *testing.T, h Harness) {
	t.Helper()
	w := h.NewWallet(t)
	before := headOf(t, h)
	amount := fraction(t, h.Plenty(), 7)
	txid := h.Fund(t, w.Address, amount)
	wantState(t, h, txid, chainadapters.Pooled)
	h.Mine(t, 2)
	var found []chainadapters.Movement
	var block chainadapters.Block
	for height := before.Height; height <= before.Height+2; height++ {
		b := blockAt(t, h, height)
		if ms := movementsTo(b, w.Address); len(ms) > 0 {
			found, block = append(found, ms...), b
		}
	}
	if len(found) != 1 || found[0].TxID != txid || found[0].Amount != amount || found[0].Contract != "" {
		t.Fatalf("deposit of %s by %s: got %+v", amount, txid, found)
	}
	if native := found[0].Index == chainadapters.NativeIndex; native != (h.Adapter().Family() == chainadapters.Account) {
		t.Fatalf("index of a native movement: got %d", found[0].Index)
	}
	if !slices.Contains(block.TxIDs, txid) {
		t.Fatalf("block %s does not list %s", block.Hash, txid)
	}
	status := wantState(t, h, txid, chainadapters.Mined)
	if status.Block != block.Ref || !status.Success {
		t.Fatalf("status of the deposit: got %+v, want block %+v", status, block.Ref)
	}
	p := &purse{Wallet: w}
	p.collect(block)
	if got := p.holdings(t, h, "", block.Ref); got != amount {
		t.Fatalf("the node confirms %s of a deposit of %s", got, amount)
	}
}

func manyDeposits(t *testing.T, h Harness) {
	t.Helper()
	contract, unit := "", fraction(t, h.Plenty(), 20)
	if h.Adapter().Family() == chainadapters.Account {
		contract, unit = h.Token(), money.FromUint64(1_000)
	}
	first, second := h.NewWallet(t), h.NewWallet(t)
	double := must(unit.Mul(2))(t, "double")
	payments := []chainadapters.Payment{
		{To: first.Address, Contract: contract, Amount: unit},
		{To: second.Address, Contract: contract, Amount: unit},
		{To: first.Address, Contract: contract, Amount: double},
	}
	txid := h.FundMany(t, payments)
	block := mined(t, h, h.Token())
	got := map[chainadapters.Payment]int{}
	indexes := map[uint32]bool{}
	for _, m := range append(movementsTo(block, first.Address), movementsTo(block, second.Address)...) {
		if m.TxID != txid {
			t.Fatalf("movement of another transaction: %+v", m)
		}
		got[chainadapters.Payment{To: m.To, Contract: m.Contract, Amount: m.Amount}]++
		indexes[m.Index] = true
	}
	for _, p := range payments {
		if got[p] != 1 {
			t.Errorf("payment %+v was found %d times", p, got[p])
		}
	}
	if len(indexes) != len(payments) {
		t.Errorf("%d payments have %d indexes", len(payments), len(indexes))
	}
}

func tokenDeposit(t *testing.T, h Harness) {
	t.Helper()
	w, amount := h.NewWallet(t), money.FromUint64(12_345_678)
	txid := h.FundToken(t, w.Address, amount)
	block := mined(t, h, h.Token())
	found := movementsTo(block, w.Address)
	if len(found) != 1 || found[0].TxID != txid || found[0].Amount != amount || found[0].Contract != h.Token() {
		t.Fatalf("token deposit of %s by %s: got %+v", amount, txid, found)
	}
	if other := movementsTo(blockAt(t, h, block.Height), w.Address); len(other) != 0 {
		t.Fatalf("a token that was not asked for was read: %+v", other)
	}
	p := &purse{Wallet: w}
	if got := p.holdings(t, h, h.Token(), block.Ref); got != amount {
		t.Fatalf("token holdings: got %s, want %s", got, amount)
	}
}

func failedTransaction(t *testing.T, h Harness) {
	t.Helper()
	txid, to := h.FundFailing(t, money.FromUint64(5_000))
	block := mined(t, h, h.Token())
	if !slices.Contains(block.TxIDs, txid) {
		t.Fatalf("%s was not mined", txid)
	}
	if found := movementsTo(block, to); len(found) != 0 {
		t.Fatalf("a failed transaction brought %+v", found)
	}
	if !slices.ContainsFunc(block.Spends, func(s chainadapters.Spend) bool { return s.TxID == txid && s.From != "" }) {
		t.Fatalf("the nonce of a failed transaction is not among %+v", block.Spends)
	}
	status := wantState(t, h, txid, chainadapters.Mined)
	if status.Success || status.Fee.IsZero() {
		t.Fatalf("status of a failed transaction: %+v", status)
	}
}
