package chaintest

import "testing"

// Run holds an adapter to the port's contract. Cases run in order on one chain;
// each leaves the node healthy.
func Run(t *testing.T, h Harness) {
	t.Helper()
	for _, c := range cases() {
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
	return nil
}
