package devstack

import "testing"

// Two stacks that start at the same moment do not choose the same port, although
// nobody listens on it yet.
func TestAClaimedPortIsNotTakenTwice(t *testing.T) {
	t.Parallel()
	first, second := NewClaims(), NewClaims()
	port := claimable(t, first)
	if second.Take(port) {
		t.Error("a claimed port was claimed again")
	}
	if err := first.Release(); err != nil {
		t.Fatal(err)
	}
	if !second.Take(port) {
		t.Error("a released port cannot be claimed")
	}
	if err := second.Release(); err != nil {
		t.Fatal(err)
	}
}

// claimable takes a free port. Others on this machine claim ports as well, also free
// ones: that is what claims are for.
func claimable(t *testing.T, c *Claims) int {
	t.Helper()
	for range 20 {
		port, err := FreePort()
		if err != nil {
			t.Fatal(err)
		}
		if c.Take(port) {
			return port
		}
	}
	t.Fatal("no free port can be claimed")
	return 0
}
