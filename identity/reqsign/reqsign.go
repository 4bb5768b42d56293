// Package reqsign says what a signed request is: which text is signed, which
// headers carry the signature, and how it is made and checked. Both sides of the
// wire use it. It is pure: it reads no clock, keeps no key and knows no customer;
// freshness and replay are judged by package identity.
package reqsign

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Version is the first line of the signed text; another canonical form would
// carry another one.
const Version = "STRONGROOM-REQUEST-1"

// The headers of a signed request; each appears exactly once.
const (
	HeaderKey       = "X-Strongroom-Key"
	HeaderTimestamp = "X-Strongroom-Timestamp"
	HeaderNonce     = "X-Strongroom-Nonce"
	HeaderSignature = "X-Strongroom-Signature"
)

// Scheme is how a key signs.
type Scheme string

// The schemes.
const (
	// HMAC is HMAC-SHA-256 (RFC 2104) with the secret's ASCII text as key.
	HMAC Scheme = "hmac-sha256"
	// Ed25519 is RFC 8032 over the canonical text itself.
	Ed25519 Scheme = "ed25519"
)

// Bounds of what is parsed.
const (
	maxQuery      = 4 << 10 // bytes of raw query
	maxKeyText    = 64
	minNonce      = 8
	maxNonce      = 64
	maxSignature  = 128 // characters of base64
	maxTimestamp  = 15  // digits
	minHMACSecret = 16  // bytes
)

// Errors of the package. Each names the header or part at fault in its text.
var (
	// ErrHeaders reports a header that is missing, repeated or malformed.
	ErrHeaders = errors.New("signature headers are not valid")
	// ErrQuery reports a query string that has no canonical form.
	ErrQuery = errors.New("query string is not valid")
	// ErrKey reports key material of the wrong form for its scheme.
	ErrKey = errors.New("key material is not valid")
)

// HeaderError says which header is at fault and what it should be. It is an
// ErrHeaders.
type HeaderError struct {
	Header string
	Want   string
}

// Error implements error.
func (e *HeaderError) Error() string { return "header " + e.Header + ": want " + e.Want }

// Is makes a HeaderError an ErrHeaders.
func (e *HeaderError) Is(target error) bool { return target == ErrHeaders }

// Headers are the parsed headers of a signed request.
type Headers struct {
	Key         string
	TimestampMS int64 // Unix time in milliseconds
	Nonce       string
	Signature   []byte
}

// Request is what a signature covers.
type Request struct {
	Method      string
	Path        string // escaped, as it stands in the request line
	RawQuery    string // without the question mark
	BodySHA256  [sha256.Size]byte
	TimestampMS int64
	Nonce       string
}

// Canonical returns the text that is signed: seven lines joined by line feeds,
// without one at the end: Version, method, path, canonical query, SHA-256 of the
// body in lowercase hex, timestamp, nonce. Errors wrap ErrQuery.
func Canonical(r Request) (string, error) {
	query, err := CanonicalQuery(r.RawQuery)
	if err != nil {
		return "", err
	}
	return strings.Join([]string{
		Version, r.Method, r.Path, query, hex.EncodeToString(r.BodySHA256[:]),
		strconv.FormatInt(r.TimestampMS, 10), r.Nonce,
	}, "\n"), nil
}

