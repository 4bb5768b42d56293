package evm_test

import (
	"testing"

	"strongroom/chainadapters/chaintest"
	"strongroom/chainadapters/chaintest/nodes"
)

func TestConformanceOnAnvil(t *testing.T) { chaintest.Run(t, nodes.NewAnvil(t)) }

func TestConformanceOnGeth(t *testing.T) { chaintest.Run(t, nodes.NewGeth(t)) }
