package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"strongroom/treasury/consent"
)

// Bounds of a policy.
const (
	MaxBytes  = 256 << 10
	MaxLayers = 8
	MaxRules  = 512 // of all layers
	MaxListed = 64  // members of one list of a condition
	MaxSums   = 4   // of one condition
	MaxTimes  = 8   // of one condition
	MaxText   = 64  // bytes of a name, asset, chain or contract
	MaxNote   = 256 // bytes
	// MaxRequirementDepth leaves room for what several layers ask to be joined.
	MaxRequirementDepth = consent.MaxDepth - 1
)

// ErrPolicy reports a policy that is malformed, contradicts itself or is out of bounds.
var ErrPolicy = errors.New("policy is not valid")

// Policy is one version of the rules of one installation.
type Policy struct {
	Environment string  `json:"environment"`
	Version     uint64  `json:"version"`   // grows by every change
	NotBefore   int64   `json:"notBefore"` // Unix seconds: until then it denies everything
	Layers      []Layer `json:"layers"`    // the first is the base
}

// Layer is a list of rules of which the first that fits counts.
type Layer struct {
	Name  string `json:"name"`
	Rules []Rule `json:"rules"`
}

// Outcome is what a rule asks for.
type Outcome string

// The outcomes, laxest first.
const (
	Allow  Outcome = "allow"  // nobody has to agree
	Quorum Outcome = "quorum" // as many people as the requirement names
	Deny   Outcome = "deny"
)

// Rule is what is asked of the requests that fit its condition.
type Rule struct {
	Name    string    `json:"name"` // unique in the layer
	Note    string    `json:"note,omitempty"`
	When    Condition `json:"when"`
	Outcome Outcome   `json:"outcome"`
	// Requirement and Lives are there where Outcome is Quorum, and only there.
	Requirement *consent.Requirement `json:"requirement,omitempty"`
	Lives       Span                 `json:"lives,omitzero"` // how long consent may take
}

// Canonical returns the one form that people approve: JSON, members in the order of the
// structs, without spaces, empty members left out. Errors: ErrPolicy.
func (p *Policy) Canonical() ([]byte, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	text, err := encode(p)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are read", ErrPolicy, len(text), MaxBytes)
	}
	return text, nil
}

// Hash is the SHA-256 of the canonical form. Errors: ErrPolicy.
func (p *Policy) Hash() ([sha256.Size]byte, error) {
	text, err := p.Canonical()
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return sha256.Sum256(text), nil
}

// Document is the Hash in hex: the Document of the intent with which people approve a
// policy. Errors: ErrPolicy.
func (p *Policy) Document() (string, error) {
	sum, err := p.Hash()
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(sum[:]), nil
}

// Parse reads a policy that may be laid out for people with spaces and line breaks, and
// is in canonical form otherwise: members in their order, each once, none unknown, lists
// sorted. Errors: ErrPolicy, with what to do.
func Parse(text []byte) (*Policy, error) {
	if len(text) > 4*MaxBytes {
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are read", ErrPolicy, len(text), 4*MaxBytes)
	}
	var plain bytes.Buffer
	if err := json.Compact(&plain, text); err != nil {
		return nil, fmt.Errorf("%w: read JSON: %w", ErrPolicy, err)
	}
	d := json.NewDecoder(bytes.NewReader(plain.Bytes()))
	d.DisallowUnknownFields()
	var p Policy
	if err := d.Decode(&p); err != nil {
		return nil, fmt.Errorf("%w: read JSON: %w", ErrPolicy, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows it", ErrPolicy)
	}
	again, err := p.Canonical()
	if err != nil {
		return nil, err
	}
	if at := differ(again, plain.Bytes()); at >= 0 {
		return nil, fmt.Errorf("%w: it is not in canonical form: where it says %.40q, write %.40q", ErrPolicy, rest(plain.Bytes(), at), rest(again, at))
	}
	return &p, nil
}

// encode writes JSON that says < > & as they are: people read it.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// differ is the first place where two texts differ, or -1.
func differ(a, b []byte) int {
	for at := range min(len(a), len(b)) {
		if a[at] != b[at] {
			return at
		}
	}
	if len(a) != len(b) {
		return min(len(a), len(b))
	}
	return -1
}

// rest begins a little before a place, so that people find it.
func rest(text []byte, at int) []byte {
	const before = 12
	return text[max(0, at-before):min(len(text), at+2*before)]
}
