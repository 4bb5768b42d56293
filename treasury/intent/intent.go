package intent

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode"
	"unicode/utf8"

	"strongroom/internal/planted"
	"strongroom/money"
)

// Action is what an intent is for.
type Action string

// The actions.
const (
	Withdrawal Action = "withdrawal" // hot wallet to a customer's outside address
	Sweep      Action = "sweep"      // hot wallet to a warm or cold vault
	Refill     Action = "refill"     // warm or cold vault to the hot wallet
	ColdSpend  Action = "coldspend"  // cold vault to an outside address
	Allow      Action = "allow"      // an address joins an allow-list
	Policy     Action = "policy"     // another version of the policy
	Roster     Action = "roster"     // another version of the roster of people
	Unfreeze   Action = "unfreeze"   // signing goes on
	KeyDrill   Action = "keydrill"   // proof that a vault's keys are under control
)

// Bounds.
const (
	MaxBytes     = 8 << 10
	MaxTextBytes = 512
	// MaxLife is the longest time that consent to an intent may count.
	MaxLife = 30 * 24 * time.Hour
)

// ErrInvalid reports an intent that contradicts itself or is not in canonical form.
var ErrInvalid = errors.New("intent is not valid")

// Hash is the SHA-256 of an intent's canonical form behind a domain of its own: the
// challenge of a passkey, and what every other approval signs.
type Hash [sha256.Size]byte

// String is 64 hex digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Short is for people to compare: the first and last eight digits, in groups of four.
func (h Hash) Short() string {
	s := h.String()
	return s[:4] + " " + s[4:8] + " … " + s[56:60] + " " + s[60:]
}

// domain keeps the hash apart from all other hashes.
const domain = "strongroom intent 2\n"

// Intent is what is meant. Every field is in its hash, so that consent to one is worth
// nothing for another. The order of fields is that of the canonical form.
type Intent struct {
	// Environment names the installation: consent given in another one never counts.
	Environment string `json:"environment"`
	ID          string `json:"id"` // of the withdrawal, sweep, … ; unique in the installation
	Action      Action `json:"action"`

	// Of money that moves, all but Contract and Vault; else all are empty or zero.
	Chain    string      `json:"chain,omitempty"`
	Genesis  string      `json:"genesis,omitempty"` // the chain's: EIP-155 id in decimal, or block hash in hex
	Asset    string      `json:"asset,omitempty"`
	Contract string      `json:"contract,omitempty"` // of a token
	Vault    string      `json:"vault,omitempty"`    // that pays, where it is not the hot wallet
	To       string      `json:"to,omitempty"`       // canonical address
	Amount   money.Units `json:"amount"`             // base units
	MaxFee   money.Units `json:"maxFee"`             // native base units, the most that the network may take

	// Document is the SHA-256, in hex, of what is decided where no money moves: the
	// policy, the roster, the entry of an allow-list, the drill. Empty where money moves.
	Document string `json:"document,omitempty"`

	Requester string `json:"requester"` // who asked: a person's id, or "customer:" and the customer's
	Policy    uint64 `json:"policy"`    // version that asks for consent
	Reason    string `json:"reason"`    // for people; it is shown, and never interpreted
	Created   int64  `json:"created"`   // Unix seconds
	Expires   int64  `json:"expires"`   // Unix seconds: from then on consent does not count
}

