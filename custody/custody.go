// Package custody holds the rules for customers' money on chain: addresses,
// deposits, withdrawals, collection into the hot wallet. The rules are pure: a
// state, an event and the facts give the next state, and nothing here performs
// I/O, reads a clock or starts a goroutine. custody/custodydb keeps the rows.
package custody

import (
	"errors"
	"time"

	"strongroom/chainadapters"
	"strongroom/money"
)

// Errors of the custody domain; each names what the caller can do about it.
var (
	ErrNotFound     = errors.New("not found")
	ErrConflict     = errors.New("changed meanwhile") // compare-and-set lost: read again and decide
	ErrIllegal      = errors.New("event is not legal in this state")
	ErrIdempotency  = errors.New("idempotency key was used with another request")
	ErrAsset        = errors.New("asset is not supported")
	ErrAmount       = errors.New("amount is not allowed")      // zero, dust, below minimum, more decimals
	ErrDestination  = errors.New("destination is not allowed") // wrong network, checksum, our own address
	ErrInsufficient = errors.New("available balance does not cover amount and fee")
	ErrLimit        = errors.New("withdrawal limit reached")
	ErrFrozen       = errors.New("withdrawals of this customer are frozen")
	ErrChainHalted  = errors.New("chain is halted") // node down, lagging, foreign or lying
	ErrHotWallet    = errors.New("hot wallet does not cover the withdrawal now")
	ErrConsent      = errors.New("people are asked for their consent")
	ErrSlots        = errors.New("too many transactions outstanding on this key")
)

// DepositState is how far a deposit has come.
type DepositState string

// The states of a deposit.
const (
	DepositSeen         DepositState = "seen"
	DepositConfirming   DepositState = "confirming"
	DepositCredited     DepositState = "credited"     // tradable, in the maturing account
	DepositWithdrawable DepositState = "withdrawable" // end, unless the chain is reorganised
	DepositDust         DepositState = "dust_held"    // below the asset's minimum; never credited
	DepositUnattributed DepositState = "unattributed" // to an address of the house without a customer
	DepositQuarantined  DepositState = "quarantined"
	DepositReleased     DepositState = "released"
	DepositRefunding    DepositState = "refunding"
	DepositRefunded     DepositState = "refunded"
	DepositReorged      DepositState = "reorged" // its block left the chain before it was credited
	DepositDebited      DepositState = "debited" // it had been credited and was taken back
	DepositSuspense     DepositState = "suspense"
)

// Deposit is one movement to one of our addresses.
type Deposit struct {
	ID        string                `json:"id"` // dep_…
	Customer  string                `json:"customer,omitempty"`
	Asset     string                `json:"asset"`
	Chain     chainadapters.ChainID `json:"chain"`
	Address   string                `json:"address"`
	TxID      string                `json:"txid"`
	Index     uint32                `json:"index"`
	Amount    money.Units           `json:"amount"`
	Block     chainadapters.Ref     `json:"block"`
	Canonical bool                  `json:"canonical"` // its block is on the chain as we see it
	State     DepositState          `json:"state"`
	Version   uint64                `json:"version"`
	SeenAt    time.Time             `json:"seenAt"`
	UpdatedAt time.Time             `json:"updatedAt"`
}

// WithdrawalState is how far a withdrawal has come.
type WithdrawalState string

// The states of a withdrawal, in the order of the usual way.
const (
	WithdrawalRequested        WithdrawalState = "requested"
	WithdrawalHeld             WithdrawalState = "held"
	WithdrawalScreened         WithdrawalState = "screened"
	WithdrawalAwaitingApproval WithdrawalState = "awaiting_approval"
	WithdrawalCooling          WithdrawalState = "cooling_off"
	WithdrawalApproved         WithdrawalState = "approved"
	WithdrawalReserved         WithdrawalState = "reserved"
	WithdrawalSigned           WithdrawalState = "signed"
	WithdrawalBroadcast        WithdrawalState = "broadcast"
	WithdrawalUnknown          WithdrawalState = "unknown" // a send may or may not have arrived
	WithdrawalConfirming       WithdrawalState = "confirming"
	WithdrawalReorged          WithdrawalState = "reorged"
	WithdrawalStuck            WithdrawalState = "stuck"
	WithdrawalReplaced         WithdrawalState = "replaced"
	WithdrawalFinal            WithdrawalState = "final"
	WithdrawalPosted           WithdrawalState = "posted" // end
	WithdrawalRejected         WithdrawalState = "rejected"
	WithdrawalCancelled        WithdrawalState = "cancelled"
	WithdrawalExpired          WithdrawalState = "expired"
	WithdrawalBlocked          WithdrawalState = "blocked"
	WithdrawalReverted         WithdrawalState = "reverted" // mined, but the contract refused; hold released, gas paid
)

