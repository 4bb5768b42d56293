package reorgs_test

import (
	"testing"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest/nodes"
	"strongroom/custody/custodytest/reorgs"
)

func TestFakeAccounts(t *testing.T) {
	reorgs.Run(t, "accounts", nodes.NewFake(t, chainadapters.Account))
}

func TestFakeCoins(t *testing.T) { reorgs.Run(t, "coins", nodes.NewFake(t, chainadapters.UTXO)) }

func TestAnvil(t *testing.T) { reorgs.Run(t, "anvil", nodes.NewAnvil(t)) }

func TestBtcd(t *testing.T) { reorgs.Run(t, "btcd", nodes.NewBtcd(t)) }
