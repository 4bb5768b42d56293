package api

import (
	"context"
	"time"

	"strongroom/assets"
	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/identity"
	"strongroom/identity/reqsign"
	"strongroom/money"
)

// Authenticator says who signed a request. Errors: those of
// identity.Store.Authenticate.
type Authenticator interface {
	Authenticate(ctx context.Context, r identity.Request) (identity.Principal, error)
	// Principal returns who has a key now. Errors: identity.ErrRevoked, ErrNotFound.
	Principal(ctx context.Context, key string) (identity.Principal, error)
}

// Customers keeps customers. Errors: identity.ErrInvalid, ErrConflict, ErrNotFound.
type Customers interface {
	CreateCustomer(ctx context.Context, name, reference string) (c identity.Customer, repeated bool, err error)
	Customer(ctx context.Context, customer string) (identity.Customer, error)
	// Customers returns up to limit customers after the id given, by id.
	Customers(ctx context.Context, after string, limit int) ([]identity.Customer, error)
}

// Freezer stops and releases a customer. Errors: identity.ErrNotFound, ErrInvalid.
type Freezer interface {
	SetCustomerState(ctx context.Context, customer string, state identity.State) (identity.Customer, error)
}

// Keys keeps API keys. Errors: identity.ErrInvalid, ErrNotFound.
type Keys interface {
	CreateKey(ctx context.Context, n identity.NewKey) (identity.Key, reqsign.Credential, error)
	Keys(ctx context.Context, customer, after string, limit int) ([]identity.Key, error)
	RevokeKey(ctx context.Context, customer, key string) error
}

// Assets is the registry. Errors: assets.ErrNotFound.
type Assets interface {
	All(ctx context.Context) ([]assets.Asset, error)
	ByCode(ctx context.Context, code string) (assets.Asset, error)
}

// Balance is what a customer has of one asset, in base units.
type Balance struct {
	Asset     string
	Available money.Units // may be withdrawn now
	Held      money.Units // set aside for withdrawals under way
	Maturing  money.Units // credited, not yet withdrawable
	Debt      money.Units // owed after a deposit was taken back
}

// Entry is one booking on a customer's account.
type Entry struct {
	ID        string // transfer id
	Direction string // debit or credit
	Kind      string // single, pending, post or void
	Amount    money.Units
	BookedAt  time.Time
	EventTime time.Time
}

// EntryQuery asks for a page of bookings.
type EntryQuery struct {
	Customer, Asset, Account string
	Cursor                   string // empty for the newest
	Limit                    int
}

// Books reads the ledger.
type Books interface {
	// Balances returns a customer's balances, by asset code.
	Balances(ctx context.Context, customer string) ([]Balance, error)
	// Entries returns up to limit bookings of one account (funding, maturing or
	// debt) after cursor (empty for the first), newest first, and the cursor of
	// the next page or "". An account that does not exist yet has none.
	Entries(ctx context.Context, q EntryQuery) (list []Entry, next string, err error)
}

// Addresses gives out deposit addresses: one per customer and asset, always the
// same. Errors: custody.ErrAsset, custody.ErrChainHalted.
type Addresses interface {
	DepositAddress(ctx context.Context, customer, asset string) (custody.DepositAddress, error)
}

// Deposits reads a customer's deposits, newest first. Errors: custody.ErrNotFound.
type Deposits interface {
	Deposit(ctx context.Context, customer, id string) (custody.Deposit, error)
	Deposits(ctx context.Context, customer, cursor string, limit int) (list []custody.Deposit, next string, err error)
}

// Withdrawals takes and cancels withdrawals. Errors: those of package custody.
type Withdrawals interface {
	// CreateWithdrawal is idempotent by customer and key; repeated tells that it
	// had been taken before.
	CreateWithdrawal(ctx context.Context, r custody.WithdrawalRequest) (w custody.Withdrawal, repeated bool, err error)
	CancelWithdrawal(ctx context.Context, customer, id string) (custody.Withdrawal, error)
}

// WithdrawalLog reads a customer's withdrawals, newest first. Errors:
// custody.ErrNotFound.
type WithdrawalLog interface {
	Withdrawal(ctx context.Context, customer, id string) (custody.Withdrawal, error)
	Withdrawals(ctx context.Context, customer, cursor string, limit int) (list []custody.Withdrawal, next string, err error)
}

// Events is the feed of what a customer is told.
type Events interface {
	// Events returns up to limit events after a sequence number, oldest first.
	Events(ctx context.Context, customer string, afterSeq uint64, limit int) ([]custody.Event, error)
}

// ChainHealth is whether a chain is followed.
type ChainHealth struct {
	Chain  chainadapters.ChainID
	Height uint64 // of the newest block taken in
	Halted bool
	Reason string // where halted
}

// Chains tells how the chains are doing.
type Chains interface {
	Chains(ctx context.Context) ([]ChainHealth, error)
}
