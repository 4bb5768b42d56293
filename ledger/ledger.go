// Package ledger is the truth about who owns what: a double-entry book in
// PostgreSQL. Value moves only by transactions of balanced transfers, each with
// an id chosen by the caller before it was asked for. Nothing is changed or
// deleted afterwards; a reversal is another transfer.
//
// The package never talks to chains or rails and knows no business rule.
package ledger

import (
	"errors"
	"time"

	"strongroom/money"
)

// Errors that Post and Open wrap. Everything else is a fault of the database
// and leaves the outcome unknown: ask again with the same id.
var (
	ErrInvalid         = errors.New("malformed transaction")
	ErrConflict        = errors.New("id was used before with other content")
	ErrAccountUnknown  = errors.New("no such account")
	ErrAssetMismatch   = errors.New("accounts hold different assets")
	ErrInsufficient    = errors.New("balance does not cover the transfer")
	ErrLimit           = errors.New("balance limit exceeded")
	ErrPendingUnknown  = errors.New("no such pending transfer")
	ErrPendingResolved = errors.New("pending transfer was already posted or voided")
	ErrPendingExpired  = errors.New("pending transfer has expired")
	ErrExceedsPending  = errors.New("more than was held")
	ErrUnattested      = errors.New("liabilities would exceed attested assets")
	ErrStale           = errors.New("attestation was computed against an older position")
	ErrOverloaded      = errors.New("ledger queue is full")
)

// AccountID names an account: a path such as "customer/cus_…/BTC/funding".
// ASCII letters, digits and "/_-.:" only, at most 128 bytes.
type AccountID string

// TransferID is chosen by the caller, unique for ever, at most 96 bytes.
type TransferID string

// Class is the accounting class; it decides the normal side of the balance.
type Class uint8

// The classes. Asset and Expense grow by debits, the others by credits.
const (
	Asset Class = iota + 1
	Liability
	Equity
	Income
	Expense
)

// Account is one line of the book, in one asset.
type Account struct {
	ID    AccountID
	Asset string // asset code
	Class Class
	// MayOverdraw lets the balance go below zero on its normal side. Customers'
	// accounts never have it.
	MayOverdraw bool
	// Max is the most that the balance, with what is pending towards it, may
	// reach; zero for no limit.
	Max      money.Units
	Metadata map[string]string
}

// Kind tells what a transfer does.
type Kind uint8

// The kinds of transfer.
const (
	// Single moves at once.
	Single Kind = iota + 1
	// Pending holds: the amount leaves what is available on the debit side and
	// is announced on the credit side.
	Pending
	// Post completes a pending transfer, wholly or for a lesser amount; the rest
	// is released.
	Post
	// Void releases a pending transfer.
	Void
)

// Transfer is one leg.
type Transfer struct {
	ID     TransferID
	Kind   Kind
	Debit  AccountID   // Single, Pending; empty otherwise
	Credit AccountID   // Single, Pending; empty otherwise
	Amount money.Units // Void: zero. Post: zero for the whole
	// Pending is the transfer that a Post or Void resolves.
	Pending TransferID
	// Expires ends a Pending transfer; zero for never.
	Expires time.Time
}

// Transaction is one or more transfers that happen together or not at all. Its
// id is its idempotency key: the same id with the same content answers with the
// first receipt, with other content ErrConflict.
type Transaction struct {
	ID        string // at most 96 bytes
	Legs      []Transfer
	EventTime time.Time         // when it happened outside; zero for now
	Metadata  map[string]string // at most 16 entries; part of the content
}

// Receipt proves a booking.
type Receipt struct {
	ID     string
	Batch  uint64    // number of the batch in the hash chain
	Booked time.Time // booking time
	// Repeated tells that the transaction had been booked before.
	Repeated bool
}

// Balance is the state of an account.
type Balance struct {
	Account        AccountID
	Asset          string
	Class          Class
	DebitsPosted   money.Units
	CreditsPosted  money.Units
	DebitsPending  money.Units
	CreditsPending money.Units
	Version        uint64 // grows by one with each transfer that touches it
}

// Attestation states how much of an asset exists outside the book, by a source
// that looked: a chain's balances at a block plus what is known to be in flight.
type Attestation struct {
	Asset    string
	Source   string      // "chain/bitcoin-regtest"
	Amount   money.Units // observed, in flight included
	Evidence string      // block hash or statement id
	// Outflows is the asset's outflow count (Position) that the observation was
	// computed against; another count now gives ErrStale.
	Outflows uint64
}

// Position is the state of one asset as a whole.
type Position struct {
	Asset       string
	Liabilities money.Units // Σ credit balances of Liability accounts, holds included
	Attested    money.Units // Σ of the newest attestation of each source, less outflows posted since
	Outflows    uint64      // how many posted transfers have reduced Asset accounts against other classes
}
