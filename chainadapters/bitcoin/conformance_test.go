package bitcoin_test

import (
	"testing"

	"strongroom/chainadapters/chaintest"
	"strongroom/chainadapters/chaintest/nodes"
)

// The table of all nodes is in package nodes.
func TestConformanceOnBtcd(t *testing.T) { chaintest.Run(t, nodes.NewBtcd(t)) }
