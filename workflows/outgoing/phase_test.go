package outgoing

import (
	"testing"

	"pgregory.net/rapid"

	"strongroom/custody"
)

func states() []custody.WithdrawalState {
	return []custody.WithdrawalState{
		custody.WithdrawalRequested, custody.WithdrawalHeld, custody.WithdrawalScreened, custody.WithdrawalAwaitingApproval,
		custody.WithdrawalCooling, custody.WithdrawalApproved, custody.WithdrawalReserved, custody.WithdrawalSigned,
		custody.WithdrawalBroadcast, custody.WithdrawalUnknown, custody.WithdrawalConfirming, custody.WithdrawalReorged,
		custody.WithdrawalStuck, custody.WithdrawalReplaced, custody.WithdrawalFinal, custody.WithdrawalPosted,
		custody.WithdrawalRejected, custody.WithdrawalCancelled, custody.WithdrawalExpired, custody.WithdrawalBlocked,
		custody.WithdrawalReverted,
	}
}

// The walk agrees with custody's rules about what has ended, what may be undone
// and what is in flight.
func TestEveryStateHasItsStep(t *testing.T) {
	for _, s := range states() {
		todo := next(s)
		if (todo == stop) != s.Ended() {
			t.Errorf("%s: step %d, ended %v", s, todo, s.Ended())
		}
		if todo.undoable() && !s.Releasable() && s != custody.WithdrawalRequested {
			t.Errorf("%s: would be released, and custody says that it cannot be", s)
		}
		if s.InFlight() && todo != send && todo != look && todo != settle {
			t.Errorf("%s is in flight, and the step is %d", s, todo)
		}
	}
	if next("from_a_newer_release") != look {
		t.Error("an unknown state is not looked at")
	}
}

func TestNapsGrowAndAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, person := rapid.IntRange(0, 1<<30).Draw(t, "naps"), rapid.Bool().Draw(t, "person")
		now, later := nap(n, person), nap(n+1, person)
		if now < firstNap || later < now || later > longestRest || (!person && later > longestNap) {
			t.Fatalf("nap %d is %s, then %s", n, now, later)
		}
	})
}
