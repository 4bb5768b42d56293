package addressbook

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// House owns the entries that the house itself pays.
const House = "house"

// customerPrefix is before the id of a customer who owns an entry.
const customerPrefix = "customer:"

// Customer is the owner name of a customer.
func Customer(id string) string { return customerPrefix + id }

// State is how far an entry has come.
type State string

// The states. Denied and Removed are final: the same address may be proposed again,
// and then waits again.
const (
	Proposed State = "proposed" // waits for approval
	Cooling  State = "cooling"  // approved; waits until ActiveFrom
	Active   State = "active"   // may be paid as allowed
	Denied   State = "denied"
	Removed  State = "removed"
)

// Live reports whether an entry in this state is in the book: not denied, not removed.
func (s State) Live() bool {
	switch s {
	case Proposed, Cooling, Active:
		return true
	case Denied, Removed:
	}
	return false
}

// Bounds.
const (
	MaxEntries      = 10_000 // of a book
	MaxKnown        = 10_000
	MaxAlike        = 10 // that an entry names
	MaxWait         = 90 * 24 * time.Hour
	maxTextBytes    = 120
	maxAddressBytes = 200
)

// Errors.
var (
	// ErrInvalid reports an entry or terms that contradict themselves; its text names the field.
	ErrInvalid = errors.New("address book entry is not valid")
	// ErrState reports a step that an entry's state does not allow.
	ErrState = errors.New("the entry's state does not allow that")
	// ErrThere reports an address that is in the owner's book already.
	ErrThere = errors.New("the address is in the book already")
	// ErrOwn reports an address of the house's own vaults: it needs no entry.
	ErrOwn = errors.New("the address is the house's own")
	// ErrChanged reports an address that resembles one which was not known when the
	// entry was proposed, so that nobody who approved was told.
	ErrChanged = errors.New("it resembles an address that became known since: take it back and propose it again")
)

// Entry is an outside address that an owner wants to pay. It is a value: each step
// returns the entry as it is after it.
type Entry struct {
	ID      string `json:"id"`
	Owner   string `json:"owner"` // House, or Customer(id)
	Chain   string `json:"chain"`
	Address string `json:"address"` // canonical
	Label   string `json:"label"`   // for people

	State      State `json:"state"`      // as stored; At says what it is by now
	ProposedAt int64 `json:"proposedAt"` // Unix seconds, as all times
	ApprovedAt int64 `json:"approvedAt,omitempty"`
	ActiveFrom int64 `json:"activeFrom,omitempty"` // from this second on
	EndedAt    int64 `json:"endedAt,omitempty"`    // denied or removed

	// Wait is how many seconds lie between approval and use.
	Wait int64 `json:"wait"`
	// Alike names known addresses that this one resembles: the first, at most MaxAlike.
	Alike []string `json:"alike,omitempty"`
	// Reason is why it was denied or removed.
	Reason string `json:"reason,omitempty"`
}

// Check reports what contradicts itself. Errors: ErrInvalid, with the field.
func (e *Entry) Check() error {
	customer, isCustomer := strings.CutPrefix(e.Owner, customerPrefix)
	switch {
	case !legible(e.ID):
		return wrong("id", "give it one, in characters that can be seen")
	case e.Owner != House && (!isCustomer || !legible(customer)):
		return wrong("owner", `"house", or "customer:" and the customer's id`)
	case !legible(e.Chain):
		return wrong("chain", "name it")
	case !isAddress(e.Address):
		return wrong("address", "the chain's canonical form: printable ASCII without spaces")
	case !legible(e.Label):
		return wrong("label", "1 to 120 bytes that can be seen: no control characters, none without width or that turn the direction of text, in Unicode's composed form (NFC)")
	case e.Wait <= 0 || e.Wait > int64(MaxWait/time.Second):
		return wrong("wait", "above zero and at most 90 days")
	}
	return nil
}

// Text is what is approved: who may pay where from when on, and what the address
// resembles; not how far the entry has come. Errors: ErrInvalid.
func (e *Entry) Text() ([]byte, error) {
	if err := e.Check(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(Entry{
		ID: e.ID, Owner: e.Owner, Chain: e.Chain, Address: e.Address, Label: e.Label,
		ProposedAt: e.ProposedAt, Wait: e.Wait, Alike: e.Alike,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return text, nil
}

// Document is the SHA-256 of Text, in hex, behind a domain of its own: the Document of
// the intent to allow the entry. Errors: ErrInvalid.
func (e *Entry) Document() (string, error) {
	text, err := e.Text()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(append([]byte("strongroom address 1\n"), text...))
	return hex.EncodeToString(sum[:]), nil
}

// At is the entry's state at a time: what cools down is active once that is over.
func (e *Entry) At(now time.Time) State {
	if e.State == Cooling && e.ActiveFrom > 0 && now.Unix() >= e.ActiveFrom {
		return Active
	}
	return e.State
}

func wrong(field, right string) error { return fmt.Errorf("%w: %s: %s", ErrInvalid, field, right) }

// legible reports whether s is some text of which people see all as it is.
func legible(s string) bool {
	for _, r := range s {
		if !unicode.IsPrint(r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || unicode.Is(unicode.Variation_Selector, r) {
			return false
		}
	}
	return utf8.ValidString(s) && norm.NFC.IsNormalString(s) && s != "" && len(s) <= maxTextBytes
}

func isAddress(s string) bool {
	for _, r := range s {
		if r <= ' ' || r > '~' {
			return false
		}
	}
	return s != "" && len(s) <= maxAddressBytes
}