// Withdrawal is one customer's order to pay out on chain.
type Withdrawal struct {
	ID            string                `json:"id"` // wdr_…
	Customer      string                `json:"customer"`
	Asset         string                `json:"asset"`
	Chain         chainadapters.ChainID `json:"chain"`
	To            string                `json:"to"` // canonical
	Amount        money.Units           `json:"amount"`
	Fee           money.Units           `json:"fee"` // what the customer pays, in the same asset
	State         WithdrawalState       `json:"state"`
	Version       uint64                `json:"version"`
	Reason        string                `json:"reason,omitempty"` // where it ended badly or waits
	TxID          string                `json:"txid,omitempty"`   // newest attempt, or the one that was mined
	Block         chainadapters.Ref     `json:"block"`
	Confirmations uint64                `json:"confirmations"`
	CreatedAt     time.Time             `json:"createdAt"`
	UpdatedAt     time.Time             `json:"updatedAt"`
}

// IntentKind tells apart what ends in a transaction of ours. Beside withdrawals
// there are intents of the house itself: a collection of deposits into the hot
// wallet, or the gas that a token's collection needs. They follow the same
// protocol as a withdrawal from reserved on.
type IntentKind string

// The kinds of intent that end in a transaction.
const (
	IntentWithdrawal IntentKind = "withdrawal"
	IntentCollect    IntentKind = "collect"
	IntentGasTopUp   IntentKind = "gas_topup"
	// IntentConsolidate merges coins of the hot wallet into one of its own.
	IntentConsolidate IntentKind = "consolidate"
	// IntentSweep takes what is above its cap out of the hot wallet, into a vault. It is
	// born screened: policy, and people where that asks for them, decide.
	IntentSweep IntentKind = "sweep"
	// IntentRefill brings what is in a vault to the hot wallet. People agree to it, and the
	// vault's cosigners sign it: of coins instead of the signer, on account chains before
	// the signer signs the transaction that carries their call.
	IntentRefill IntentKind = "refill"
	// IntentColdSpend pays out of a vault of coins to an outside address of the house's own
	// book: people agree to it, and the vault's cosigners sign it.
	IntentColdSpend IntentKind = "coldspend"
	// IntentCancel is asked of the signer only: it takes the place of another intent,
	// whose id it has, and moves nothing.
	IntentCancel IntentKind = "cancel"
)

// PaysOut reports whether such an intent pays out of the hot wallet to where none of the
// signer's keys is, choosing among its coins and with change.
func (k IntentKind) PaysOut() bool { return k == IntentWithdrawal || k == IntentSweep }

// FromVault reports whether such an intent pays out of a vault, whose cosigners sign.
func (k IntentKind) FromVault() bool { return k == IntentRefill || k == IntentColdSpend }

// Attempt is one signed transaction of an intent, stored before it was sent.
type Attempt struct {
	Intent string // wdr_…, col_…, gas_…
	Kind   IntentKind
	Chain  chainadapters.ChainID
	Number uint32
	TxID   string
	Raw    []byte
	Plan   chainadapters.Plan
	MaxFee money.Units
	// Cancels tells that it takes the place of the payment and moves nothing.
	Cancels bool
	Created time.Time
}

// WithdrawalRequest is what a customer asks for.
type WithdrawalRequest struct {
	Customer       string
	IdempotencyKey string
	RequestHash    [32]byte // SHA-256 of the canonical request body
	Asset          string
	To             string // as given; checked and made canonical
	Amount         money.Units
	// ConfirmDestination tells that the customer means To although it resembles an
	// address that they know.
	ConfirmDestination bool
}

// DepositAddress is where a customer's deposits of one asset go.
type DepositAddress struct {
	Asset     string                `json:"asset"`
	Chain     chainadapters.ChainID `json:"chain"`
	Address   string                `json:"address"`
	CreatedAt time.Time             `json:"createdAt"`
}

// Event is something a customer is told.
type Event struct {
	Seq      uint64    `json:"seq"`
	Customer string    `json:"customer"`
	Kind     string    `json:"kind"` // "deposit.credited", "withdrawal.posted" …
	Subject  string    `json:"subject"`
	Data     []byte    `json:"data"` // JSON
	At       time.Time `json:"at"`
}

// Progress is where an intent stands after a step, as its workflow needs it.
type Progress struct {
	ID     string          `json:"id"`
	Kind   IntentKind      `json:"kind"`
	State  WithdrawalState `json:"state"`
	Ended  bool            `json:"ended"` // no further step will change it
	TxID   string          `json:"txid,omitempty"`
	Reason string          `json:"reason,omitempty"`
}

// DepositProgress is where a deposit stands after a step.
type DepositProgress struct {
	ID            string       `json:"id"`
	State         DepositState `json:"state"`
	Ended         bool         `json:"ended"`
	Confirmations uint64       `json:"confirmations"`
}
