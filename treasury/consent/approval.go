package consent

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"strongroom/treasury/intent"
)

// Scheme is how a key signs.
type Scheme string

// The schemes.
const (
	WebAuthn Scheme = "webauthn" // passkey; Public is its COSE key: ES256, EdDSA or RS256
	Ed25519  Scheme = "ed25519"  // Public is the 32 bytes of the key
	EIP712   Scheme = "eip712"   // hardware wallet; Public is the 20 bytes of its address
)

// Known reports whether s is one of the schemes.
func (s Scheme) Known() bool { return s == WebAuthn || s == Ed25519 || s == EIP712 }

// Verdict is what a person says to an intent.
type Verdict string

// The verdicts.
const (
	Approve Verdict = "approve"
	Deny    Verdict = "deny"
)

// Known reports whether v is one of the verdicts.
func (v Verdict) Known() bool { return v == Approve || v == Deny }

// Bounds of an approval.
const (
	MaxApprovalBytes  = 16 << 10
	MaxPayloadBytes   = 8 << 10
	MaxSignatureBytes = 1 << 10
	MaxReasonBytes    = 512
	// ChallengeLife is how long after its At an approval may still be handed in.
	ChallengeLife = 5 * time.Minute
	// MaxSkew is how far ahead of the reader's clock At may be.
	MaxSkew = time.Minute
)

// ErrApproval reports an approval that does not count: it is malformed, is not signed by
// the key that it names, or signs something else.
var ErrApproval = errors.New("approval does not count")

// Approval is one person's signed word on one intent. Verdict, Person, At and Reason are
// part of what is signed, together with the hash of the intent.
type Approval struct {
	Person  string  `json:"person"`
	Key     string  `json:"key"`
	Scheme  Scheme  `json:"scheme"`
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason,omitempty"` // a denial has one
	At      int64   `json:"at"`               // Unix seconds at which the person was asked for the signature
	// Payload is what the authenticator signed of its own accord: of a passkey an Assertion
	// in canonical form; of the other schemes nothing.
	Payload []byte `json:"payload,omitempty"`
	// Signature is as the scheme gives it: of a passkey as the authenticator returns it, 64
	// bytes of Ed25519, 65 bytes r ‖ s ‖ v of a wallet with s in the lower half.
	Signature []byte `json:"signature"`
}

// Check reports what is wrong with the form of an approval; it verifies nothing. Errors:
// ErrApproval, with the field.
func (a *Approval) Check() error {
	switch {
	case !identifier(a.Person):
		return fmt.Errorf("%w: person %.40q is not the id of a person", ErrApproval, a.Person)
	case !identifier(a.Key):
		return fmt.Errorf("%w: key %.40q is not the id of a key", ErrApproval, a.Key)
	case !a.Scheme.Known():
		return fmt.Errorf("%w: scheme %.40q: it is webauthn, ed25519 or eip712", ErrApproval, a.Scheme)
	case !a.Verdict.Known():
		return fmt.Errorf("%w: verdict %.40q: it is approve or deny", ErrApproval, a.Verdict)
	case !legible(a.Reason, MaxReasonBytes):
		return fmt.Errorf("%w: reason is longer than %d bytes or has characters that nobody sees", ErrApproval, MaxReasonBytes)
	case a.Verdict == Deny && a.Reason == "":
		return fmt.Errorf("%w: reason is missing: whoever denies says why", ErrApproval)
	case a.At <= 0:
		return fmt.Errorf("%w: at %d is not a time", ErrApproval, a.At)
	}
	return a.checkSigned()
}

func (a *Approval) checkSigned() error {
	switch {
	case len(a.Payload) > MaxPayloadBytes:
		return fmt.Errorf("%w: payload has %d bytes, at most %d are read", ErrApproval, len(a.Payload), MaxPayloadBytes)
	case len(a.Payload) > 0 != (a.Scheme == WebAuthn):
		return fmt.Errorf("%w: payload: a passkey has one, and no other scheme", ErrApproval)
	case len(a.Signature) == 0 || len(a.Signature) > MaxSignatureBytes:
		return fmt.Errorf("%w: signature has %d bytes, 1 to %d are read", ErrApproval, len(a.Signature), MaxSignatureBytes)
	}
	return nil
}

// Late reports whether the challenge of an approval that is handed in now has expired.
func (a *Approval) Late(now time.Time) bool {
	return now.Sub(time.Unix(a.At, 0)) > ChallengeLife
}

// Digest names what was signed, by whom and with which key. The signature itself is no
// part of it: those of ECDSA can be written in two ways.
func (a *Approval) Digest() [sha256.Size]byte {
	unsigned := *a
	unsigned.Signature = nil
	text, err := json.Marshal(&unsigned)
	if err != nil { // strings, numbers and bytes always encode
		return [sha256.Size]byte{}
	}
	return sha256.Sum256(append([]byte("strongroom approval 1\n"), text...))
}

// Message is the text that is signed for an approval of the intent with that hash, in
// lines: domain, hash in hex, verdict, person, time, and the reason to its end. An
// Ed25519 key signs it as it is. Only Verdict, Person, At and Reason of a are read.
func Message(h intent.Hash, a *Approval) []byte {
	text := "strongroom consent 1\n" + h.String() + "\n" + string(a.Verdict) + "\n" + a.Person + "\n" +
		strconv.FormatInt(a.At, 10) + "\n" + a.Reason
	return []byte(text)
}

// Challenge is what a passkey is asked to sign: the SHA-256 of the Message.
func Challenge(h intent.Hash, a *Approval) [sha256.Size]byte { return sha256.Sum256(Message(h, a)) }

// ParseApproval reads the JSON of one approval: known members, each once, and nothing
// else. Errors: ErrApproval.
func ParseApproval(text []byte) (Approval, error) {
	var a Approval
	if len(text) > MaxApprovalBytes {
		return a, fmt.Errorf("%w: it has %d bytes, at most %d are read", ErrApproval, len(text), MaxApprovalBytes)
	}
	if err := strict(text, &a); err != nil {
		return Approval{}, fmt.Errorf("%w: %w", ErrApproval, err)
	}
	if err := a.Check(); err != nil {
		return Approval{}, err
	}
	return a, nil
}

var errForm = errors.New("it is not in canonical form: members in their order, each once, without spaces")

// strict reads the form of v that json.Marshal writes, and no other.
func strict(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errForm
	}
	again, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write JSON again: %w", err)
	}
	if !bytes.Equal(again, text) {
		return errForm
	}
	return nil
}

// maxID bounds the ids of people, keys and groups.
const maxID = 64

// identifier accepts short names: small letters and digits, with single separators
// between them.
func identifier(s string) bool {
	if s == "" || len(s) > maxID {
		return false
	}
	separated := true // one more here would be the first, or the second in a row
	for at := range len(s) {
		switch c := s[at]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			separated = false
		case (c == '-' || c == '_' || c == '.') && !separated:
			separated = true
		default:
			return false
		}
	}
	return !separated
}

// legible accepts text in which a person sees everything, as intents do.
func legible(s string, most int) bool {
	if len(s) > most || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r == ' ' {
			continue
		}
		if !unicode.IsGraphic(r) || unicode.IsSpace(r) || r == '\u115F' || r == '\u1160' || r == '\u3164' || r == '\uFFA0' {
			return false
		}
	}
	return true
}