// CanonicalQuery sorts the parameters by name and then value, and percent-encodes
// all but the unreserved characters of RFC 3986. Errors wrap ErrQuery: bad
// escapes, semicolons, more than 4 KiB, or a name that appears twice, which two
// readers could take differently.
func CanonicalQuery(raw string) (string, error) {
	if len(raw) > maxQuery {
		return "", fmt.Errorf("%w: longer than %d bytes", ErrQuery, maxQuery)
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return "", fmt.Errorf("%w: bad escape or separator", ErrQuery)
	}
	pairs := make([]string, 0, len(values))
	for name, list := range values {
		if len(list) != 1 {
			return "", fmt.Errorf("%w: parameter %.32q appears %d times", ErrQuery, name, len(list))
		}
		pairs = append(pairs, escape(name)+"="+escape(list[0]))
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&"), nil
}

func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// ParseHeaders reads the four headers. Errors are *HeaderError.
func ParseHeaders(h http.Header) (Headers, error) {
	var out Headers
	var err error
	if out.Key, err = single(h, HeaderKey, "one API key id", 1, maxKeyText, isToken); err != nil {
		return Headers{}, err
	}
	stamp, err := single(h, HeaderTimestamp, "Unix time in milliseconds", 1, maxTimestamp, isDigit)
	if err != nil {
		return Headers{}, err
	}
	if out.TimestampMS, err = strconv.ParseInt(stamp, 10, 64); err != nil || strconv.FormatInt(out.TimestampMS, 10) != stamp {
		return Headers{}, &HeaderError{HeaderTimestamp, "Unix time in milliseconds"}
	}
	if out.Nonce, err = single(h, HeaderNonce, "8 to 64 letters, digits, '-' or '_'", minNonce, maxNonce, isToken); err != nil {
		return Headers{}, err
	}
	text, err := single(h, HeaderSignature, "the signature in padded base64", 4, maxSignature, isBase64)
	if err != nil {
		return Headers{}, err
	}
	if out.Signature, err = base64.StdEncoding.Strict().DecodeString(text); err != nil {
		return Headers{}, &HeaderError{HeaderSignature, "the signature in padded base64"}
	}
	return out, nil
}

// single returns the only value of a header whose every byte passes ok.
func single(h http.Header, name, want string, least, most int, ok func(byte) bool) (string, error) {
	values := h.Values(name)
	if len(values) != 1 || len(values[0]) < least || len(values[0]) > most {
		return "", &HeaderError{name, want}
	}
	for i := range len(values[0]) {
		if !ok(values[0][i]) {
			return "", &HeaderError{name, want}
		}
	}
	return values[0], nil
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func isLetter(b byte) bool { return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') }

func isToken(b byte) bool { return isDigit(b) || isLetter(b) || b == '-' || b == '_' }

func isBase64(b byte) bool { return isDigit(b) || isLetter(b) || b == '+' || b == '/' || b == '=' }

// CheckVerifier reports whether verifier fits the scheme: the HMAC secret's
// text, or the 32 bytes of an Ed25519 public key. Errors wrap ErrKey.
func CheckVerifier(scheme Scheme, verifier []byte) error {
	switch scheme {
	case HMAC:
		if len(verifier) < minHMACSecret {
			return fmt.Errorf("%w: HMAC secret is shorter than %d bytes", ErrKey, minHMACSecret)
		}
	case Ed25519:
		if len(verifier) != ed25519.PublicKeySize {
			return fmt.Errorf("%w: Ed25519 public key is not %d bytes", ErrKey, ed25519.PublicKeySize)
		}
	default:
		return fmt.Errorf("%w: unknown scheme %.20q", ErrKey, string(scheme))
	}
	return nil
}

// Verify reports whether sig is a signature of canonical. Comparison takes the
// same time wherever it fails.
func Verify(scheme Scheme, verifier []byte, canonical string, sig []byte) bool {
	if CheckVerifier(scheme, verifier) != nil {
		return false
	}
	if scheme == Ed25519 {
		return ed25519.Verify(verifier, []byte(canonical), sig)
	}
	return hmac.Equal(mac(verifier, canonical), sig)
}

// Sign returns the signature of canonical. The secret is the HMAC secret's text,
// or the 32-byte seed of an Ed25519 key. Errors wrap ErrKey.
func Sign(scheme Scheme, secret []byte, canonical string) ([]byte, error) {
	if scheme == Ed25519 {
		if len(secret) != ed25519.SeedSize {
			return nil, fmt.Errorf("%w: Ed25519 seed is not %d bytes", ErrKey, ed25519.SeedSize)
		}
		return ed25519.Sign(ed25519.NewKeyFromSeed(secret), []byte(canonical)), nil
	}
	if err := CheckVerifier(scheme, secret); err != nil {
		return nil, err
	}
	return mac(secret, canonical), nil
}

func mac(secret []byte, canonical string) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(canonical)) // never fails
	return h.Sum(nil)
}
