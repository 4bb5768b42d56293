package treasury

import (
	"context"
	"time"

	"strongroom/treasury/consent"
)

// RosterRow is a version of the roster as its officers signed it.
type RosterRow struct {
	Version  uint64
	Signed   []byte // for whoever verifies it again
	Document string // SHA-256 of the canonical form, in hex
	Came     time.Time
}

// KeyUse is when a key last said something that counted.
type KeyUse struct {
	Person, Key string
	Count       uint32 // sign counter of a passkey; zero where it does not count
	Last        time.Time
}

// People keeps rosters. Errors of all: ErrUnknown where there is no roster yet, context's.
type People interface {
	// Roster is the one in force, its signatures verified.
	Roster(ctx context.Context) (*consent.Roster, RosterRow, error)
	// PublishRoster puts a newer version in force, at once; what waits for consent is
	// cancelled, since it was asked of others. The one in force again is no error.
	// Errors: consent.ErrRoster.
	PublishRoster(ctx context.Context, signed []byte) (RosterRow, error)
	// KeyUses lists keys that were ever used, by person and key.
	KeyUses(ctx context.Context) ([]KeyUse, error)
}
