package devstack

import "testing"

// Two stacks that start at the same moment do not choose the same port, although
// nobody listens on it yet.
func TestAClaimedPortIsNotTakenTwice(t *testing.T) {
	t.Parallel()
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	first, second := NewClaims(), NewClaims()
	if !first.Take(port) {
		t.Fatalf("port %d cannot be claimed", port)
	}
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
