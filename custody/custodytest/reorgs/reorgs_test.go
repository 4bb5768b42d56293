package reorgs_test

import (
	"testing"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest/nodes"
	"strongroom/custody/custodytest/reorgs"
)

func TestFakeAccounts(t *testing.T) {
	reorgs.Run(t, "accounts", func(tb testing.TB) reorgs.Bed {
		tb.Helper()
		return nodes.NewFake(tb, chainadapters.Account)
	})
}

func TestFakeCoins(t *testing.T) {
	reorgs.Run(t, "coins", func(tb testing.TB) reorgs.Bed {
		tb.Helper()
		return nodes.NewFake(tb, chainadapters.UTXO)
	})
}

func TestAnvil(t *testing.T) {
	reorgs.Run(t, "anvil", func(tb testing.TB) reorgs.Bed {
		tb.Helper()
		return nodes.NewAnvil(tb)
	})
}

func TestBtcd(t *testing.T) {
	reorgs.Run(t, "btcd", func(tb testing.TB) reorgs.Bed {
		tb.Helper()
		return nodes.NewBtcd(tb)
	})
}
