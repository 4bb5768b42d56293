package quorum_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/chainadapters/quorum"
	"strongroom/money"
)

// world is a chain, nodes that see it, and one that tells the truth.
type world struct {
	tb     rapid.TB
	chain  *fakechain.Chain
	honest *scripted
	nodes  []*scripted
	q      *quorum.Adapter
	txid   string
}

const probation = 4

func newWorld(tb rapid.TB, family chainadapters.Family, n int) *world {
	chain, err := fakechain.New(fakechain.Config{Family: family, Network: network})
	if err != nil {
		tb.Fatal(err)
	}
	w := &world{tb: tb, chain: chain, honest: node(chain.Adapter(chain.Identity()))}
	cfg := quorum.Config{Chain: "fake", Policy: chainadapters.NodePolicy{Probation: probation}}
	for i := range n {
		w.nodes = append(w.nodes, node(chain.Adapter(chain.Identity())))
		cfg.Nodes = append(cfg.Nodes, quorum.Node{Name: fmt.Sprintf("node%d", i), Adapter: w.nodes[i]})
	}
	if w.q, err = quorum.New(cfg); err != nil {
		tb.Fatal(err)
	}
	return w
}

// pay mines one block with one deposit.
func (w *world) pay() {
	w.tb.Helper()
	txid, err := w.chain.Pay(chainadapters.Payment{To: fakechain.Address(network, "house"), Amount: money.FromUint64(1_000)})
	if err == nil {
		err = w.chain.Mine(1)
	}
	if err != nil {
		w.tb.Fatal(err)
	}
	w.txid = txid
}

// answers is all that a house asks about the newest block.
type answers map[string]any

// look asks an adapter what a watcher, a desk and a count ask about a block.
func look(a chainadapters.Adapter, at chainadapters.Header, txid string) (answers, map[string]error) {
	ctx, out, errs := context.Background(), answers{}, map[string]error{}
	keep := func(name string, v any, err error) {
		if err != nil {
			errs[name] = err
			return
		}
		out[name] = v
	}
	is, err := a.Identity(ctx)
	keep("identity", is, err)
	head, err := a.Head(ctx)
	keep("head", head, err)
	header, err := a.HeaderAt(ctx, at.Height)
	keep("header", header, err)
	block, err := a.Block(ctx, at.Ref, nil)
	keep("block", block, err)
	statuses, err := a.Statuses(ctx, []string{txid})
	keep("statuses", statuses, err)
	q := chainadapters.Holdings{At: at.Ref}
	if a.Family() == chainadapters.Account {
		q.Addresses = []string{fakechain.Address(network, "house")}
	} else {
		for _, m := range block.Movements {
			q.Coins = append(q.Coins, chainadapters.Coin{Outpoint: chainadapters.Outpoint{TxID: m.TxID, Vout: m.Index}, Amount: m.Amount, Address: m.To})
		}
	}
	sum, err := a.Holdings(ctx, q)
	keep("holdings", sum, err)
	final, err := a.(chainadapters.Finalizer).Finalized(ctx)
	if !errors.Is(err, chainadapters.ErrNoFinality) {
		keep("final", final, err)
	}
	return out, errs
}

// compare looks through the quorum; whatever it says must be true. It returns what
// the quorum refused to say.
func (w *world) compare() map[string]error {
	w.tb.Helper()
	head, err := w.honest.Head(context.Background())
	if err != nil {
		w.tb.Fatal(err)
	}
	want, _ := look(w.honest, head, w.txid)
	got, errs := look(w.q, head, w.txid)
	w.q.Wait()
	for name, v := range got {
		if !reflect.DeepEqual(v, want[name]) {
			w.tb.Fatalf("%s: the quorum says %+v, the chain %+v", name, v, want[name])
		}
	}
	return errs
}

func (w *world) state(i int) chainadapters.NodeStatus { return w.q.Nodes()[i] }

// TestHonestMajorityWins: while more than half of the nodes are honest, the house
// always hears the truth, and every liar is ejected within one block. Liars that
// mend their ways come back after their probation.
func TestHonestMajorityWins(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		family := rapid.SampledFrom([]chainadapters.Family{chainadapters.Account, chainadapters.UTXO}).Draw(rt, "family")
		n := rapid.IntRange(3, 7).Draw(rt, "nodes")
		w := newWorld(rt, family, n)
		liars := rapid.IntRange(1, (n-1)/2).Draw(rt, "liars")
		for range rapid.IntRange(1, 3).Draw(rt, "quiet blocks") {
			w.pay()
			w.must(w.compare())
		}
		told := lie(rapid.IntRange(1, int(lies)-1).Draw(rt, "lie"))
		for i := range liars {
			w.nodes[i].tell(told)
		}
		w.pay()
		w.must(w.compare())
		if told == headBack || told == hash { // time could explain it once
			w.must(w.compare())
		}
		w.judgedAs(told, liars)
		for i := range liars {
			w.nodes[i].tell(truth)
		}
		for range probation {
			w.pay()
			w.must(w.compare())
		}
		w.must(w.compare())
		for i := range w.nodes {
			if s := w.state(i); s.State != chainadapters.NodeOK {
				rt.Fatalf("%s after it mended its ways: %+v", told, s)
			}
		}
	})
}

func (w *world) must(errs map[string]error) {
	w.tb.Helper()
	for name, err := range errs {
		w.tb.Fatalf("%s: an honest majority was not heard: %v", name, err)
	}
}

func (w *world) judgedAs(told lie, liars int) {
	w.tb.Helper()
	for i := range w.nodes {
		s := w.state(i)
		switch {
		case i >= liars && s.State != chainadapters.NodeOK:
			w.tb.Fatalf("%s: honest node %d is %+v", told, i, s)
		case i < liars && told == headTooFar: // others may yet reach what it claims
		case i < liars && (s.State != chainadapters.NodeEjected || s.Reason == ""):
			w.tb.Fatalf("%s: liar %d is %+v", told, i, s)
		}
	}
}

// TestNoMajorityNoAnswer: where as many lie as tell the truth, no lie is ever
// heard, and the contradicted question is refused.
func TestNoMajorityNoAnswer(t *testing.T) {
	refused := map[lie]string{ //nolint:exhaustive // a head that goes back by one is only behind
		hash: "header", logs: "block", missing: "block", receipt: "statuses", cost: "statuses", denial: "statuses",
		balance: "holdings", headTooFar: "head", forged: "block", foreign: "identity", finality: "",
	}
	for told, question := range refused {
		for _, n := range []int{2, 4} {
			w := newWorld(t, chainadapters.Account, n)
			w.pay()
			w.must(w.compare())
			for i := range n / 2 {
				w.nodes[i].tell(told)
			}
			w.pay()
			errs := w.compare()
			if question != "" && errs[question] == nil && n == 2 {
				t.Errorf("%s of %d: %s was answered; refused were %v", told, n, question, errs)
			}
			for name, err := range errs {
				if !errors.Is(err, quorum.ErrSplit) && !errors.Is(err, quorum.ErrTooFew) {
					t.Errorf("%s of %d: %s: %v", told, n, name, err)
				}
			}
		}
	}
}
