package fakechain_test

import (
	"testing"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest"
	"strongroom/chainadapters/chaintest/nodes"
)

func TestConformanceAccount(t *testing.T) {
	chaintest.Run(t, nodes.NewFake(t, chainadapters.Account))
}

func TestConformanceUTXO(t *testing.T) { chaintest.Run(t, nodes.NewFake(t, chainadapters.UTXO)) }
