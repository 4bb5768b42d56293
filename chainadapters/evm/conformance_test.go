package evm_test

import (
	"testing"

	"strongroom/chainadapters/chaintest"
	"strongroom/chainadapters/chaintest/nodes"
)

// The table of all nodes is in package nodes.
func TestConformanceOnAnvil(t *testing.T) { chaintest.Run(t, nodes.NewAnvil(t)) }
