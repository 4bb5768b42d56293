package chaintest

import (
	"testing"

	"strongroom/chainadapters"
)

// Run holds an adapter to the port's contract. Cases run in order on one chain;
// each leaves the node healthy. The answer has one result per case.
func Run(t *testing.T, h Harness) []Result {
	t.Helper()
	list, missing := all(), missing(h)
	results := make([]Result, 0, len(list))
	for _, c := range list {
		result := Result{Case: c.name, Inexpressible: missing[c.name]}
		if result.Inexpressible == "" {
			result.Passed = t.Run(c.name, func(t *testing.T) { c.run(t, h) })
		}
		results = append(results, result)
	}
	return results
}

// Result is what became of one case on one node.
type Result struct {
	Case   string
	Passed bool
	// Inexpressible says why the node cannot even pose the case; empty where it was
	// run.
	Inexpressible string
}

// testCase is one named part of the contract.
type testCase struct {
	name string
	run  func(*testing.T, Harness)
}

// all lists every case in its order.
func all() []testCase { return append(cases(), contractCases()...) }

// missing says, by the name of a case, why this chain cannot express it.
func missing(h Harness) map[string]string {
	reasons := map[string]string{}
	account := h.Adapter().Family() == chainadapters.Account
	if h.Token() == "" {
		reasons["token deposit"] = "there are no tokens on this chain"
		reasons["life of a token payment"] = reasons["token deposit"]
	}
	if account && h.Token() == "" {
		reasons["many deposits in one transaction"] = "one transaction makes one payment here"
	}
	if account {
		reasons["change that is in no block is spent"] = "an account has no coins"
	} else {
		reasons["payment behind a nonce gap waits for it"] = "coins have no order"
		reasons["failed transaction brings nothing"] = "what is in a block of this chain has worked"
	}
	if _, runs := h.(Contracts); !runs {
		for _, c := range contractCases() {
			reasons[c.name] = "contracts do not run on this chain"
		}
	}
	return reasons
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
		{"bytes that were mined are found when sent again", minedAgain},
		{"payment behind a nonce gap waits for it", nonceGap},
		{"change that is in no block is spent", pendingChange},
		{"quiet chain has a fee", quietQuote},
	}
}
