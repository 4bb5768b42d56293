package quorum_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/chainadapters/quorum"
	"strongroom/money"
)

// tracer is a node that may trace, and that knows senders or not.
type tracer struct {
	chainadapters.Adapter
	blind   bool
	moved   uint64 // what it says that a contract moved on
	senders []string
	unknown int
}

func (n *tracer) Block(ctx context.Context, ref chainadapters.Ref, contracts []string) (chainadapters.Block, error) {
	b, err := n.Adapter.Block(ctx, ref, contracts)
	if b.Untraced = n.blind; !n.blind {
		b.Movements = append(b.Movements, chainadapters.Movement{Index: chainadapters.InternalIndex, To: "house", Amount: money.FromUint64(n.moved)})
	}
	return b, err
}

func (n *tracer) Senders(context.Context, string, chainadapters.Ref) (chainadapters.Senders, error) {
	return chainadapters.Senders{Addresses: n.senders, Unknown: n.unknown}, nil
}

func tracers(t *testing.T, nodes ...*tracer) *quorum.Adapter {
	t.Helper()
	chain, err := fakechain.New(fakechain.Config{Family: chainadapters.Account, Network: network})
	if err != nil {
		t.Fatal(err)
	}
	list := make([]chainadapters.Adapter, len(nodes))
	for i, n := range nodes {
		n.Adapter = chain.Adapter(chain.Identity())
		list[i] = n
	}
	return over(t, chainadapters.NodePolicy{}, list...)
}

func TestTracesAreComparedWhereThereAreAny(t *testing.T) {
	sees := func(moved uint64) *tracer { return &tracer{moved: moved} }
	blind := func() *tracer { return &tracer{blind: true} }
	for name, c := range map[string]struct {
		nodes   []*tracer
		traced  bool
		split   bool
		ejected int // -1 for none
	}{
		"all trace":        {nodes: []*tracer{sees(5), sees(5)}, traced: true, ejected: -1},
		"one does not":     {nodes: []*tracer{sees(5), blind(), sees(5)}, traced: true, ejected: -1},
		"one does":         {nodes: []*tracer{sees(5), blind(), blind()}, ejected: -1},
		"none does":        {nodes: []*tracer{blind(), blind()}, ejected: -1},
		"one lies":         {nodes: []*tracer{sees(5), sees(5), sees(6)}, traced: true, ejected: 2},
		"two differ":       {nodes: []*tracer{sees(5), sees(6)}, split: true, ejected: -1},
		"two of three lie": {nodes: []*tracer{sees(5), blind(), sees(6)}, split: true, ejected: -1},
	} {
		q := tracers(t, c.nodes...)
		head, err := q.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b, err := q.Block(t.Context(), head.Ref, nil)
		q.Wait()
		if errors.Is(err, quorum.ErrSplit) != c.split || (err != nil && !c.split) {
			t.Errorf("%s: %v", name, err)
		}
		if got := len(b.Movements) == 1 && b.Movements[0].Amount == money.FromUint64(5); err == nil && (got != c.traced || b.Untraced == c.traced) {
			t.Errorf("%s: %+v", name, b)
		}
		for i, n := range q.Nodes() {
			if (n.State == chainadapters.NodeEjected) != (i == c.ejected) {
				t.Errorf("%s: node %d is %+v", name, i, n)
			}
		}
	}
}

func TestSendersAreJoinedWhereFewKnowAll(t *testing.T) {
	knows := func(names ...string) *tracer { return &tracer{senders: names} }
	part := func(names ...string) *tracer { return &tracer{senders: names, unknown: 2} }
	for name, c := range map[string]struct {
		nodes   []*tracer
		want    []string
		unknown int
		split   bool
	}{
		"all know":     {nodes: []*tracer{knows("a", "b"), knows("b", "a")}, want: []string{"a", "b"}},
		"two of three": {nodes: []*tracer{part("a"), knows("a", "b"), knows("a", "b")}, want: []string{"a", "b"}},
		"one of two":   {nodes: []*tracer{part("a"), knows("a", "b")}, want: []string{"a", "b"}, unknown: 2},
		"two differ":   {nodes: []*tracer{knows("a"), knows("b")}, split: true},
	} {
		got, err := tracers(t, c.nodes...).Senders(t.Context(), "tx", chainadapters.Ref{})
		slices.Sort(got.Addresses)
		if errors.Is(err, quorum.ErrSplit) != c.split || !slices.Equal(got.Addresses, c.want) || got.Unknown != c.unknown {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
