package watch_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strongroom/chainadapters"
	"strongroom/chainadapters/quorum"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/custodytest"
	"strongroom/custody/watch"
)

// finalNode is a node that calls a block final, or none.
type finalNode struct {
	chainadapters.Adapter
	mu    sync.Mutex
	final chainadapters.Ref // no hash: it names none
	err   error
}

func (n *finalNode) Finalized(context.Context) (chainadapters.Ref, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.err != nil:
		return chainadapters.Ref{}, n.err
	case n.final.Hash == "":
		return chainadapters.Ref{}, chainadapters.ErrNoFinality
	}
	return n.final, nil
}

// through returns a watcher of the coins by another adapter than the kit's.
func through(tb testing.TB, k *custodytest.Kit, a chainadapters.Adapter, metrics prometheus.Registerer) *watch.Watcher {
	tb.Helper()
	w, err := watch.New(watch.Config{
		Chain: custodytest.Coins, Adapter: a, Store: k.Store, Assets: k.Assets, MaxReorg: custodytest.MaxReorg,
		Poll: time.Millisecond, Log: k.Log, Metrics: metrics,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

func lookOnce(tb testing.TB, k *custodytest.Kit, w *watch.Watcher) custodydb.ChainStatus {
	tb.Helper()
	if _, err := w.Look(context.Background()); err != nil {
		tb.Fatal(err)
	}
	return chain(tb, k)
}

func ref(tb testing.TB, k *custodytest.Kit, height uint64) chainadapters.Ref {
	tb.Helper()
	h, err := k.Nodes[custodytest.Coins].HeaderAt(context.Background(), height)
	if err != nil {
		tb.Fatal(err)
	}
	return h.Ref
}

// TestFinalityThatVanishesStopsTheChain: a final block that goes missing or back
// halts the chain until it is back; one that was replaced needs a person.
func TestFinalityThatVanishesStopsTheChain(t *testing.T) {
	k := custodytest.New(t)
	node := &finalNode{Adapter: k.Nodes[custodytest.Coins]}
	metrics := prometheus.NewRegistry()
	w := through(t, k, node, metrics)
	mine(t, k, 9)
	set := func(at chainadapters.Ref, err error) custodydb.ChainStatus {
		node.mu.Lock()
		node.final, node.err = at, err
		node.mu.Unlock()
		return lookOnce(t, k, w)
	}
	none, five := chainadapters.Ref{}, ref(t, k, 5)
	usable := func(when string, s custodydb.ChainStatus) {
		t.Helper()
		if s.Status != custodydb.ChainOK {
			t.Fatalf("%s: %+v", when, s)
		}
	}
	halted := func(when string, s custodydb.ChainStatus, reason string, operator bool) {
		t.Helper()
		if s.Status != custodydb.ChainHalted || !strings.Contains(s.Reason, reason) || s.Operator != operator {
			t.Fatalf("%s: %+v", when, s)
		}
	}
	usable("a chain that never named one", set(none, nil))
	usable("the first final block", set(five, nil))
	halted("it is gone", set(none, nil), "final block is missing, it was 5", false)
	if got := gauge(t, metrics, "strongroom_chain_halted"); got != 1 {
		t.Fatalf("halted is told as %v", got)
	}
	usable("it is back", set(five, nil))
	halted("it went back", set(ref(t, k, 4), nil), "went back from 5 to 4", false)
	halted("nobody can say", set(none, errors.New("socket closed")), "socket closed", false)
	halted("above the head", set(chainadapters.Ref{Height: 99, Hash: "x"}, nil), "calls 99 final", false)
	usable("it moves on", set(ref(t, k, 6), nil))
	halted("another block of that height", set(chainadapters.Ref{Height: 6, Hash: "other"}, nil), "was final as", true)
}

// gauge returns what the one gauge of a name shows.
func gauge(tb testing.TB, r *prometheus.Registry, name string) float64 {
	tb.Helper()
	families, err := r.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	tb.Fatalf("no metric %s", name)
	return 0
}

// TestWhatIsFinalIsNotReplaced: a reorganisation within policy that would replace
// a final block waits for a person.
func TestWhatIsFinalIsNotReplaced(t *testing.T) {
	k := custodytest.New(t)
	mine(t, k, 9)
	node := &finalNode{Adapter: k.Nodes[custodytest.Coins], final: ref(t, k, 8)}
	w := through(t, k, node, nil)
	if s := lookOnce(t, k, w); s.Status != custodydb.ChainOK {
		t.Fatalf("%+v", s)
	}
	if err := k.Chains[custodytest.Coins].Reorg(2); err != nil {
		t.Fatal(err)
	}
	if s := lookOnce(t, k, w); !s.Operator || !strings.Contains(s.Reason, "was final") || s.Cursor.Height != 9 {
		t.Fatalf("%+v", s)
	}
}

// twoFaced is a node that tells another hash while it lies.
type twoFaced struct {
	chainadapters.Adapter
	mu   sync.Mutex
	lies bool
}

func (n *twoFaced) set(lies bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lies = lies
}

func (n *twoFaced) HeaderAt(ctx context.Context, height uint64) (chainadapters.Header, error) {
	return n.twist(n.Adapter.HeaderAt(ctx, height))
}

func (n *twoFaced) Head(ctx context.Context) (chainadapters.Header, error) {
	return n.twist(n.Adapter.Head(ctx))
}

func (n *twoFaced) twist(h chainadapters.Header, err error) (chainadapters.Header, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.lies && err == nil && h.Height > 0 {
		h.Hash = "another"
	}
	return h, err
}

// TestEjectionIsRememberedAndEnded: the watcher writes down who is ejected, takes
// it over after a restart, and hears an operator.
func TestEjectionIsRememberedAndEnded(t *testing.T) {
	k := custodytest.New(t)
	ctx := context.Background()
	healthy := k.Nodes[custodytest.Coins]
	liar := &twoFaced{Adapter: healthy}
	open := func() *watch.Watcher {
		q, err := quorum.New(quorum.Config{Chain: custodytest.Coins, Nodes: []quorum.Node{{Name: "a", Adapter: healthy}, {Name: "b", Adapter: liar}, {Name: "c", Adapter: healthy}}})
		if err != nil {
			t.Fatal(err)
		}
		return through(t, k, q, nil)
	}
	b := func() chainadapters.NodeStatus {
		nodes, err := k.Store.Nodes(ctx, custodytest.Coins)
		if err != nil || len(nodes) != 3 {
			t.Fatalf("%+v, %v", nodes, err)
		}
		return nodes[1]
	}
	w := open()
	mine(t, k, 3)
	if s := lookOnce(t, k, w); s.Status != custodydb.ChainOK || b().State != chainadapters.NodeOK {
		t.Fatalf("%+v %+v", s, b())
	}
	if err := k.Store.ReadmitNode(ctx, custodytest.Coins, "b"); !errors.Is(err, custody.ErrNotFound) {
		t.Fatalf("readmitted who was never out: %v", err)
	}
	liar.set(true)
	for tries := 0; b().State != chainadapters.NodeEjected; tries++ {
		if s := lookOnce(t, k, w); s.Status != custodydb.ChainOK || tries > 1_000 {
			t.Fatalf("%+v %+v", s, b())
		}
	}
	if !strings.Contains(b().Reason, "another") {
		t.Fatalf("%+v", b())
	}
	liar.set(false)
	w = open()
	if lookOnce(t, k, w); b().State != chainadapters.NodeEjected {
		t.Fatalf("a restart forgot: %+v", b())
	}
	if err := k.Store.ReadmitNode(ctx, custodytest.Coins, "b"); err != nil {
		t.Fatal(err)
	}
	if s := lookOnce(t, k, w); s.Status != custodydb.ChainOK || b().State != chainadapters.NodeOK || b().Reason != "" {
		t.Fatalf("%+v %+v", s, b())
	}
}
