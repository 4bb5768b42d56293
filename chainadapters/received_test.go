package chainadapters_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"strongroom/chainadapters"
	"strongroom/money"
)

// tokens is a node whose tokens brought what grown says, by contract and address;
// what is not there does not tell its balance.
type tokens struct {
	chainadapters.Adapter

	grown map[string]uint64
	down  string // the node fails for this one, in the state after the block
	now   atomic.Int64
	most  atomic.Int64
}

var errDown = errors.New("node is down")

const atBlock = 7

func (n *tokens) Holdings(_ context.Context, q chainadapters.Holdings) (money.Units, error) {
	now := n.now.Add(1)
	defer n.now.Add(-1)
	for most := n.most.Load(); now > most && !n.most.CompareAndSwap(most, now); most = n.most.Load() {
	}
	key := q.Contract + q.Addresses[0]
	grown, tells := n.grown[key]
	switch {
	case key == n.down && q.At.Height == atBlock:
		return money.Units{}, errDown
	case !tells:
		return money.Units{}, fmt.Errorf("balance of %s: %w", key, chainadapters.ErrContract)
	case q.At.Height == atBlock:
		return money.FromUint64(1_000 + grown), nil
	}
	return money.FromUint64(1_000), nil
}

// TestReceived holds what is asked for concurrently to a model that knows all at
// once.
func TestReceived(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		node := &tokens{grown: map[string]uint64{}}
		block := chainadapters.Block{Header: chainadapters.Header{Ref: chainadapters.Ref{Height: atBlock, Hash: "b"}, Parent: "a"}}
		var want []chainadapters.Movement
		left := map[string]uint64{}
		doubts := 0
		for i := range rapid.IntRange(0, 60).Draw(t, "movements") {
			m := chainadapters.Movement{
				TxID: strconv.Itoa(i), To: rapid.SampledFrom([]string{"A", "B", "C", "D", "stranger"}).Draw(t, "to"),
				Contract: rapid.SampledFrom([]string{"", "x", "y", "z"}).Draw(t, "contract"),
			}
			claimed := rapid.Uint64Range(1, 50).Draw(t, "claimed")
			m.Amount = money.FromUint64(claimed)
			block.Movements = append(block.Movements, m)
			key := m.Contract + m.To
			if m.Contract == "" || m.To == "stranger" {
				want = append(want, m)
				continue
			}
			if _, known := left[key]; !known {
				left[key] = 0
				if m.Contract != "z" { // z tells nothing
					left[key] = rapid.Uint64Range(0, 120).Draw(t, "grown")
					node.grown[key] = left[key]
				}
			}
			got := min(left[key], claimed)
			left[key] -= got
			if got != claimed {
				doubts++
			}
			if m.Amount = money.FromUint64(got); got > 0 {
				want = append(want, m)
			}
		}
		ours := func(address string) bool { return address != "stranger" }
		got, told, err := chainadapters.Received(t.Context(), node, block, ours, nil)
		if err != nil || !slices.Equal(got, want) || len(told) != doubts {
			t.Fatalf("got %+v with %d doubts, %v, want %+v with %d", got, len(told), err, want, doubts)
		}
		if most := node.most.Load(); most > 8 {
			t.Fatalf("%d questions at once", most)
		}
		for key := range node.grown { // one failure of the node: no answer at all
			node.down = key
			if got, _, err := chainadapters.Received(t.Context(), node, block, ours, nil); !errors.Is(err, errDown) || got != nil {
				t.Fatalf("node down for %s: %+v, %v", key, got, err)
			}
			break
		}
	})
}

func TestReceivedEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	block := chainadapters.Block{
		Header:    chainadapters.Header{Ref: chainadapters.Ref{Height: atBlock}},
		Movements: []chainadapters.Movement{{Contract: "x", To: "A", Amount: money.FromUint64(1)}},
	}
	node := &tokens{grown: map[string]uint64{"xA": 1}}
	if got, _, err := chainadapters.Received(ctx, node, block, func(string) bool { return true }, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %+v, %v", got, err)
	}
}
