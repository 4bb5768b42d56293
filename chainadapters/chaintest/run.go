package chaintest

import "testing"

// Run holds an adapter to the port's contract. Cases run in order on one chain;
// each leaves the node healthy.
func Run(t *testing.T, h Harness) {
	t.Helper()
	list := cases()
	if _, runs := h.(Contracts); runs {
		list = append(list, contractCases()...)
	}
	for _, c := range list {
		t.Run(c.name, func(t *testing.T) { c.run(t, h) })
	}
}

// testCase is one named part of the contract.
type testCase struct {
	name string
	run  func(*testing.T, Harness)
}

// cases is the one list of what is asserted.
func cases() []testCase {
	return []testCase{
		{"identity is the node's", identity},
		{"foreign network is refused", foreign},
		{"parents lead from head down", parentWalk},
		{"deposit is found once", deposit},
		{"many deposits in one transaction", manyDeposits},
		{"token deposit", tokenDeposit},
		{"failed transaction brings nothing", failedTransaction},
		{"life of a native payment", nativePayment},
		{"life of a token payment", tokenPayment},
		{"replaced block takes its transactions along", reorganised},
		{"second transaction for the same slot or coin is refused", doubleSpend},
		{"dearer transaction replaces the first", replacement},
		{"transaction without cover is refused", noCover},
		{"holdings are those of the block asked for", holdingsAtBlock},
		{"addresses", addresses},
		{"impossible plans", impossiblePlans},
		{"damaged transactions", damagedTransactions},
		{"coins", coins},
		{"concurrent use", concurrentUse},
		{"ended context", endedContext},
		{"node faults", nodeFaults},
		{"lost reply to a broadcast", lostReply},
	}
}
