package treasury

import (
	"context"
	"errors"
	"time"

	"strongroom/treasury/consent"
	"strongroom/treasury/intent"
)

// Errors of requests.
var (
	// ErrUnknown reports an id that nobody has.
	ErrUnknown = errors.New("not known")
	// ErrEnded reports a request that waits for nobody any more.
	ErrEnded = errors.New("request has ended")
	// ErrRefused reports an approval that does not count; what it wraps says why.
	ErrRefused = errors.New("approval is refused")
	// ErrInvalid reports input that contradicts itself, with the field.
	ErrInvalid = errors.New("not valid")
	// ErrConflict reports that somebody else was first: read again and decide.
	ErrConflict = errors.New("it has changed meanwhile")
	// ErrTampered reports a row that is not what its hash says: somebody changed it past
	// the program. Nothing is decided by it.
	ErrTampered = errors.New("a row was changed by somebody else's hand")
)

// State is where a request stands. It moves forward only.
type State string

// The states. Waiting is the only one in which approvals are taken.
const (
	Waiting   State = "waiting"
	Approved  State = "approved"  // enough people agreed; whoever asked acts now
	Denied    State = "denied"    // somebody said no
	Expired   State = "expired"   // nobody in time
	Cancelled State = "cancelled" // who asked took it back, or the policy or payload changed
	Done      State = "done"      // what was approved has happened
	Failed    State = "failed"    // it was approved and cannot happen
)

// Open reports whether something is still to come.
func (s State) Open() bool { return s == Waiting || s == Approved }

// Request is something that people are asked to agree to. Its intent never changes: what
// is to be done otherwise is another request.
type Request struct {
	ID      string // rqs_…
	Intent  intent.Intent
	Hash    intent.Hash
	State   State
	Version int64 // of the row, for compare-and-set

	Rule        string              // of the policy, that asks
	Sentence    string              // which rule asks for what, for people
	Requirement consent.Requirement // of that rule
	Missing     string              // what it still takes, for people; empty unless Waiting

	Signed []Signed // in the order in which they came
	Notes  []Note

	// Effect is what the transaction does, decoded from its bytes, line by line; Payload
	// are those bytes: an unsigned transaction, a PSBT or a Safe's file. Both are empty
	// where there is no transaction yet. Pages of requests come without Payload.
	Effect  []string
	Payload []byte

	Told     int       // how often those who are asked were told; of one request, not of pages
	LastTold time.Time // zero: never

	Created, Expires time.Time
	Ended            time.Time // zero while Open
	Outcome          string    // why it ended as it did, for people

	// Superseded says of a cancelled request that nobody took it back: another policy or
	// other people are in force than those that it was asked of. Ask again.
	Superseded bool
}

// Signed is an approval or a denial that counted when it came.
type Signed struct {
	consent.Approval
	Name string // of the person, as the roster had it
	Came time.Time
}

// Level is how much a note matters.
type Level string

// The levels.
const (
	Info    Level = "info"
	Warning Level = "warning"
	Danger  Level = "danger"
)

// Note is something about a request that people should weigh: a new address, one that
// looks like another, an amount out of the common.
type Note struct {
	Level Level
	Text  string
}

// Filter says which requests are wanted, the ones that expire first first. Fields that are
// zero do not filter.
type Filter struct {
	Person   string // waits, and this person's consent would count and is not given
	States   []State
	Action   intent.Action
	Asset    string
	Before   time.Time // expires before
	After    string    // page: the Next of the one before
	Limit    int       // at most MaxPage; zero is DefaultPage
	ForCount bool      // only Total is wanted
}

// Bounds of a page of requests.
const (
	DefaultPage = 50
	MaxPage     = 200
)

// Page is some requests, and how many there are in all.
type Page struct {
	Requests []Request
	Total    int
	Next     string // empty on the last page
}

// Requests keeps requests and takes approvals. Errors of all: ErrUnknown, ErrInvalid,
// ErrTampered, context's. A page shows what was tampered with by its id, state and a
// note of the level Danger only.
type Requests interface {
	// Ask makes a request, or returns the one that has the intent's id and the same hash:
	// another hash is ErrConflict. Requests that the policy allows outright come back
	// Approved, those that it denies come back Denied with the sentence.
	Ask(ctx context.Context, q Question) (Request, error)
	Request(ctx context.Context, id string) (Request, error)
	List(ctx context.Context, f Filter) (Page, error)
	// Sign takes an approval or a denial by the hash that it signs. Errors: ErrRefused,
	// ErrEnded.
	Sign(ctx context.Context, id string, a consent.Approval) (Request, error)
	// Cancel takes a request back that is open: who asked may, and officers. Who drives what
	// was approved cancels before its point of no return only. Errors: ErrEnded, ErrRefused.
	Cancel(ctx context.Context, id, person, reason string) (Request, error)
	// Finish says what became of what was approved. Errors: ErrConflict.
	Finish(ctx context.Context, id string, state State, outcome string) (Request, error)
	// Changes tells ids of requests that changed, until ctx ends; one that is told late or
	// twice is read again and is no loss. It is closed where it cannot go on.
	Changes(ctx context.Context) (<-chan string, error)
}

// Question is what a request is made of.
type Question struct {
	Intent intent.Intent // Policy, Created and Expires are filled in by who keeps requests
	// Destination class and what else the policy asks about that the intent does not say.
	Class    string // own, allowlisted, new
	Selector string // four bytes in hex of a contract call
	Notes    []Note
	Effect   []string
	Payload  []byte

	// Again is the id of the request that asked for the same before and was cancelled, has
	// expired, or was approved and cannot be used any more, as its time is over or another
	// policy is in force: the same is asked once more. Asking with it again gives the same
	// request.
	Again string
}
