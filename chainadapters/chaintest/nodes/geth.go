package nodes

import (
	"testing"

	"strongroom/internal/devstack"
	"strongroom/internal/testenv"
)

// NewGeth starts geth and deploys the token.
func NewGeth(tb testing.TB) *EVM {
	tb.Helper()
	node := testenv.Geth(tb, devstack.GethConfig{})
	h := newEVM(tb, node.URL)
	h.power = gethPower{node}
	h.deploy(tb)
	return h
}

// gethPower makes blocks in the place of a consensus client.
type gethPower struct{ node *devstack.Geth }

func (p gethPower) mine(tb testing.TB, n int) {
	tb.Helper()
	if err := p.node.Mine(tb.Context(), n); err != nil {
		tb.Fatalf("mine: %v", err)
	}
}

func (p gethPower) reorg(tb testing.TB, depth int) {
	tb.Helper()
	if err := p.node.Reorg(tb.Context(), depth); err != nil {
		tb.Fatalf("replace blocks: %v", err)
	}
}

// dropPool restarts the node: nothing else empties its pool.
func (p gethPower) dropPool(tb testing.TB) {
	tb.Helper()
	if err := p.node.Restart(tb.Context()); err != nil {
		tb.Fatalf("restart: %v", err)
	}
}
