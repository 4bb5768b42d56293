package nodes

import (
	"testing"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest"
)

// TestConformance holds every adapter to the port's contract, on every node that we
// run, and prints what became of each case on each (go test -v).
func TestConformance(t *testing.T) {
	nodes := []struct {
		name  string
		start func(*testing.T) chaintest.Harness
	}{
		{"anvil", func(t *testing.T) chaintest.Harness { t.Helper(); return NewAnvil(t) }},
		{"geth", func(t *testing.T) chaintest.Harness { t.Helper(); return NewGeth(t) }},
		{"geth in process", func(t *testing.T) chaintest.Harness { t.Helper(); return newSimulated(t) }},
		{"btcd", func(t *testing.T) chaintest.Harness { t.Helper(); return NewBtcd(t) }},
		{"litecoind", func(t *testing.T) chaintest.Harness { t.Helper(); return NewLitecoind(t) }},
		{"fake accounts", func(t *testing.T) chaintest.Harness { t.Helper(); return NewFake(t, chainadapters.Account) }},
		{"fake coins", func(t *testing.T) chaintest.Harness { t.Helper(); return NewFake(t, chainadapters.UTXO) }},
	}
	var table chaintest.Table
	var columns []string
	t.Run("on", func(t *testing.T) {
		for _, node := range nodes {
			columns = append(columns, node.name)
			t.Run(node.name, func(t *testing.T) {
				t.Parallel()
				table.Add(node.name, chaintest.Run(t, node.start(t)))
			})
		}
	})
	t.Log("\n" + table.Format(columns))
	if !table.Whole(columns) {
		t.Error("a case failed, or was not run")
	}
}
