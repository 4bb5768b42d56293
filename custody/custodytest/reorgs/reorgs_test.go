package reorgs_test

import (
	"testing"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest/nodes"
	"strongroom/custody/custodytest/reorgs"
)

// few are the depths of a short run; deepest those on nodes that are slow to start:
// dropping a pool starts them anew.
func few() []int     { return []int{1, reorgs.Followed, reorgs.Deepest} }
func deepest() []int { return []int{reorgs.Deepest} }

func TestFakeAccounts(t *testing.T) {
	reorgs.Run(t, "accounts", few(), func(tb testing.TB) reorgs.Bed {
		tb.Helper()
		return nodes.NewFake(tb, chainadapters.Account)
	})
}

func TestFakeCoins(t *testing.T) {
	reorgs.Run(t, "coins", few(), func(tb testing.TB) reorgs.Bed {
		tb.Helper()
		return nodes.NewFake(tb, chainadapters.UTXO)
	})
}

func TestAnvil(t *testing.T) {
	reorgs.Run(t, "anvil", few(), func(tb testing.TB) reorgs.Bed {
		tb.Helper()
		return nodes.NewAnvil(tb)
	})
}

func TestBtcd(t *testing.T) {
	reorgs.Run(t, "btcd", few(), func(tb testing.TB) reorgs.Bed {
		tb.Helper()
		return nodes.NewBtcd(tb)
	})
}

func TestGeth(t *testing.T) {
	reorgs.Run(t, "geth", deepest(), func(tb testing.TB) reorgs.Bed {
		tb.Helper()
		return nodes.NewGeth(tb)
	})
}

func TestLitecoind(t *testing.T) {
	reorgs.Run(t, "litecoind", deepest(), func(tb testing.TB) reorgs.Bed {
		tb.Helper()
		return nodes.NewLitecoind(tb)
	})
}
