package custody_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"strongroom/custody"
)

// legalMoves states the protocol a second time, by state instead of by event and
// independently of Step: "event→state" for each way out, with what must be true of
// the facts: - nothing was signed, + something was, P paid for good, F failed for
// good, C cancelled on chain for good.
const legalMoves = `
requested:          hold→held-
held:               screen→screened- block→blocked- cancel→cancelled- expire→expired-
screened:           need_approval→awaiting_approval- cool→cooling_off- approve→approved- reject→rejected- block→blocked- cancel→cancelled- expire→expired-
awaiting_approval:  cool→cooling_off- approve→approved- reject→rejected- block→blocked- cancel→cancelled- expire→expired-
cooling_off:        approve→approved- reject→rejected- block→blocked- cancel→cancelled- expire→expired-
approved:           reserve→reserved- block→blocked- cancel→cancelled- expire→expired-
reserved:           sign→signed+
signed:             sent→broadcast+ lost→unknown+ mine→confirming+
broadcast:          sent→broadcast+ lost→unknown+ mine→confirming+ stall→stuck+
unknown:            sent→broadcast+ lost→unknown+ mine→confirming+ stall→stuck+
stuck:              sent→broadcast+ lost→unknown+ mine→confirming+ replace→replaced+
replaced:           sent→broadcast+ lost→unknown+ mine→confirming+
reorged:            sent→broadcast+ lost→unknown+ mine→confirming+
confirming:         reorg→reorged+ finalise→finalP revert→revertedF cancel_mined→cancelledC
final:              reorg→reorged+ post→postedP
posted:
rejected:
cancelled:
expired:
blocked:
reverted:
`

type move struct {
	to    custody.WithdrawalState
	needs byte
}

type edge struct {
	from  custody.WithdrawalState
	event custody.WithdrawalEvent
}

func reference(tb testing.TB) (map[edge]move, []custody.WithdrawalState, []custody.WithdrawalEvent) {
	tb.Helper()
	moves := map[edge]move{}
	var states []custody.WithdrawalState
	var events []custody.WithdrawalEvent
	known := map[string]bool{}
	for line := range strings.Lines(strings.TrimSpace(legalMoves)) {
		state, ways, _ := strings.Cut(line, ":")
		states = append(states, custody.WithdrawalState(state))
		for way := range strings.FieldsSeq(ways) {
			event, to, _ := strings.Cut(way, "→")
			moves[edge{custody.WithdrawalState(state), custody.WithdrawalEvent(event)}] = move{
				custody.WithdrawalState(to[:len(to)-1]), to[len(to)-1],
			}
			if !known[event] {
				known[event] = true
				events = append(events, custody.WithdrawalEvent(event))
			}
		}
	}
	if len(states) != 21 || len(events) != 21 {
		tb.Fatalf("reference has %d states and %d events", len(states), len(events))
	}
	return moves, states, events
}

func borneOut(needs byte, f custody.WithdrawalFacts) bool {
	settled := f.Signed && f.Agreed && f.FinalDepth >= 1 && f.Depth >= f.FinalDepth
	switch needs {
	case '-':
		return !f.Signed
	case '+':
		return f.Signed
	case 'P':
		return settled && f.Success && f.Pays
	case 'F':
		return settled && !f.Success
	case 'C':
		return settled && f.Success && !f.Pays
	}
	return false
}

// life is one withdrawal under random commands, and what must never happen to it.
type life struct {
	state                       custody.WithdrawalState
	signed, final, posted, void bool
}

func (l *life) take(tb rapid.TB, event custody.WithdrawalEvent, f custody.WithdrawalFacts, moves map[edge]move) {
	want, legal := moves[edge{l.state, event}]
	legal = legal && borneOut(want.needs, f)
	got, err := custody.Step(l.state, event, f)
	switch {
	case legal && (err != nil || got != want.to):
		tb.Fatalf("%s in %s with %+v gave %s, %v; want %s", event, l.state, f, got, err, want.to)
	case !legal && (!errors.Is(err, custody.ErrIllegal) || got != l.state):
		tb.Fatalf("%s in %s with %+v gave %s, %v; want it refused", event, l.state, f, got, err)
	case !legal:
		return
	}
	if l.state.Ended() {
		tb.Fatalf("%s was left by %s", l.state, event)
	}
	released := got == custody.WithdrawalRejected || got == custody.WithdrawalCancelled || got == custody.WithdrawalExpired ||
		got == custody.WithdrawalBlocked || got == custody.WithdrawalReverted
	onChain := event == custody.EventRevert || event == custody.EventCancelMined
	switch {
	case released && l.signed && !onChain:
		tb.Fatalf("released by %s after it was signed", event)
	case got == custody.WithdrawalPosted && !l.final:
		tb.Fatal("posted without being final")
	case released && l.posted, got == custody.WithdrawalPosted && l.void:
		tb.Fatal("both posted and released")
	case released && l.state == custody.WithdrawalFinal:
		tb.Fatal("released while final")
	}
	l.signed = l.signed || got == custody.WithdrawalSigned
	l.final = got == custody.WithdrawalFinal
	l.posted, l.void = l.posted || got == custody.WithdrawalPosted, l.void || released
	l.state = got
}

