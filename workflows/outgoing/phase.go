package outgoing

import (
	"time"

	"strongroom/custody"
)

// step is what to do next for an intent.
type step uint8

// The steps. look asks the chain about what was sent.
const (
	stop step = iota
	screen
	reserve
	sign
	send
	look
	settle
)

// next returns the step that a state calls for.
func next(state custody.WithdrawalState) step {
	switch state {
	case custody.WithdrawalRequested, custody.WithdrawalHeld, custody.WithdrawalScreened,
		custody.WithdrawalAwaitingApproval, custody.WithdrawalCooling:
		return screen
	case custody.WithdrawalApproved:
		return reserve
	case custody.WithdrawalReserved:
		return sign
	case custody.WithdrawalSigned, custody.WithdrawalReplaced:
		return send
	case custody.WithdrawalBroadcast, custody.WithdrawalUnknown, custody.WithdrawalConfirming,
		custody.WithdrawalReorged, custody.WithdrawalStuck:
		return look
	case custody.WithdrawalFinal:
		return settle
	case custody.WithdrawalPosted, custody.WithdrawalRejected, custody.WithdrawalCancelled,
		custody.WithdrawalExpired, custody.WithdrawalBlocked, custody.WithdrawalReverted:
		return stop
	}
	return look // a state from a newer release: look, and let the row decide
}

// undoable reports whether nothing can have been signed when the step is refused.
func (s step) undoable() bool { return s == screen || s == reserve }

// waits reports whether a state passes only when something outside happens: a
// person decides, a block is mined.
func waits(state custody.WithdrawalState) bool {
	return next(state) == look || state == custody.WithdrawalAwaitingApproval || state == custody.WithdrawalCooling
}

// The longest waits. A signal ends each of them early; a wait that runs out only
// means that nobody told us. Nobody tells when a node loses its pool: the payment with
// the lowest nonce is then offered again when its own wait runs out, and all others of
// its key stand behind it.
const (
	firstNap     = 5 * time.Second
	longestNap   = 30 * time.Second
	firstRest    = time.Minute // where a person has to do something
	longestRest  = time.Hour
	maxDoublings = 16
)

// nap returns how long to wait for a signal after naps waits without any news.
func nap(naps int, person bool) time.Duration {
	first, longest := firstNap, longestNap
	if person {
		first, longest = firstRest, longestRest
	}
	return min(first<<min(naps, maxDoublings), longest)
}

// Phase is the name of a state for auditors' searches.
func phase(v View) string {
	if v.Trouble != "" {
		return "attention"
	}
	return string(v.State)
}
