package custody

import (
	"fmt"

	"strongroom/money"
)

// DepositAct is what has to be booked together with a deposit's next state.
type DepositAct string

// The acts. Each is one ledger transaction; ActNone books nothing.
const (
	ActNone     DepositAct = ""
	ActCredit   DepositAct = "credit"    // custody account to the customer's maturing account, or to equity
	ActMature   DepositAct = "mature"    // maturing to funding
	ActTakeBack DepositAct = "take_back" // the reverse of whatever was credited
)

// DepositFacts is what decides a deposit's next state.
type DepositFacts struct {
	// Canonical tells that its block is on the chain as we see it.
	Canonical bool
	// Confirmations counts its block as the first; zero where not canonical.
	Confirmations uint64
	// CreditDepth and WithdrawDepth are the thresholds of its amount's tier. A
	// threshold of zero means one: nothing is credited before it is in a block.
	CreditDepth, WithdrawDepth uint64
	// Open tells that the chain is not halted and the asset not suspended. What
	// was credited wrongly is taken back all the same.
	Open bool
	// House tells that it is the house's own money: it matures as it is credited.
	House bool
	// Listed tells that screening has something against a sender.
	Listed bool
}

// DepositStep is the next state of a deposit and what is booked with it.
type DepositStep struct {
	State DepositState
	Act   DepositAct
}

// FirstDepositState returns how a movement to one of our addresses begins. What
// is below the asset's minimum is dust: recorded, never credited. The house takes
// whatever it is sent.
func FirstDepositState(amount, minimum money.Units, house bool) DepositState {
	if amount.Less(minimum) && !house {
		return DepositDust
	}
	return DepositSeen
}

// StepDeposit returns where a deposit goes next; the same state and ActNone where
// it waits. Repeated with the same facts it comes to rest in at most
// MaxDepositSteps. States that wait for a person give ErrIllegal.
func StepDeposit(state DepositState, f DepositFacts) (DepositStep, error) {
	stay := DepositStep{State: state}
	switch state {
	case DepositSeen, DepositConfirming:
		return f.pending(), nil
	case DepositCredited:
		if !f.Canonical {
			return DepositStep{DepositDebited, ActTakeBack}, nil
		}
		if f.deep(max(f.CreditDepth, f.WithdrawDepth)) {
			return DepositStep{DepositWithdrawable, ActMature}, nil
		}
		return stay, nil
	case DepositWithdrawable:
		if !f.Canonical {
			return DepositStep{DepositDebited, ActTakeBack}, nil
		}
		return stay, nil
	case DepositReorged, DepositDebited:
		if f.Canonical {
			return DepositStep{State: DepositConfirming}, nil
		}
		return stay, nil
	case DepositReleased:
		return f.released(), nil
	case DepositDust, DepositQuarantined: // an operator releases what is quarantined
		return stay, nil
	case DepositUnattributed, DepositRefunding, DepositRefunded, DepositSuspense:
		return stay, fmt.Errorf("deposit in %s: %w", state, ErrIllegal)
	}
	return stay, fmt.Errorf("deposit in %q: %w", state, ErrIllegal)
}

// MaxDepositSteps bounds the way of a deposit under unchanging facts:
// debited, confirming, credited, withdrawable.
const MaxDepositSteps = 4

// pending steps a deposit that is not credited.
func (f DepositFacts) pending() DepositStep {
	switch {
	case !f.Canonical:
		return DepositStep{State: DepositReorged}
	case f.Listed:
		return DepositStep{State: DepositQuarantined}
	}
	return f.credit(DepositConfirming)
}

// released steps a deposit that an operator let out of quarantine: it stays
// released through reorganisations until it is credited.
func (f DepositFacts) released() DepositStep { return f.credit(DepositReleased) }

// credit credits what is deep enough, and leaves the rest in a state.
func (f DepositFacts) credit(waits DepositState) DepositStep {
	switch {
	case f.House && f.deep(max(f.CreditDepth, f.WithdrawDepth)):
		return DepositStep{DepositWithdrawable, ActCredit}
	case !f.House && f.deep(f.CreditDepth):
		return DepositStep{DepositCredited, ActCredit}
	}
	return DepositStep{State: waits}
}

func (f DepositFacts) deep(depth uint64) bool {
	return f.Open && f.Canonical && f.Confirmations >= max(depth, 1)
}

// Booked reports whether the ledger holds the deposit's amount in this state.
func (s DepositState) Booked() bool { return s == DepositCredited || s == DepositWithdrawable }

// Confirmations returns how deep a block at height lies below a chain whose
// newest known block is at cursor, counting both; zero where it is above.
func Confirmations(height, cursor uint64) uint64 {
	if height > cursor {
		return 0
	}
	return cursor - height + 1
}

// SplitCredit divides a credit: debt is repaid first, the rest matures.
func SplitCredit(amount, debt money.Units) (repaid, matures money.Units) {
	repaid = money.Min(amount, debt)
	return repaid, amount.SubFloor(repaid)
}

// TakeBack is where the amount of a deposit that vanished comes from. The three
// parts add up to the amount.
type TakeBack struct {
	Maturing money.Units // of its own part of the maturing account
	Funding  money.Units // of what is available
	Debt     money.Units // what is left: the customer owes it
}

// SplitTakeBack divides an amount to be taken back. own is what the deposit still
// has in the maturing account; the others are the available balances. Nothing
// goes below zero.
func SplitTakeBack(amount, own, maturing, funding money.Units) TakeBack {
	var t TakeBack
	t.Maturing = money.Min(amount, money.Min(own, maturing))
	rest := amount.SubFloor(t.Maturing)
	t.Funding = money.Min(rest, funding)
	t.Debt = rest.SubFloor(t.Funding)
	return t
}