// TestMachineAgainstReference drives a million random commands, most of them
// illegal, through the machine and the reference.
func TestMachineAgainstReference(t *testing.T) {
	moves, _, events := reference(t)
	const lives, commands = 100, 10_000 // rapid runs the check 100 times
	count, ends := 0, map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		l := life{state: custody.WithdrawalRequested}
		for range commands {
			seed = seed*6364136223846793005 + 1442695040888963407
			bits := seed >> 17
			f := custody.WithdrawalFacts{
				// Mostly true to the life, so that it gets somewhere.
				Signed: (l.signed || l.state == custody.WithdrawalReserved && bits&1 == 0) != (bits&0xf0 == 0),
				Depth:  bits >> 8 & 7, FinalDepth: bits >> 11 & 3, Agreed: bits>>13&3 != 0, Success: bits>>15&3 != 0, Pays: bits>>17&3 != 0,
			}
			l.take(t, events[bits>>20%uint64(len(events))], f, moves)
			count++
			if l.state.Ended() && bits>>40&0xff == 0 { // stay at the end for a while: nothing may leave it
				ends[string(l.state)]++
				l = life{state: custody.WithdrawalRequested}
			}
		}
	})
	t.Logf("%d commands, ends reached: %v", count, ends)
	if count < lives*commands {
		t.Fatalf("only %d commands", count)
	}
	if len(ends) != 6 {
		t.Fatalf("only %d of 6 ends were reached: the commands are too weak", len(ends))
	}
}

func TestEveryPairOfStateAndEvent(t *testing.T) {
	moves, states, events := reference(t)
	for _, state := range states {
		for _, event := range events {
			for bits := range 1 << 6 {
				f := custody.WithdrawalFacts{
					Signed: bits&1 != 0, Agreed: bits&2 != 0, Success: bits&4 != 0, Pays: bits&8 != 0,
					Depth: uint64(bits >> 4 & 1 * 3), FinalDepth: uint64(bits >> 5 & 1 * 2),
				}
				want, legal := moves[edge{state, event}]
				legal = legal && borneOut(want.needs, f)
				got, err := custody.Step(state, event, f)
				if (err == nil) != legal || (legal && got != want.to) {
					t.Fatalf("%s in %s with %+v gave %s, %v", event, state, f, got, err)
				}
			}
		}
	}
	if _, err := custody.Step("nowhere", custody.EventHold, custody.WithdrawalFacts{}); !errors.Is(err, custody.ErrIllegal) {
		t.Errorf("a state that does not exist: %v", err)
	}
	if _, err := custody.Step(custody.WithdrawalHeld, "wish", custody.WithdrawalFacts{}); !errors.Is(err, custody.ErrIllegal) {
		t.Errorf("an event that does not exist: %v", err)
	}
}

func TestStatesTellWhatMayBeDone(t *testing.T) {
	moves, states, _ := reference(t)
	for _, state := range states {
		ways, cancellable := 0, false
		for e, m := range moves {
			if e.from == state {
				ways++
				cancellable = cancellable || e.event == custody.EventCancel && m.to == custody.WithdrawalCancelled
			}
		}
		if state.Ended() != (ways == 0) {
			t.Errorf("%s: Ended is %t with %d ways out", state, state.Ended(), ways)
		}
		if state.Releasable() != cancellable {
			t.Errorf("%s: Releasable is %t", state, state.Releasable())
		}
		if state.InFlight() && (state.Ended() || state.Releasable()) {
			t.Errorf("%s is in flight and at rest", state)
		}
	}
}
