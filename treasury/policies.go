package treasury

import (
	"context"
	"time"
)

// PolicyState is how far a version of the policy has come. It moves forward only.
type PolicyState string

// The states of a version. At most one is Published.
const (
	PolicyDraft     PolicyState = "draft"
	PolicyProposed  PolicyState = "proposed"  // people are asked
	PolicyApproved  PolicyState = "approved"  // waits for its NotBefore
	PolicyPublished PolicyState = "published" // in force
	PolicyRetired   PolicyState = "retired"   // was in force
	PolicyDropped   PolicyState = "dropped"   // never was and never will be
)

// PolicyRow is a version of the policy. Its text never changes.
type PolicyRow struct {
	Version   uint64
	Text      string // canonical
	Document  string // SHA-256 in hex, as in the intent that asks for consent
	State     PolicyState
	NotBefore time.Time
	Author    string
	Reason    string
	Request   string // that asks for consent; empty of a draft
	Outcome   string // why it was dropped, for people
	Created   time.Time
	Published time.Time // zero: never
}

// Trial is what another policy would have said to real requests.
type Trial struct {
	From, To  time.Time
	Total     int       // requests that were looked at
	Changed   int       // of these, with another outcome or requirement
	Decisions []Changed // the newest first, at most MaxPage
	Cut       bool      // older requests were left out
}

// Changed is one request that would have been decided otherwise.
type Changed struct {
	Request   string
	Was, Is   string // outcomes: allow, deny, or quorum with its requirement
	Sentence  string // of the new decision
	IsLaxer   bool   // deny became something else, or quorum became allow
	CreatedAt time.Time
}

// Policies keeps versions of the policy. Errors of all: ErrUnknown, ErrInvalid, context's.
type Policies interface {
	// DraftPolicy keeps a text as a draft. Its version is the next one. Errors: ErrConflict
	// where another draft has that version.
	DraftPolicy(ctx context.Context, text []byte, author, reason string) (PolicyRow, error)
	// TryPolicy holds a version against the requests of the last days, at most MaxTrialDays.
	TryPolicy(ctx context.Context, version uint64, days int) (Trial, error)
	// ProposePolicy asks for consent to a draft. Once enough people agree it waits until
	// its NotBefore and is published then; what waits for consent under the one before is
	// cancelled. Errors: ErrConflict.
	ProposePolicy(ctx context.Context, version uint64, person string) (PolicyRow, Request, error)
	// DropPolicy takes a draft back. Errors: ErrConflict.
	DropPolicy(ctx context.Context, version uint64, person, reason string) (PolicyRow, error)
	// PolicyInForce is the version in force. Errors: ErrUnknown where there is none yet.
	PolicyInForce(ctx context.Context) (PolicyRow, error)
	// PolicyVersions lists the newest first, at most MaxPage.
	PolicyVersions(ctx context.Context) ([]PolicyRow, error)
}

// Bounds of a trial.
const (
	MaxTrialDays     = 90
	MaxTrialRequests = 50_000
)
