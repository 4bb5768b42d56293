package custody

import "errors"

// ErrScreening reports that nobody can say now whether an address is sanctioned:
// a list is missing, unreadable, empty or too old. Nothing is credited to a
// customer and nothing is paid out until it can be said.
var ErrScreening = errors.New("screening is not available now")

// Finding is what a sanctions list has against an address. It is for compliance
// only: customers are not told of it.
type Finding struct {
	Address  string // canonical, as it was asked about
	List     string // "OFAC SDN"
	Version  string // digest of the list
	Entry    string // the list's own number and name of the party
	Currency string // under which the list has it: XBT
}

// NeutralRefusal is what a customer reads of a withdrawal that compliance stopped.
const NeutralRefusal = "this withdrawal cannot be carried out; please contact support"
