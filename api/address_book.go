package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"strongroom/identity"
	"strongroom/treasury"
	"strongroom/treasury/addressbook"
)

// AddressBook keeps the outside addresses that customers allow.
type AddressBook interface {
	// ProposeAddress adds an entry and asks for consent to it. Errors: those of addressbook.
	ProposeAddress(ctx context.Context, c treasury.Candidate) (treasury.EntryRow, treasury.Request, error)
	RemoveAddress(ctx context.Context, entry, person, reason string) (treasury.EntryRow, error)
	// Addresses lists the entries of an owner, the newest first.
	Addresses(ctx context.Context, owner string) ([]treasury.EntryRow, error)
}

// Allowed is what customers' address books are kept with.
type Allowed struct {
	Book AddressBook
	// Canonical is the one form of an address on a chain. Errors: addressbook.ErrInvalid,
	// with what is wrong.
	Canonical func(chain, address string) (string, error)
}

// AddressEntry is an outside address that a customer allows.
type AddressEntry struct {
	ID         string     `json:"id" example:"adr_019a0000000070008000000000000001"`
	Chain      string     `json:"chain"`
	Address    string     `json:"address" doc:"In canonical form"`
	Label      string     `json:"label"`
	State      string     `json:"state" doc:"proposed: the house is asked; cooling: it may be paid as allowed from activeFrom on; active; denied; removed"`
	CreatedAt  time.Time  `json:"createdAt"`
	ActiveFrom *time.Time `json:"activeFrom,omitempty" doc:"Once it was agreed to"`
	EndedAt    *time.Time `json:"endedAt,omitempty" doc:"Where it was denied or removed"`
	Reason     string     `json:"reason,omitempty" doc:"Why it was denied or removed"`
	Alike      []string   `json:"alike,omitempty" nullable:"false" doc:"Addresses that you know and that begin and end like this one: compare every character"`
}

type (
	newAddressEntryInput struct {
		Body struct {
			Chain   string `json:"chain" minLength:"1" maxLength:"64" pattern:"^[a-z0-9][a-z0-9-]*$" patternDescription:"chain as GET /v1/assets names it"`
			Address string `json:"address" minLength:"1" maxLength:"128" pattern:"^[!-~]+$" patternDescription:"address in ASCII"`
			Label   string `json:"label" minLength:"1" maxLength:"64" pattern:"^[ -~]+$" patternDescription:"label of 1 to 64 printable ASCII characters"`
		}
	}
	addressEntryInput struct {
		ID string `path:"id" pattern:"^adr_[0-9a-f]{32}$" patternDescription:"an entry's id: adr_ and 32 hex digits"`
	}
	addressEntryOutput   struct{ Body AddressEntry }
	addressEntriesOutput struct {
		Body struct {
			Items []AddressEntry `json:"items" nullable:"false"`
		}
	}
)

func (s *Server) routeAddressBook() {
	if s.cfg.Allowed == nil {
		return
	}
	const tag, path = "Address book", "/v1/address-book"
	register(s, operation("create-address-entry", http.MethodPost, path, tag, "Allow an outside address",
		"The house is asked to agree; then the entry cools down before it counts as allowed. The same address twice is refused with a conflict."),
		identity.Withdraw, s.createAddressEntry)
	register(s, operation("list-address-entries", http.MethodGet, path, tag, "List allowed addresses", "Newest first, ended ones too."), identity.Read, s.listAddressEntries)
	op := operation("remove-address-entry", http.MethodDelete, path+"/{id}", tag, "Remove an allowed address", "At once, and whatever it waits for.")
	op.DefaultStatus = http.StatusOK
	register(s, op, identity.Withdraw, s.removeAddressEntry)
}

func (s *Server) createAddressEntry(ctx context.Context, in *newAddressEntryInput) (*addressEntryOutput, error) {
	p := principal(ctx)
	if p.State == identity.Frozen {
		return nil, newProblem(codeFrozen, "the operator has frozen this customer")
	}
	address, err := s.cfg.Allowed.Canonical(in.Body.Chain, in.Body.Address)
	if err != nil {
		fix := "send an address of a chain that GET /v1/assets names, with its checksum"
		return nil, newProblem(codeDestination, "body.address: "+err.Error(), FieldProblem{"body.address", err.Error(), fix})
	}
	owner := addressbook.Customer(p.Customer)
	if err := s.mayAsk(ctx, owner); err != nil {
		return nil, err
	}
	entry, _, err := s.cfg.Allowed.Book.ProposeAddress(ctx, treasury.Candidate{
		Owner: owner, Chain: in.Body.Chain, Address: address, Label: in.Body.Label, Requester: owner, Reason: "the customer asked for it",
	})
	if err != nil {
		return nil, err
	}
	return &addressEntryOutput{addressEntryOf(&entry)}, nil
}

// maxAsked is how many entries of a customer people of the house are asked about at once.
const maxAsked = 10

// mayAsk keeps a customer from flooding those who are asked.
func (s *Server) mayAsk(ctx context.Context, owner string) error {
	list, err := s.cfg.Allowed.Book.Addresses(ctx, owner)
	if err != nil {
		return err
	}
	asked := 0
	for i := range list {
		if list[i].State == addressbook.Proposed {
			asked++
		}
	}
	if asked >= maxAsked {
		return newProblem(codeLimit, fmt.Sprintf("%d addresses of yours wait for an answer: wait for it, or remove one", asked))
	}
	return nil
}

func (s *Server) listAddressEntries(ctx context.Context, _ *struct{}) (*addressEntriesOutput, error) {
	list, err := s.cfg.Allowed.Book.Addresses(ctx, addressbook.Customer(principal(ctx).Customer))
	if err != nil {
		return nil, err
	}
	out := &addressEntriesOutput{}
	out.Body.Items = make([]AddressEntry, len(list))
	for i := range list {
		out.Body.Items[i] = addressEntryOf(&list[i])
	}
	return out, nil
}

// removeAddressEntry takes one of the customer's own entries out.
func (s *Server) removeAddressEntry(ctx context.Context, in *addressEntryInput) (*addressEntryOutput, error) {
	owner := addressbook.Customer(principal(ctx).Customer)
	list, err := s.cfg.Allowed.Book.Addresses(ctx, owner)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].ID != in.ID {
			continue
		}
		entry, err := s.cfg.Allowed.Book.RemoveAddress(ctx, in.ID, owner, "the customer removed it")
		if errors.Is(err, addressbook.ErrState) { // it is out already
			return &addressEntryOutput{addressEntryOf(&list[i])}, nil
		}
		if err != nil {
			return nil, err
		}
		return &addressEntryOutput{addressEntryOf(&entry)}, nil
	}
	return nil, newProblem(codeNotFound, "there is no such entry")
}

func addressEntryOf(e *treasury.EntryRow) AddressEntry {
	at := func(unix int64) *time.Time {
		if unix == 0 {
			return nil
		}
		t := time.Unix(unix, 0).UTC()
		return &t
	}
	return AddressEntry{
		ID: e.ID, Chain: e.Chain, Address: e.Address, Label: e.Label, State: string(e.State), CreatedAt: *at(e.ProposedAt),
		ActiveFrom: at(e.ActiveFrom), EndedAt: at(e.EndedAt), Reason: e.Reason, Alike: e.Alike,
	}
}
