package quorum_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/chainadapters/quorum"
	"strongroom/money"
)

func TestConfigIsChecked(t *testing.T) {
	account, err := fakechain.New(fakechain.Config{Family: chainadapters.Account, Network: network})
	if err != nil {
		t.Fatal(err)
	}
	coins, err := fakechain.New(fakechain.Config{Family: chainadapters.UTXO, Network: network})
	if err != nil {
		t.Fatal(err)
	}
	a, b := account.Adapter(account.Identity()), coins.Adapter(coins.Identity())
	many := make([]quorum.Node, 17)
	for i := range many {
		many[i] = quorum.Node{Name: strings.Repeat("n", i+1), Adapter: a}
	}
	for name, cfg := range map[string]quorum.Config{
		"one node":   {Nodes: many[:1]},
		"too many":   {Nodes: many},
		"same name":  {Nodes: []quorum.Node{many[0], many[0]}},
		"no name":    {Nodes: []quorum.Node{many[0], {Adapter: a}}},
		"no adapter": {Nodes: []quorum.Node{many[0], {Name: "x"}}},
		"families":   {Nodes: []quorum.Node{many[0], {Name: "x", Adapter: b}}},
		"half":       {Nodes: many[:4], Policy: chainadapters.NodePolicy{Need: 2}},
		"one":        {Nodes: many[:2], Policy: chainadapters.NodePolicy{Need: 1}},
		"all and 1":  {Nodes: many[:3], Policy: chainadapters.NodePolicy{Need: 4}},
	} {
		if q, err := quorum.New(cfg); !errors.Is(err, quorum.ErrConfig) || q != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTwoNodesThatDifferStopTheChain: the reason names both, a balance that is in
// doubt stops the head too, and agreement ends it.
func TestTwoNodesThatDifferStopTheChain(t *testing.T) {
	ctx := t.Context()
	w := newWorld(t, chainadapters.Account, 2)
	w.pay()
	w.nodes[1].tell(balance)
	errs := w.compare()
	if !errors.Is(errs["holdings"], quorum.ErrSplit) || !strings.Contains(errs["holdings"].Error(), "node0 says") || !strings.Contains(errs["holdings"].Error(), "node1 says") {
		t.Fatalf("holdings: %v", errs["holdings"])
	}
	if _, err := w.q.Head(ctx); !errors.Is(err, quorum.ErrSplit) {
		t.Fatalf("head while a balance is in doubt: %v", err)
	}
	w.nodes[1].tell(truth)
	w.compare()
	w.must(w.compare())

	w.nodes[1].tell(cost)
	w.compare()
	for range probation - 1 { // nobody asks for the transaction again
		w.pay()
		if _, err := w.q.Head(ctx); !errors.Is(err, quorum.ErrSplit) {
			t.Fatalf("head while an outcome is in doubt: %v", err)
		}
	}
	w.pay()
	if _, err := w.q.Head(ctx); err != nil {
		t.Fatalf("the alarm did not lapse: %v", err)
	}
}

func TestOneNodeIsNoQuorum(t *testing.T) {
	w := newWorld(t, chainadapters.Account, 2)
	w.pay()
	w.nodes[1].Adapter.(*fakechain.Adapter).Break(fakechain.Down)
	for name, err := range w.compare() {
		if !errors.Is(err, quorum.ErrTooFew) {
			t.Errorf("%s by one node: %v", name, err)
		}
	}
	if s := w.state(1); s.State != chainadapters.NodeDown || s.Reason == "" {
		t.Fatalf("%+v", s)
	}
	w.nodes[1].Adapter.(*fakechain.Adapter).Break(fakechain.None)
	w.compare()
	w.must(w.compare())
}

// TestSlowNodeSlowsNobody: a node that never answers costs no call, and is asked
// no more than it can owe.
func TestSlowNodeSlowsNobody(t *testing.T) {
	w := newWorld(t, chainadapters.Account, 3)
	w.pay()
	w.must(w.compare())
	stuck := make(chan struct{})
	w.nodes[2].stall = stuck
	head, err := w.q.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 1_000 {
		if _, err := w.q.HeaderAt(t.Context(), head.Height); err != nil {
			t.Fatal(err)
		}
	}
	if asked := w.nodes[2].calls.Load(); asked > 300 {
		t.Errorf("a node that answers nothing was asked %d times", asked)
	}
	close(stuck)
	w.q.Wait()
	if s := w.state(2); s.State != chainadapters.NodeOK {
		t.Fatalf("slow is not wrong: %+v", s)
	}
}

func TestLaggingNodeIsLeftOut(t *testing.T) {
	chain, err := fakechain.New(fakechain.Config{Family: chainadapters.UTXO, Network: network})
	if err != nil {
		t.Fatal(err)
	}
	late := chain.Adapter(chain.Identity())
	q := over(t, chainadapters.NodePolicy{MaxLag: 1}, chain.Adapter(chain.Identity()), chain.Adapter(chain.Identity()), late)
	if err := chain.Mine(9); err != nil {
		t.Fatal(err)
	}
	late.Break(fakechain.Lagging)
	head, err := q.Head(t.Context())
	if s := q.Nodes()[2]; err != nil || head.Height != 9 || s.State != chainadapters.NodeLagging || s.Lag != 2 || s.Height != 7 {
		t.Fatalf("head %d, %v, node %+v", head.Height, err, s)
	}
	late.Break(fakechain.None)
	if _, err := q.Head(t.Context()); err != nil || q.Nodes()[2].State != chainadapters.NodeOK {
		t.Fatalf("caught up: %v, %+v", err, q.Nodes()[2])
	}
}

// TestWordOfAnOperator: an ejection outlives the process, and a person can end it.
func TestWordOfAnOperator(t *testing.T) {
	w := newWorld(t, chainadapters.Account, 3)
	w.pay()
	w.nodes[0].tell(logs)
	w.must(w.compare())
	known := w.q.Nodes()
	if known[0].State != chainadapters.NodeEjected {
		t.Fatalf("%+v", known[0])
	}
	again := newWorld(t, chainadapters.Account, 3)
	again.q.Restore(known)
	known[0].Height = 0 // it is asked again
	if s := again.state(0); s != known[0] {
		t.Fatalf("restored as %+v, was %+v", s, known[0])
	}
	if again.q.Readmit("node1") || again.q.Readmit("nobody") || !again.q.Readmit("node0") {
		t.Fatal("who was let in again?")
	}
	if s := again.state(0); s.State != chainadapters.NodeOK || s.Reason != "" {
		t.Fatalf("%+v", s)
	}
}

// TestWaveringIsContradiction: a node that takes a hash back, and comes back to
// it, while another never left it.
func TestWaveringIsContradiction(t *testing.T) {
	w := newWorld(t, chainadapters.Account, 2)
	w.pay()
	w.must(w.compare())
	w.nodes[1].tell(hash)
	w.compare()
	w.nodes[1].tell(truth)
	w.compare()
	if s := w.state(1); s.State != chainadapters.NodeEjected || !strings.Contains(s.Reason, "came back") {
		t.Fatalf("%+v", s)
	}
	for range probation + 1 { // measured by the one that is left
		w.pay()
		w.compare()
	}
	w.must(w.compare())
}

// TestIdentityAloneBringsNodesBack: whoever is refused the identity asks nothing
// else, and the one of two that was ejected has to come back all the same.
func TestIdentityAloneBringsNodesBack(t *testing.T) {
	w := newWorld(t, chainadapters.Account, 2)
	w.pay()
	w.must(w.compare())
	w.nodes[1].tell(forged)
	w.pay()
	w.compare()
	w.nodes[1].tell(truth)
	for range probation {
		if _, err := w.q.Identity(t.Context()); !errors.Is(err, quorum.ErrTooFew) {
			t.Fatalf("one of two counts: %v", err)
		}
		w.q.Wait()
		w.pay()
	}
	w.must(w.compare())
}

func TestBroadcastReachesAll(t *testing.T) {
	chain, err := fakechain.New(fakechain.Config{Family: chainadapters.UTXO, Network: network})
	if err != nil {
		t.Fatal(err)
	}
	var nodes []*fakechain.Adapter
	for range 3 {
		nodes = append(nodes, chain.Adapter(chain.Identity()))
	}
	q := over(t, chainadapters.NodePolicy{}, nodes[0], nodes[1], nodes[2])
	raw := payment(t, chain, q)
	for _, n := range nodes {
		n.Break(fakechain.Refuse)
	}
	nodes[0].Break(fakechain.Down)
	err = q.Broadcast(t.Context(), raw)
	if !errors.Is(err, chainadapters.ErrRefused) || !strings.Contains(err.Error(), "node0") || !strings.Contains(err.Error(), "node2") {
		t.Fatalf("all refuse or are down: %v", err)
	}
	nodes[2].Break(fakechain.None)
	if err := q.Broadcast(t.Context(), raw); err != nil {
		t.Fatalf("one has it: %v", err)
	}
	if err := q.Broadcast(t.Context(), []byte("no transaction")); err == nil {
		t.Fatal("anything was sent")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.Broadcast(gone, raw); !errors.Is(err, context.Canceled) {
		t.Fatalf("caller has gone: %v", err)
	}
}

// payment returns a signed transaction of a funded key.
func payment(t *testing.T, chain *fakechain.Chain, q *quorum.Adapter) []byte {
	t.Helper()
	from := fakechain.Address(network, "payer")
	txid, err := chain.Pay(chainadapters.Payment{To: from, Amount: money.FromUint64(1_000_000)})
	if err == nil {
		err = chain.Mine(1)
	}
	if err != nil {
		t.Fatal(err)
	}
	unsigned, err := q.Build(chainadapters.Plan{
		Payments: []chainadapters.Payment{{To: fakechain.Address(network, "payee"), Amount: money.FromUint64(500_000)}},
		Coins:    []chainadapters.Coin{{Outpoint: chainadapters.Outpoint{TxID: txid}, Amount: money.FromUint64(1_000_000), Address: from}},
		ChangeTo: from, Fee: chainadapters.Fee{SatPerKVB: 2_000},
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := fakechain.Sign(unsigned.Bytes)
	return raw
}

// priced is a node with a quote and a nonce of its own.
type priced struct {
	chainadapters.Adapter
	fee   chainadapters.Fee
	nonce uint64
	err   error
}

func (p *priced) Quote(context.Context, chainadapters.Plan) (chainadapters.Fee, error) {
	return p.fee, p.err
}

func (p *priced) NextNonce(context.Context, string) (uint64, error) { return p.nonce, nil }

func TestQuoteIsTheMedian(t *testing.T) {
	chain, err := fakechain.New(fakechain.Config{Family: chainadapters.Account, Network: network})
	if err != nil {
		t.Fatal(err)
	}
	quote := func(gas, tip, feeCap, rate uint64) *priced {
		return &priced{Adapter: chain.Adapter(chain.Identity()), fee: chainadapters.Fee{
			GasLimit: gas, TipCap: money.FromUint64(tip), FeeCap: money.FromUint64(feeCap), SatPerKVB: rate,
		}}
	}
	low, mid, high := quote(1, 10, 100, 5), quote(2, 20, 150, 6), quote(9, 30, 999, 7)
	got, err := over(t, chainadapters.NodePolicy{}, high, low, mid).Quote(t.Context(), chainadapters.Plan{})
	if err != nil || got != mid.fee {
		t.Errorf("of three: %+v, %v", got, err)
	}
	got, err = over(t, chainadapters.NodePolicy{}, high, low).Quote(t.Context(), chainadapters.Plan{})
	if want := (chainadapters.Fee{GasLimit: 9, TipCap: low.fee.TipCap, FeeCap: low.fee.FeeCap, SatPerKVB: 5}); err != nil || got != want {
		t.Errorf("of two: %+v, %v", got, err)
	}
	low.err, mid.err = chainadapters.ErrFunds, chainadapters.ErrFunds
	if _, err = over(t, chainadapters.NodePolicy{}, high, low, mid).Quote(t.Context(), chainadapters.Plan{}); !errors.Is(err, chainadapters.ErrFunds) {
		t.Errorf("two cannot pay: %v", err)
	}
	if _, err = over(t, chainadapters.NodePolicy{}, high, low).Quote(t.Context(), chainadapters.Plan{}); !errors.Is(err, quorum.ErrTooFew) {
		t.Errorf("one can, one cannot: %v", err)
	}
}

// TestNonceMustAgree: nodes at another head are no liars, but no nonce is taken.
func TestNonceMustAgree(t *testing.T) {
	chain, err := fakechain.New(fakechain.Config{Family: chainadapters.Account, Network: network})
	if err != nil {
		t.Fatal(err)
	}
	a, b := &priced{Adapter: chain.Adapter(chain.Identity()), nonce: 7}, &priced{Adapter: chain.Adapter(chain.Identity()), nonce: 8}
	q := over(t, chainadapters.NodePolicy{}, a, b)
	if _, err := q.NextNonce(t.Context(), "x"); !errors.Is(err, quorum.ErrSplit) {
		t.Fatalf("7 and 8: %v", err)
	}
	if _, err := q.Head(t.Context()); err != nil {
		t.Fatalf("a nonce in doubt stopped the chain: %v", err)
	}
	b.nonce = 7
	if n, err := q.NextNonce(t.Context(), "x"); err != nil || n != 7 {
		t.Fatalf("7 and 7: %d, %v", n, err)
	}
}

func TestTimeoutIsPerNode(t *testing.T) {
	chain, err := fakechain.New(fakechain.Config{Family: chainadapters.Account, Network: network})
	if err != nil {
		t.Fatal(err)
	}
	q, err := quorum.New(quorum.Config{
		Chain: "fake", Timeout: 20 * time.Millisecond,
		Nodes: []quorum.Node{{"a", chain.Adapter(chain.Identity())}, {"b", hanging{chain.Adapter(chain.Identity())}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Head(t.Context()); !errors.Is(err, quorum.ErrTooFew) || !strings.Contains(err.Error(), "b: ") {
		t.Fatalf("one of two hangs: %v", err)
	}
}

// hanging answers no call before its time is over.
type hanging struct{ chainadapters.Adapter }

func (h hanging) Head(ctx context.Context) (chainadapters.Header, error) {
	<-ctx.Done()
	return chainadapters.Header{}, ctx.Err()
}
