package softkey

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"strongroom/treasury/consent"
	"strongroom/treasury/intent"
)

// ErrKey reports a key file that cannot be read.
var ErrKey = errors.New("not a key file")

const maxFile = 16 << 10

// Key is a person's key, private part and all. It never prints itself.
type Key struct {
	public  consent.Key
	site    string // of a passkey
	origin  string // of a passkey
	private crypto.Signer
}

// file is how a key is kept.
type file struct {
	Key     consent.Key `json:"key"`
	Site    string      `json:"site,omitempty"`
	Origin  string      `json:"origin,omitempty"`
	Private []byte      `json:"private"` // PKCS #8
}

// String implements fmt.Stringer: a key is never printed.
func (*Key) String() string { return "[secret]" }

// GoString implements fmt.GoStringer: a key is never printed.
func (*Key) GoString() string { return "[secret]" }

// New draws an Ed25519 key.
func New(id string) (*Key, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("draw key: %w", err)
	}
	k := &Key{public: consent.Key{ID: id, Scheme: consent.Ed25519, Public: public}, private: private}
	return k, k.check()
}

// credentialBytes is how long the id of a passkey is.
const credentialBytes = 32

// NewPasskey draws a passkey (ES256) for a site, as WebAuthn Level 3 describes it.
func NewPasskey(id, site, origin string) (*Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("draw passkey: %w", err)
	}
	point, err := private.PublicKey.Bytes() // 4, x, y
	if err != nil {
		return nil, fmt.Errorf("encode passkey: %w", err)
	}
	// COSE (RFC 9053): {1: 2, 3: -7, -1: 1, -2: x, -3: y}
	cose := slices.Concat([]byte{0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32}, point[1:33], []byte{0x22, 0x58, 32}, point[33:])
	k := &Key{public: consent.Key{ID: id, Scheme: consent.WebAuthn, Public: cose, Credential: make([]byte, credentialBytes)}, site: site, origin: origin, private: private}
	if _, err := rand.Read(k.public.Credential); err != nil {
		return nil, fmt.Errorf("draw id of passkey: %w", err)
	}
	return k, k.check()
}

func (k *Key) check() error {
	if err := k.public.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	if k.public.ID == "" {
		return fmt.Errorf("%w: id is missing", ErrKey)
	}
	if (k.public.Scheme == consent.WebAuthn) != (k.site != "" && k.origin != "") {
		return fmt.Errorf("%w: a passkey has a site and an origin, and no other key", ErrKey)
	}
	return nil
}

// Public is what a roster says of the key.
func (k *Key) Public() consent.Key { return k.public }

// Origin is the page that a passkey signs for; empty of other keys.
func (k *Key) Origin() string { return k.origin }

// At is the same passkey on another page of its site.
func (k *Key) At(origin string) *Key {
	moved := *k
	moved.origin = origin
	return &moved
}

// PKCS8 is the private part, as browsers' virtual authenticators take it.
func (k *Key) PKCS8() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return nil, fmt.Errorf("encode private key: %w", err)
	}
	return der, nil
}

// File is the content of a key file.
func (k *Key) File() ([]byte, error) {
	der, err := k.PKCS8()
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(file{k.public, k.site, k.origin, der}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return append(text, '\n'), nil
}

// Parse reads a key file. Errors wrap ErrKey.
func Parse(text []byte) (*Key, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrKey, len(text))
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var f file
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(f.Private)
	if err != nil {
		return nil, fmt.Errorf("%w: private: %w", ErrKey, err)
	}
	k := &Key{public: f.Key, site: f.Site, origin: f.Origin}
	switch private := parsed.(type) {
	case ed25519.PrivateKey:
		k.private = private
		if f.Key.Scheme != consent.Ed25519 || !bytes.Equal(f.Key.Public, private.Public().(ed25519.PublicKey)) {
			return nil, fmt.Errorf("%w: private is not the private part of key", ErrKey)
		}
	case *ecdsa.PrivateKey:
		k.private = private
		if f.Key.Scheme != consent.WebAuthn {
			return nil, fmt.Errorf("%w: scheme %s has another kind of private key", ErrKey, f.Key.Scheme)
		}
	default:
		return nil, fmt.Errorf("%w: private: a %T", ErrKey, parsed)
	}
	return k, k.check()
}

// Say signs what a says to an intent: its key, scheme, payload and signature are set.
// Errors: those of the intent.
func (k *Key) Say(i *intent.Intent, a consent.Approval) (consent.Approval, error) {
	h, err := i.Hash()
	if err != nil {
		return a, fmt.Errorf("sign: %w", err)
	}
	a.Key, a.Scheme = k.public.ID, k.public.Scheme
	a.Payload, a.Signature, err = k.sign(consent.Message(h, &a))
	return a, err
}

// Freeze signs a freeze: its key, scheme, payload and signature are set.
func (k *Key) Freeze(f consent.Freeze) (consent.Freeze, error) {
	f.Key, f.Scheme = k.public.ID, k.public.Scheme
	var err error
	f.Payload, f.Signature, err = k.sign(f.Message())
	return f, err
}

func (k *Key) sign(message []byte) (payload, signature []byte, err error) {
	if k.public.Scheme == consent.WebAuthn {
		return k.Assert(sha256.Sum256(message))
	}
	signature, err = k.private.Sign(nil, message, crypto.Hash(0))
	if err != nil {
		return nil, nil, fmt.Errorf("sign: %w", err)
	}
	return nil, signature, nil
}

// Flags of authenticator data: user present, user verified.
const presentAndVerified = 0x05

// Assert answers a challenge as authenticator and browser do together. The sign counter
// is zero: it does not count, as with passkeys that are synced.
func (k *Key) Assert(challenge [sha256.Size]byte) (payload, signature []byte, err error) {
	client, err := json.Marshal(struct {
		Type        string `json:"type"`
		Challenge   string `json:"challenge"`
		Origin      string `json:"origin"`
		CrossOrigin bool   `json:"crossOrigin"`
	}{"webauthn.get", base64.RawURLEncoding.EncodeToString(challenge[:]), k.origin, false})
	if err != nil {
		return nil, nil, fmt.Errorf("encode client data: %w", err)
	}
	party := sha256.Sum256([]byte(k.site))
	data := binary.BigEndian.AppendUint32(append(party[:], presentAndVerified), 0)
	clientHash := sha256.Sum256(client)
	sum := sha256.Sum256(slices.Concat(data, clientHash[:]))
	if signature, err = k.private.Sign(rand.Reader, sum[:], crypto.SHA256); err != nil {
		return nil, nil, fmt.Errorf("sign: %w", err)
	}
	return consent.Assertion{AuthenticatorData: data, ClientDataJSON: client}.Payload(), signature, nil
}
