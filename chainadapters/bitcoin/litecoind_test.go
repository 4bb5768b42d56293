package bitcoin_test

import (
	"testing"

	"strongroom/chainadapters/chaintest"
	"strongroom/internal/devstack"
	"strongroom/internal/testenv"
)

// litecoinNode is litecoind on its regtest, and with it Core's implementation.
type litecoinNode struct{ *devstack.Litecoind }

func newLitecoind(t *testing.T) *coinHarness {
	t.Helper()
	return newHarness(t, "litecoin-regtest", "litecoin-regtest", func(miner string) (devstack.RPC, coinNode) {
		node := testenv.Litecoind(t, devstack.LitecoindConfig{User: nodeUser, Password: nodePassword, MiningAddress: miner})
		return node.RPC, litecoinNode{node}
	})
}

func TestConformanceOnLitecoind(t *testing.T) { chaintest.Run(t, newLitecoind(t)) }

// reorg pays the other branch to another key: the same content in the same second
// would be the same block. The branch that was left stays valid, as in the wild.
func (n litecoinNode) reorg(tb testing.TB, h *coinHarness, depth int) {
	tb.Helper()
	var top int
	var first string
	h.call(tb, &top, "getblockcount")
	h.call(tb, &first, "getblockhash", top-depth+1)
	h.call(tb, nil, "invalidateblock", first)
	other := h.addressOf(tb, keyOf(1<<21))
	for range depth + 1 {
		h.call(tb, nil, "generateblock", other, []string{})
	}
	h.call(tb, nil, "reconsiderblock", first)
}

func (n litecoinNode) restart(tb testing.TB, _ *coinHarness) {
	tb.Helper()
	if err := n.Restart(tb.Context()); err != nil {
		tb.Fatalf("restart litecoind: %v", err)
	}
}

// TestAddressesAreTheNodesOwn lets the node read what we write, and pay to the same
// script.
func TestAddressesAreTheNodesOwn(t *testing.T) {
	h := newLitecoind(t)
	for text, canonical := range h.Addresses().Valid {
		var told struct {
			IsValid      bool
			ScriptPubKey string
		}
		h.call(t, &told, "validateaddress", text)
		if want := hexOf(h.scriptOf(t, canonical)); !told.IsValid || told.ScriptPubKey != want {
			t.Errorf("%s: the node says %+v, want script %s", text, told, want)
		}
	}
}
