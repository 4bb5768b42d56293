package fakechain_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/money"
)

func newChain(tb rapid.TB, family chainadapters.Family) (*fakechain.Chain, *fakechain.Adapter) {
	tb.Helper()
	chain, err := fakechain.New(fakechain.Config{Family: family})
	if err != nil {
		tb.Fatal(err)
	}
	return chain, chain.Adapter(chain.Identity())
}

func mine(tb rapid.TB, chain *fakechain.Chain, n int) {
	tb.Helper()
	if err := chain.Mine(n); err != nil {
		tb.Fatal(err)
	}
}

func address(name string) string { return fakechain.Address("fakenet", name) }

// rawPayment is a signed native payment on an account chain.
func rawPayment(tb rapid.TB, a *fakechain.Adapter, from, to string, nonce, amount, feeCap uint64) []byte {
	tb.Helper()
	unsigned, err := a.Build(chainadapters.Plan{
		Payments: []chainadapters.Payment{{To: to, Amount: money.FromUint64(amount)}},
		Slot:     &chainadapters.Slot{From: from, Nonce: nonce},
		Fee:      chainadapters.Fee{GasLimit: 21_000, TipCap: money.FromUint64(feeCap), FeeCap: money.FromUint64(feeCap)},
	})
	if err != nil {
		tb.Fatal(err)
	}
	raw, _ := fakechain.Sign(unsigned.Bytes)
	return raw
}

// fund gives an address of an account chain a mined balance.
func fund(tb rapid.TB, chain *fakechain.Chain, to string, amount uint64) {
	tb.Helper()
	if _, err := chain.Pay(chainadapters.Payment{To: to, Amount: money.FromUint64(amount)}); err != nil {
		tb.Fatal(err)
	}
	mine(tb, chain, 1)
}

const gwei = 1_000_000_000

func TestNonceGapWaits(t *testing.T) {
	chain, a := newChain(t, chainadapters.Account)
	alice, bob := address("alice"), address("bob")
	fund(t, chain, alice, 1e18)
	for _, nonce := range []uint64{1, 0} { // the later one arrives first
		if err := a.Broadcast(t.Context(), rawPayment(t, a, alice, bob, nonce, 10, gwei)); err != nil {
			t.Fatal(err)
		}
		mine(t, chain, 1)
		want := map[uint64]uint64{1: 0, 0: 20}[nonce]
		if got := chain.Balance(bob, ""); got != money.FromUint64(want) {
			t.Fatalf("after nonce %d: bob has %s, want %d", nonce, got, want)
		}
	}
}

func TestBlocksAreDeterministic(t *testing.T) {
	heads := map[string]bool{}
	for range 3 {
		chain, a := newChain(t, chainadapters.Account)
		fund(t, chain, address("alice"), 1e18)
		if err := chain.Reorg(1); err != nil {
			t.Fatal(err)
		}
		head, err := a.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		heads[head.Hash] = true
	}
	if len(heads) != 1 {
		t.Fatalf("the same orders gave %d heads", len(heads))
	}
}

func TestFaultsOfSending(t *testing.T) {
	for fault, want := range map[fakechain.Fault]struct {
		err   error // nil: none; errAny: any
		taken bool
	}{
		fakechain.None:         {nil, true},
		fakechain.NullBlock:    {nil, true}, // faults of reading do not touch sending
		fakechain.PartialBlock: {nil, true},
		fakechain.Lagging:      {nil, true},
		fakechain.Duplicate:    {nil, true},
		fakechain.Refuse:       {chainadapters.ErrRefused, false},
		fakechain.Foreign:      {chainadapters.ErrForeign, false},
		fakechain.LostReply:    {errAny, true},
		fakechain.Down:         {errAny, false},
		fakechain.Timeout:      {errAny, false},
	} {
		chain, a := newChain(t, chainadapters.Account)
		alice, bob := address("alice"), address("bob")
		fund(t, chain, alice, 1e18)
		a.Break(fault)
		err := a.Broadcast(t.Context(), rawPayment(t, a, alice, bob, 0, 7, gwei))
		if (want.err == nil) != (err == nil) || want.err != nil && !errors.Is(want.err, errAny) && !errors.Is(err, want.err) {
			t.Errorf("fault %d: got %v, want %v", fault, err, want.err)
		}
		mine(t, chain, 1)
		if paid := !chain.Balance(bob, "").IsZero(); paid != want.taken {
			t.Errorf("fault %d: paid is %t, want %t", fault, paid, want.taken)
		}
	}
}

var errAny = errors.New("any error")

