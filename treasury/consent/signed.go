package consent

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"strongroom/internal/planted"
)

const rosterDomain = "strongroom roster 1\n"

// SignedRoster is a roster with the signatures of officers, as it is kept in a file.
type SignedRoster struct {
	Roster     json.RawMessage   `json:"roster"`     // canonical form
	Signatures []RosterSignature `json:"signatures"` // each officer once
}

// RosterSignature is one officer's.
type RosterSignature struct {
	Officer   string `json:"officer"`   // public key in hex
	Signature []byte `json:"signature"` // Ed25519 over "strongroom roster 1\n" and the canonical form
}

// Trust is what a reader of rosters knows without them.
type Trust struct {
	Environment string
	Officers    Officers
}

// SignRoster signs a roster with the key of one of its officers. Errors: ErrRoster.
func SignRoster(r *Roster, key ed25519.PrivateKey) (RosterSignature, error) {
	text, err := r.Canonical()
	if err != nil {
		return RosterSignature{}, err
	}
	if len(key) != ed25519.PrivateKeySize {
		return RosterSignature{}, fmt.Errorf("%w: the key of the officer has %d bytes, an Ed25519 key %d", ErrRoster, len(key), ed25519.PrivateKeySize)
	}
	officer := hex.EncodeToString(key[ed25519.SeedSize:])
	if !slices.Contains(r.Officers.Keys, officer) {
		return RosterSignature{}, fmt.Errorf("%w: %s is not one of its officers: take the key of one", ErrRoster, officer)
	}
	return RosterSignature{officer, ed25519.Sign(key, append([]byte(rosterDomain), text...))}, nil
}

// JoinRoster makes the file of a roster and its signatures, sorted by officer. It
// verifies nothing: ParseRoster does. Errors: ErrRoster.
func JoinRoster(r *Roster, signatures ...RosterSignature) ([]byte, error) {
	text, err := r.Canonical()
	if err != nil {
		return nil, err
	}
	sorted := slices.Clone(signatures)
	slices.SortFunc(sorted, func(a, b RosterSignature) int { return strings.Compare(a.Officer, b.Officer) })
	signed, err := json.Marshal(SignedRoster{text, sorted})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRoster, err)
	}
	return signed, nil
}

// ParseRoster reads a signed roster, which may be laid out for people. newest is the
// highest version that was ever accepted: an older one is refused. Whether it has expired
// is for Judge to say. The officers it names are those of trust: other officers are a
// change of what the reader is configured with. Errors: ErrRoster, with the reason.
func ParseRoster(signed []byte, trust Trust, newest uint64) (*Roster, error) {
	if err := trust.Officers.Check(); err != nil {
		return nil, fmt.Errorf("trust: %w", err)
	}
	r, form, err := readRoster(signed)
	if err != nil {
		return nil, err
	}
	switch {
	case r.Environment != trust.Environment:
		return nil, fmt.Errorf("%w: environment: it is for %.64q, this is %.64q", ErrRoster, r.Environment, trust.Environment)
	case r.Version < newest && !planted.Live(planted.StaleRoster):
		return nil, fmt.Errorf("%w: version: it is %d, and %d has been in force: take the newest", ErrRoster, r.Version, newest)
	case r.Officers.K != trust.Officers.K || !slices.Equal(r.Officers.Keys, trust.Officers.Keys):
		return nil, fmt.Errorf("%w: officers: they are not those that are trusted here", ErrRoster)
	}
	if err := trust.Officers.signed(form); err != nil {
		return nil, err
	}
	return r, nil
}

// readRoster reads both layers and believes nothing.
func readRoster(signed []byte) (*Roster, *SignedRoster, error) {
	if len(signed) > 4*MaxRosterBytes {
		return nil, nil, fmt.Errorf("%w: it has %d bytes", ErrRoster, len(signed))
	}
	var plain bytes.Buffer
	if err := json.Compact(&plain, signed); err != nil {
		return nil, nil, fmt.Errorf("%w: read JSON: %w", ErrRoster, err)
	}
	var form SignedRoster
	if err := strict(plain.Bytes(), &form); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrRoster, err)
	}
	if len(form.Roster) > MaxRosterBytes {
		return nil, nil, fmt.Errorf("%w: it has %d bytes, at most %d are read", ErrRoster, len(form.Roster), MaxRosterBytes)
	}
	var r Roster
	if err := strict(form.Roster, &r); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrRoster, err)
	}
	if err := r.Check(); err != nil {
		return nil, nil, err
	}
	return &r, &form, nil
}

// signed verifies that k different officers signed, and nobody else.
func (o *Officers) signed(form *SignedRoster) error {
	if len(form.Signatures) > MaxOfficers {
		return fmt.Errorf("%w: signatures: there are %d, at most %d", ErrRoster, len(form.Signatures), MaxOfficers)
	}
	message := append([]byte(rosterDomain), form.Roster...)
	by := map[string]bool{}
	for _, s := range form.Signatures {
		if !slices.Contains(o.Keys, s.Officer) || by[s.Officer] {
			return fmt.Errorf("%w: signatures: %.70q is no officer, or is there twice", ErrRoster, s.Officer)
		}
		key, err := hex.DecodeString(s.Officer)
		if err != nil || !ed25519.Verify(key, message, s.Signature) {
			return fmt.Errorf("%w: signatures: that of %s does not verify", ErrRoster, s.Officer)
		}
		by[s.Officer] = true
	}
	if len(by) < o.K {
		return fmt.Errorf("%w: signatures: %d officers signed, %d have to", ErrRoster, len(by), o.K)
	}
	return nil
}

var errScheme = errors.New("key is not of that scheme")
