package addressbook

import (
	"slices"
	"time"
)

// Class is what a destination is to the policy.
type Class string

// The classes.
const (
	Own         Class = "own"         // a vault of the house
	Allowlisted Class = "allowlisted" // an active entry of who pays
	New         Class = "new"         // all else
)

// Standing is a destination's class, and what a person who approves should know.
type Standing struct {
	Class Class  `json:"class"`
	Entry string `json:"entry,omitempty"` // of this owner's book, where it is there in any live state
	State State  `json:"state,omitempty"` // of Entry, by now
	// ActiveFrom is when Entry becomes active, while it cools down.
	ActiveFrom int64 `json:"activeFrom,omitempty"`
	// Alike names known addresses that this one resembles. What is allowed is not
	// warned of again.
	Alike []string `json:"alike,omitempty"`
}

// Classify says what an address is to who pays it. Only the payer's own book counts:
// that the house allowed an address says nothing for a customer, nor one customer's
// entry for another.
func Classify(owner, chain, address string, s Surroundings, now time.Time) Standing {
	if slices.Contains(s.Own, address) {
		return Standing{Class: Own}
	}
	is := Standing{Class: New}
	for i := range s.Book {
		b := &s.Book[i]
		if b.Owner != owner || b.Chain != chain || b.Address != address || !b.State.Live() {
			continue
		}
		is.Entry, is.State, is.ActiveFrom = b.ID, b.At(now), 0
		if is.State == Active {
			return Standing{Class: Allowlisted, Entry: b.ID, State: Active}
		}
		if is.State == Cooling {
			is.ActiveFrom = b.ActiveFrom
		}
	}
	is.Alike = Alike(chain, address, s, now)
	return is
}
