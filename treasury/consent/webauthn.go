package consent

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

// Assertion is the payload of a passkey's approval: what the authenticator signed.
type Assertion struct {
	AuthenticatorData []byte
	ClientDataJSON    []byte
}

// assertion is its form: base64url without padding, as browsers give it.
type assertion struct {
	AuthenticatorData string `json:"authenticatorData"`
	ClientDataJSON    string `json:"clientDataJSON"`
}

// Payload returns the canonical form of the assertion, for Approval.Payload.
func (a Assertion) Payload() []byte {
	text, err := json.Marshal(assertion{
		base64.RawURLEncoding.EncodeToString(a.AuthenticatorData),
		base64.RawURLEncoding.EncodeToString(a.ClientDataJSON),
	})
	if err != nil { // two strings always encode
		return nil
	}
	return text
}

// ParseAssertion reads the canonical form and nothing else. Errors: ErrApproval.
func ParseAssertion(payload []byte) (Assertion, error) {
	var form assertion
	if len(payload) > MaxPayloadBytes {
		return Assertion{}, fmt.Errorf("%w: payload has %d bytes, at most %d are read", ErrApproval, len(payload), MaxPayloadBytes)
	}
	if err := strict(payload, &form); err != nil {
		return Assertion{}, fmt.Errorf("%w: payload: %w", ErrApproval, err)
	}
	var a Assertion
	var err error
	if a.AuthenticatorData, err = fromBase64(form.AuthenticatorData); err != nil {
		return Assertion{}, fmt.Errorf("%w: payload: authenticatorData: %w", ErrApproval, err)
	}
	if a.ClientDataJSON, err = fromBase64(form.ClientDataJSON); err != nil {
		return Assertion{}, fmt.Errorf("%w: payload: clientDataJSON: %w", ErrApproval, err)
	}
	return a, nil
}

var errBase64 = errors.New("it is not base64url without padding")

// fromBase64 reads the one encoding of some bytes: the decoder of the library would pass
// over line breaks.
func fromBase64(s string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || base64.RawURLEncoding.EncodeToString(raw) != s {
		return nil, errBase64
	}
	return raw, nil
}

// Bits of the flags of authenticator data.
const (
	flagPresent, flagVerified, flagEligible, flagBackedUp = 1 << 0, 1 << 2, 1 << 3, 1 << 4
	flagCredential, flagExtensions                        = 1 << 6, 1 << 7
	authenticatorData                                     = sha256.Size + 1 + 4
)

// verifyAssertion checks everything that the relying party has to (WebAuthn level 3,
// 7.2) but the counter, which it returns.
func (r *Roster) verifyAssertion(k *Key, challenge [sha256.Size]byte, payload, signature []byte) (uint32, error) {
	a, err := ParseAssertion(payload)
	if err != nil {
		return 0, err
	}
	if err := r.checkClient(a.ClientDataJSON, challenge); err != nil {
		return 0, fmt.Errorf("%w: clientDataJSON: %w", ErrApproval, err)
	}
	count, err := r.checkAuthenticator(k, a.AuthenticatorData)
	if err != nil {
		return 0, fmt.Errorf("%w: authenticatorData: %w", ErrApproval, err)
	}
	public, err := parseCOSE(k.Public)
	if err != nil {
		return 0, fmt.Errorf("%w: key %s: %w", ErrApproval, k.ID, err)
	}
	sum := sha256.Sum256(a.ClientDataJSON)
	if !public.verify(append(bytes.Clone(a.AuthenticatorData), sum[:]...), signature) {
		return 0, fmt.Errorf("%w: signature is not that of key %s", ErrApproval, k.ID)
	}
	return count, nil
}

// Reasons why an assertion does not count.
var (
	errClient    = errors.New("it is not a JSON object whose members are there once each")
	errType      = errors.New("type is not webauthn.get: the signature was made for something else")
	errChallenge = errors.New("challenge is of another intent, verdict, person, time or reason")
	errOrigin    = errors.New("origin is not one of the roster's")
	errCross     = errors.New("crossOrigin: the page was inside somebody else's")
	errLength    = errors.New("its length is not what its flags say")
	errParty     = errors.New("rpIdHash is that of another site")
	errPresent   = errors.New("flags: nobody was present")
	errVerified  = errors.New("flags: the user was not verified")
	errBackup    = errors.New("flags: the passkey says something else of its copies than when it was added")
)

func (r *Roster) checkClient(text []byte, challenge [sha256.Size]byte) error {
	members, err := object(text)
	if err != nil {
		return err
	}
	if kind, err := member[string](members, "type"); err != nil || kind != "webauthn.get" {
		return errType
	}
	given, err := member[string](members, "challenge")
	want := base64.RawURLEncoding.EncodeToString(challenge[:])
	if err != nil || subtle.ConstantTimeCompare([]byte(given), []byte(want)) != 1 {
		return errChallenge
	}
	if origin, err := member[string](members, "origin"); err != nil || !slices.Contains(r.Origins, origin) {
		return errOrigin
	}
	if _, nested := members["topOrigin"]; nested {
		return errCross
	}
	if _, there := members["crossOrigin"]; there {
		if cross, err := member[bool](members, "crossOrigin"); err != nil || cross {
			return errCross
		}
	}
	return nil
}

// object reads the members of one JSON object by their exact names, each once. Browsers
// add members that nobody knows yet: they are let pass.
func object(text []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if first, err := d.Token(); err != nil || first != json.Delim('{') || !utf8.Valid(text) {
		return nil, errClient
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		token, err := d.Token()
		name, named := token.(string)
		if err != nil || !named {
			return nil, errClient
		}
		if _, twice := members[name]; twice {
			return nil, errClient
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, errClient
		}
		members[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, errClient
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errClient
	}
	return members, nil
}

// member reads one member that has to be there and to be no null.
func member[T any](members map[string]json.RawMessage, name string) (T, error) {
	var value *T
	if err := json.Unmarshal(members[name], &value); err != nil || value == nil {
		return *new(T), errClient
	}
	return *value, nil
}

func (r *Roster) checkAuthenticator(k *Key, data []byte) (count uint32, err error) {
	if len(data) < authenticatorData {
		return 0, errLength
	}
	flags, party := data[sha256.Size], sha256.Sum256([]byte(r.RPID))
	switch {
	case !bytes.Equal(data[:sha256.Size], party[:]):
		return 0, errParty
	case flags&flagPresent == 0:
		return 0, errPresent
	case flags&flagVerified == 0:
		return 0, errVerified
	case (flags&flagEligible != 0) != k.Synced, flags&flagBackedUp != 0 && !k.Synced:
		return 0, errBackup
	case flags&flagCredential != 0: // a new key is no part of an assertion
		return 0, errLength
	}
	rest := cborReader{data[authenticatorData:]}
	if flags&flagExtensions != 0 {
		if rest.next() != cborMap || rest.skip(0) != nil {
			return 0, errLength
		}
	}
	if len(rest.rest) != 0 {
		return 0, errLength
	}
	return binary.BigEndian.Uint32(data[sha256.Size+1:]), nil
}
