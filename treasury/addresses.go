package treasury

import (
	"context"

	"strongroom/treasury/addressbook"
)

// Candidate is an address that somebody wants in an address book.
type Candidate struct {
	Owner     string // addressbook.House, or addressbook.Customer(id)
	Chain     string
	Address   string // canonical
	Label     string
	Requester string // who asks: a person's id, or "customer:" and the customer's
	Reason    string // for those who are asked
}

// EntryRow is an entry and the request that asks for consent to it.
type EntryRow struct {
	addressbook.Entry
	Request string
}

// Addresses keeps address books. Errors of all: ErrUnknown, ErrInvalid, those of
// addressbook, context's.
type Addresses interface {
	// ProposeAddress adds an entry and asks for consent. The entry cools down once the
	// request is approved, and is denied as soon as the request ends otherwise.
	ProposeAddress(ctx context.Context, c Candidate) (EntryRow, Request, error)
	// RemoveAddress takes an entry out at once. It needs nobody's consent: it only tightens.
	RemoveAddress(ctx context.Context, entry, person, reason string) (EntryRow, error)
	// Addresses lists the entries of an owner, or of all where it is empty, those first
	// that came last; each in its state as of now. At most addressbook.MaxEntries.
	Addresses(ctx context.Context, owner string) ([]EntryRow, error)
	// Standing says what an address is to who pays it.
	Standing(ctx context.Context, owner, chain, address string) (addressbook.Standing, error)
}