// Canonical returns the one form that is hashed: JSON, members in the order of the
// struct, without spaces, and empty members left out as their tags say. Errors:
// ErrInvalid.
func (i *Intent) Canonical() ([]byte, error) {
	if err := i.Check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(i); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Hash returns what approvals sign. Errors: ErrInvalid.
func (i *Intent) Hash() (Hash, error) {
	text, err := partly(i).Canonical()
	if err != nil {
		return Hash{}, err
	}
	return sha256.Sum256(append([]byte(domain), text...)), nil
}

// partly is a planted bug; in a product build it returns the intent as it is.
func partly(i *Intent) *Intent {
	if !planted.Live(planted.PartlyApproved) || !i.Action.Moves() {
		return i
	}
	part := *i
	part.To, part.Amount = "anywhere", money.FromUint64(1)
	return &part
}

// Parse reads the canonical form and nothing else: what it returns has that same form
// and hash. Errors: ErrInvalid.
func Parse(text []byte) (Intent, error) {
	var i Intent
	if len(text) > MaxBytes {
		return i, fmt.Errorf("%w: %d bytes", ErrInvalid, len(text))
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&i); err != nil {
		return Intent{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Intent{}, fmt.Errorf("%w: something follows it", ErrInvalid)
	}
	again, err := i.Canonical()
	if err != nil {
		return Intent{}, err
	}
	if !bytes.Equal(again, text) { // doubled members, other cases, spaces, escapes
		return Intent{}, fmt.Errorf("%w: it is not in canonical form", ErrInvalid)
	}
	return i, nil
}

// Moves reports whether an action moves money.
func (a Action) Moves() bool {
	switch a {
	case Withdrawal, Sweep, Refill, ColdSpend:
		return true
	case Allow, Policy, Roster, Unfreeze, KeyDrill:
	}
	return false
}

// Known reports whether a is one of the actions.
func (a Action) Known() bool {
	switch a {
	case Withdrawal, Sweep, Refill, ColdSpend, Allow, Policy, Roster, Unfreeze, KeyDrill:
		return true
	}
	return false
}

// Expired reports whether consent does not count any more.
func (i *Intent) Expired(now time.Time) bool { return now.Unix() >= i.Expires }

// Check reports what contradicts itself. Errors: ErrInvalid, with the field.
func (i *Intent) Check() error {
	if !i.Action.Known() {
		return fmt.Errorf("%w: action %.40q", ErrInvalid, i.Action)
	}
	for name, text := range map[string]string{
		"environment": i.Environment, "id": i.ID, "chain": i.Chain, "genesis": i.Genesis, "asset": i.Asset, "contract": i.Contract,
		"vault": i.Vault, "to": i.To, "requester": i.Requester, "reason": i.Reason, "document": i.Document,
	} {
		if !legible(text) {
			return fmt.Errorf("%w: %s is longer than %d bytes or has characters that nobody sees", ErrInvalid, name, MaxTextBytes)
		}
	}
	for name, text := range map[string]string{"environment": i.Environment, "id": i.ID, "requester": i.Requester} {
		if text == "" {
			return fmt.Errorf("%w: %s is missing", ErrInvalid, name)
		}
	}
	if life := i.Expires - i.Created; i.Created <= 0 || life <= 0 || life > int64(MaxLife/time.Second) {
		return fmt.Errorf("%w: expires: it is created at %d and lasts %d s", ErrInvalid, i.Created, life)
	}
	if i.Action.Moves() {
		return i.checkMoney()
	}
	return i.checkDocument()
}

func (i *Intent) checkMoney() error {
	for name, text := range map[string]string{"chain": i.Chain, "genesis": i.Genesis, "asset": i.Asset, "to": i.To} {
		if text == "" {
			return fmt.Errorf("%w: %s is missing", ErrInvalid, name)
		}
	}
	cold := i.Action == Refill || i.Action == ColdSpend
	switch {
	case i.Amount.IsZero():
		return fmt.Errorf("%w: amount is zero", ErrInvalid)
	case i.Document != "":
		return fmt.Errorf("%w: document: money moves", ErrInvalid)
	case cold != (i.Vault != ""):
		return fmt.Errorf("%w: vault %q pays for a %s", ErrInvalid, i.Vault, i.Action)
	}
	return nil
}

func (i *Intent) checkDocument() error {
	if raw, err := hex.DecodeString(i.Document); err != nil || len(raw) != sha256.Size || hex.EncodeToString(raw) != i.Document {
		return fmt.Errorf("%w: document is not a SHA-256 in small hex digits", ErrInvalid)
	}
	for name, text := range map[string]string{"genesis": i.Genesis, "contract": i.Contract, "to": i.To} {
		if text != "" {
			return fmt.Errorf("%w: %s: no money moves", ErrInvalid, name)
		}
	}
	if !i.Amount.IsZero() || !i.MaxFee.IsZero() {
		return fmt.Errorf("%w: amount: no money moves", ErrInvalid)
	}
	return nil
}

// legible accepts text in which a person sees everything: no control, format or
// private characters (those that turn the direction of text among them), no line breaks,
// no spaces but the common one.
func legible(s string) bool {
	if len(s) > MaxTextBytes || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r != ' ' && !unicode.IsGraphic(r) || r != ' ' && unicode.IsSpace(r) || r == '\u115F' || r == '\u1160' || r == '\u3164' || r == '\uFFA0' {
			return false
		}
	}
	return true
}
