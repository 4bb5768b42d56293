package nodes

import (
	"testing"

	"strongroom/internal/devstack"
	"strongroom/internal/testenv"
)

// litecoinNode is litecoind on its regtest, and with it Core's implementation.
type litecoinNode struct{ *devstack.Litecoind }

// NewLitecoind starts litecoind on a fresh chain.
func NewLitecoind(tb testing.TB) *Coin {
	tb.Helper()
	return newCoin(tb, "litecoin-regtest", "litecoin-regtest", func(miner string) (devstack.RPC, coinNode) {
		node := testenv.Litecoind(tb, devstack.LitecoindConfig{User: nodeUser, Password: nodePassword, MiningAddress: miner})
		return node.RPC, litecoinNode{node}
	})
}

// reorg pays the other branch to another key: the same content in the same second
// would be the same block. The branch that was left stays valid, as in the wild.
func (n litecoinNode) reorg(tb testing.TB, h *Coin, depth int) {
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

func (n litecoinNode) restart(tb testing.TB, _ *Coin) {
	tb.Helper()
	if err := n.Restart(tb.Context()); err != nil {
		tb.Fatalf("restart litecoind: %v", err)
	}
}