func TestReorgReturnsCoinsToThePool(t *testing.T) {
	chain, _ := newChain(t, chainadapters.UTXO)
	fund(t, chain, address("alice"), 50_000)
	if err := chain.Reorg(1); err != nil {
		t.Fatal(err)
	}
	if got := chain.Balance(address("alice"), ""); !got.IsZero() {
		t.Fatalf("replaced: alice has %s", got)
	}
	mine(t, chain, 1)
	if got := chain.Balance(address("alice"), ""); got != money.FromUint64(50_000) {
		t.Fatalf("mined again: alice has %s", got)
	}
}

func TestOrdersThatMakeNoSense(t *testing.T) {
	if _, err := fakechain.New(fakechain.Config{}); !errors.Is(err, fakechain.ErrConfig) {
		t.Errorf("no family: got %v", err)
	}
	chain, _ := newChain(t, chainadapters.UTXO)
	for name, err := range map[string]error{
		"mine none": chain.Mine(0), "mine too many": chain.Mine(1 << 30),
		"reorganise none": chain.Reorg(0), "reorganise genesis": chain.Reorg(1),
	} {
		if !errors.Is(err, fakechain.ErrConfig) {
			t.Errorf("%s: got %v, want ErrConfig", name, err)
		}
	}
	_, err := chain.Pay(chainadapters.Payment{To: strings.ToUpper(address("alice")), Amount: money.FromUint64(1)})
	if !errors.Is(err, chainadapters.ErrAddress) {
		t.Errorf("pay to a malformed address: got %v", err)
	}
}

// economy is an account chain under random orders, with a note of what was
// minted and sent.
type economy struct {
	chain  *fakechain.Chain
	node   *fakechain.Adapter
	people []string
	nonces map[string]uint64
	minted map[string]money.Units // by transaction
	sent   []string
}

func (e *economy) mint(t *rapid.T) {
	pay := chainadapters.Payment{To: rapid.SampledFrom(e.people).Draw(t, "to"), Amount: money.FromUint64(rapid.Uint64Range(1, 1e16).Draw(t, "amount"))}
	id, err := e.chain.Pay(pay)
	if err != nil {
		t.Fatal(err)
	}
	e.minted[id] = pay.Amount
}

func (e *economy) send(t *rapid.T) {
	who, to := rapid.SampledFrom(e.people).Draw(t, "who"), rapid.SampledFrom(e.people).Draw(t, "to")
	amount, fee := rapid.Uint64Range(1, 1e16).Draw(t, "amount"), rapid.Uint64Range(gwei, 9*gwei).Draw(t, "fee")
	raw := rawPayment(t, e.node, who, to, e.nonces[who], amount, fee)
	if e.node.Broadcast(t.Context(), raw) != nil {
		return // no cover, or a slot that is taken
	}
	signed, err := e.node.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	e.nonces[who]++
	e.sent = append(e.sent, signed.TxID)
}

func (e *economy) mine(t *rapid.T) { mine(t, e.chain, rapid.IntRange(1, 3).Draw(t, "blocks")) }

func (e *economy) reorg(t *rapid.T) {
	head, err := e.node.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if head.Height == 0 {
		return
	}
	if err := e.chain.Reorg(rapid.IntRange(1, int(min(head.Height, 3))).Draw(t, "depth")); err != nil {
		t.Fatal(err)
	}
}

// check compares the chain with a plain sum: what came from nowhere is held by
// somebody or was paid in fees, and the fees are what the statuses say.
func (e *economy) check(t *rapid.T) {
	var in, out money.Units
	for _, s := range statuses(t, e.node, slices.Collect(maps.Keys(e.minted))) {
		if s.State == chainadapters.Mined {
			in = add(t, in, e.minted[s.TxID])
		}
	}
	for _, s := range statuses(t, e.node, e.sent) {
		if s.State == chainadapters.Mined {
			out = add(t, out, s.Fee)
		}
	}
	for _, who := range e.people {
		out = add(t, out, e.chain.Balance(who, ""))
	}
	if in != out {
		t.Fatalf("from nowhere came %s, balances and fees are %s", in, out)
	}
}

func TestValueIsConserved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		chain, node := newChain(t, chainadapters.Account)
		e := &economy{
			chain: chain, node: node, people: []string{address("a"), address("b"), address("c")},
			nonces: map[string]uint64{}, minted: map[string]money.Units{},
		}
		t.Repeat(map[string]func(*rapid.T){
			"mint": e.mint, "send": e.send, "mine": e.mine, "reorganise": e.reorg, "": e.check,
		})
	})
}

func statuses(t *rapid.T, a *fakechain.Adapter, ids []string) []chainadapters.TxStatus {
	t.Helper()
	got, err := a.Statuses(t.Context(), ids)
	if err != nil || len(got) != len(ids) {
		t.Fatalf("statuses: %d of %d, %v", len(got), len(ids), err)
	}
	return got
}

func add(t *rapid.T, a, b money.Units) money.Units {
	t.Helper()
	sum, err := a.Add(b)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}
