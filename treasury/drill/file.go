package drill

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// kind is what a file says that it is.
const kind = "strongroom drill 1"

// Bounds of a file.
const (
	MaxBytes       = 64 << 10
	maxSignatures  = 32
	signatureBytes = 65
)

// Signature is one cosigner's.
type Signature struct {
	Key string `json:"key"` // fingerprint of a cosigner, or address of an owner
	// Signature is a header byte, r and s of BIP 137 for a vault of coins; r, s and v of
	// EIP-191 for a Safe.
	Signature []byte `json:"signature"`
}

// File is a text with signatures, as it travels.
type File struct {
	Kind       string      `json:"kind"`
	Message    string      `json:"message"`
	Signatures []Signature `json:"signatures"` // sorted by key, one of each
}

// NewFile is a text that nobody has signed.
func NewFile(t *Text) File { return File{Kind: kind, Message: t.Message(), Signatures: []Signature{}} }

// IsFile reports whether bytes claim to be the file of a drill.
func IsFile(content []byte) bool {
	var f struct {
		Kind string `json:"kind"`
	}
	return json.Unmarshal(content, &f) == nil && f.Kind == kind
}

// ParseFile reads a file, in the one form that Encode writes. Errors: ErrDrill.
func ParseFile(content []byte) (File, error) {
	var f File
	if len(content) > MaxBytes {
		return f, fmt.Errorf("%w: %d bytes, at most %d", ErrDrill, len(content), MaxBytes)
	}
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil || f.Kind != kind {
		return File{}, fmt.Errorf("%w: it is not the file of one", ErrDrill)
	}
	if _, err := Parse(f.Message); err != nil {
		return File{}, err
	}
	for i, s := range f.Signatures {
		if len(s.Signature) != signatureBytes || i > 0 && f.Signatures[i-1].Key >= s.Key {
			return File{}, fmt.Errorf("%w: signature %d is not %d bytes, or not in order", ErrDrill, i+1, signatureBytes)
		}
	}
	if len(f.Signatures) > maxSignatures || !bytes.Equal(f.Encode(), content) {
		return File{}, fmt.Errorf("%w: the file is not in canonical form", ErrDrill)
	}
	return f, nil
}

// Encode is the file's one form.
func (f *File) Encode() []byte {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil { // text and bytes always encode
		return nil
	}
	return append(text, '\n')
}

// With is the file with one more signature.
func (f *File) With(s Signature) File {
	out := *f
	out.Signatures = slices.DeleteFunc(slices.Clone(f.Signatures), func(old Signature) bool { return old.Key == s.Key })
	out.Signatures = append(out.Signatures, s)
	slices.SortFunc(out.Signatures, func(a, b Signature) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// Combine joins the signatures of copies of one text. Errors: ErrDrill.
func Combine(files ...File) (File, error) {
	if len(files) == 0 {
		return File{}, fmt.Errorf("%w: nothing to join", ErrDrill)
	}
	out := files[0]
	for i := range files[1:] {
		if files[i+1].Message != out.Message {
			return File{}, fmt.Errorf("%w: copy %d is of another text", ErrDrill, i+2)
		}
		for _, s := range files[i+1].Signatures {
			out = out.With(s)
		}
	}
	return out, nil
}
