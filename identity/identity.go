// Package identity knows who may ask for what: customers, their API keys, the
// scopes and networks of each key, and whether a signed request is fresh and new.
// It holds no balance and decides nothing about money; secrets rest encrypted.
package identity

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"strongroom/identity/reqsign"
)

// Errors of the package.
var (
	// ErrInvalid reports a name, reference, scope, network or key of wrong form.
	ErrInvalid = errors.New("not valid")
	// ErrConflict reports a reference that belongs to a customer of another name.
	ErrConflict = errors.New("reference belongs to another customer")
	// ErrNotFound reports a customer or key that does not exist.
	ErrNotFound = errors.New("not found")
	// ErrSignature reports an unknown key or a signature that does not match: a
	// caller is not told which.
	ErrSignature = errors.New("unknown key or wrong signature")
	// ErrStale reports a timestamp outside the window.
	ErrStale = errors.New("timestamp is outside the window")
	// ErrReplay reports a nonce that this key used before.
	ErrReplay = errors.New("nonce was used before")
	// ErrRevoked reports a key that has been revoked.
	ErrRevoked = errors.New("key is revoked")
	// ErrAddress reports a caller outside the key's networks.
	ErrAddress = errors.New("key may not be used from this address")
)

// FieldError says which member of an input is wrong and how to mend it. It is
// an ErrInvalid.
type FieldError struct {
	Field string
	Fix   string
}

// Error implements error.
func (e *FieldError) Error() string { return e.Field + ": " + e.Fix }

// Is makes a FieldError an ErrInvalid.
func (e *FieldError) Is(target error) bool { return target == ErrInvalid }

// State is whether a customer may move money.
type State string

// The states of a customer.
const (
	Active State = "active"
	Frozen State = "frozen" // may read; withdrawals are refused
)

// Customer is somebody whose money is kept.
type Customer struct {
	ID        string // cus_…
	Name      string
	Reference string // the operator's own id of the customer; unique where not empty
	State     State
	CreatedAt time.Time
}

// Scope is one thing that a key may do.
type Scope string

// The scopes. None contains another.
const (
	Read     Scope = "read"     // see the customer's own data, ask for deposit addresses
	Withdraw Scope = "withdraw" // request and cancel withdrawals
	Trade    Scope = "trade"    // place and cancel orders, move money to trading and back
	Admin    Scope = "admin"    // create customers and keys; operator keys only
)

// Key is an API key without its secret.
type Key struct {
	ID         string // key_…
	Customer   string // empty for an operator's key
	Label      string
	Scheme     reqsign.Scheme
	Scopes     []Scope
	AllowedIPs []netip.Prefix // empty: from anywhere
	CreatedAt  time.Time
	RevokedAt  time.Time // zero while it is valid
}

// NewKey is what a key is made from.
type NewKey struct {
	Customer   string // empty for an operator's key
	Label      string
	Scheme     reqsign.Scheme
	PublicKey  []byte // Ed25519 only; an HMAC secret is generated
	Scopes     []Scope
	AllowedIPs []netip.Prefix
}

// Principal is who signed a request.
type Principal struct {
	Key      string
	Customer string
	State    State // the customer's; Active for an operator
	Scopes   []Scope
}

// Has reports whether the principal's key has the scope.
func (p Principal) Has(s Scope) bool { return slices.Contains(p.Scopes, s) }

// Bounds of what is stored.
const (
	maxNameRunes = 100
	maxReference = 64
	maxLabel     = 64
	maxNetworks  = 32
	maxKeys      = 50 // valid keys of one customer
)

// checkName refuses names that look like something else: not in NFC, with
// control, bidi or zero-width characters, or with space around them.
func checkName(field, s string) error {
	if n := len([]rune(s)); n == 0 || n > maxNameRunes || strings.TrimSpace(s) != s || !norm.NFC.IsNormalString(s) {
		return &FieldError{field, fmt.Sprintf("want 1 to %d characters in NFC without space around them", maxNameRunes)}
	}
	for _, r := range s {
		if r == unicode.ReplacementChar || (r != ' ' && !unicode.IsGraphic(r)) || unicode.Is(unicode.Cf, r) {
			return &FieldError{field, "remove control, bidirectional and zero-width characters"}
		}
	}
	return nil
}

func checkReference(s string) error {
	if len(s) > maxReference {
		return &FieldError{"reference", fmt.Sprintf("want at most %d characters", maxReference)}
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return &FieldError{"reference", "want visible ASCII"}
		}
	}
	return nil
}

func (n NewKey) checkScopes() error {
	if len(n.Scopes) == 0 {
		return &FieldError{"scopes", "want at least one of read, withdraw"}
	}
	for i, s := range n.Scopes {
		operator := n.Customer == ""
		known := s == Read || s == Withdraw || s == Trade || s == Admin
		if !known || (s == Admin) != operator || slices.Contains(n.Scopes[:i], s) {
			return &FieldError{"scopes", "want read, withdraw or both, each once; admin is for operators only"}
		}
	}
	return nil
}

func (n NewKey) check() error {
	if n.Label != "" {
		if err := checkName("label", n.Label); err != nil {
			return err
		}
	}
	if len(n.Label) > maxLabel {
		return &FieldError{"label", fmt.Sprintf("want at most %d bytes", maxLabel)}
	}
	if len(n.AllowedIPs) > maxNetworks {
		return &FieldError{"allowedIps", fmt.Sprintf("want at most %d networks", maxNetworks)}
	}
	if err := n.checkScopes(); err != nil {
		return err
	}
	switch n.Scheme {
	case reqsign.HMAC:
		if len(n.PublicKey) != 0 {
			return &FieldError{"publicKey", "leave it out: the secret of an HMAC key is generated"}
		}
	case reqsign.Ed25519:
		if reqsign.CheckVerifier(n.Scheme, n.PublicKey) != nil {
			return &FieldError{"publicKey", "want the 32 bytes of an Ed25519 public key in base64"}
		}
	default:
		return &FieldError{"scheme", "want hmac-sha256 or ed25519"}
	}
	return nil
}
