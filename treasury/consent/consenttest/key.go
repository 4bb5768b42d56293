package consenttest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"testing"

	ethereum "github.com/ethereum/go-ethereum/crypto"

	"strongroom/treasury/consent"
	"strongroom/treasury/intent"
)

// Algorithm is what the key of a passkey is.
type Algorithm string

// The algorithms.
const (
	ES256 Algorithm = "ES256"
	EdDSA Algorithm = "EdDSA"
	RS256 Algorithm = "RS256"
)

// Key is one key of a person, private part and all.
type Key struct {
	consent.Key
	RPID, Origin string
	// Of a passkey: what it says. Flags are user present and verified at first; Count grows
	// by one before each signature.
	Flags byte
	Count uint32
	// Client changes the members of clientDataJSON before they are signed, where it is set.
	Client func(members map[string]any)
	// Trailing is appended to authenticatorData.
	Trailing []byte
	signer   crypto.Signer
	wallet   *ecdsa.PrivateKey
}

// Passkey makes a passkey for a site.
func Passkey(tb testing.TB, id, site, origin string, algorithm Algorithm) *Key {
	tb.Helper()
	k := &Key{Key: consent.Key{ID: id, Scheme: consent.WebAuthn}, RPID: site, Origin: origin, Flags: 0x05}
	k.Credential = make([]byte, 16)
	_, _ = rand.Read(k.Credential) // never fails
	var err error
	switch algorithm {
	case ES256:
		var private *ecdsa.PrivateKey
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(tb, err)
		point, err := private.PublicKey.Bytes()
		must(tb, err)
		// {1: 2, 3: -7, -1: 1, -2: x, -3: y}
		k.Public = join([]byte{0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32}, point[1:33], []byte{0x22, 0x58, 32}, point[33:])
		k.signer = private
	case EdDSA:
		var public ed25519.PublicKey
		public, k.signer, err = ed25519.GenerateKey(rand.Reader)
		must(tb, err)
		// {1: 1, 3: -8, -1: 6, -2: x}
		k.Public = join([]byte{0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32}, public)
	case RS256:
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		must(tb, err)
		// {1: 3, 3: -257, -1: n, -2: e}
		k.Public = join([]byte{0xa4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x59, 1, 0}, private.N.Bytes(), []byte{0x21, 0x43, 1, 0, 1})
		k.signer = private
	default:
		tb.Fatalf("no algorithm %s", algorithm)
	}
	return k
}

// Plain makes an Ed25519 key.
func Plain(tb testing.TB, id string) *Key {
	tb.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(tb, err)
	return &Key{Key: consent.Key{ID: id, Scheme: consent.Ed25519, Public: public}, signer: private}
}

// Wallet makes the key of a hardware wallet.
func Wallet(tb testing.TB, id string) *Key {
	tb.Helper()
	private, err := ethereum.GenerateKey()
	must(tb, err)
	address := ethereum.PubkeyToAddress(private.PublicKey)
	return &Key{Key: consent.Key{ID: id, Scheme: consent.EIP712, Public: address[:]}, wallet: private}
}

// Approve returns a person's yes to an intent at a time in Unix seconds.
func (k *Key) Approve(tb testing.TB, person string, i *intent.Intent, at int64) consent.Approval {
	tb.Helper()
	return k.Say(tb, i, consent.Approval{Person: person, Verdict: consent.Approve, At: at})
}

// Deny returns a person's no, with a reason.
func (k *Key) Deny(tb testing.TB, person string, i *intent.Intent, at int64, reason string) consent.Approval {
	tb.Helper()
	return k.Say(tb, i, consent.Approval{Person: person, Verdict: consent.Deny, At: at, Reason: reason})
}

// Say signs what a says: its key, scheme, payload and signature are set.
func (k *Key) Say(tb testing.TB, i *intent.Intent, a consent.Approval) consent.Approval {
	tb.Helper()
	h, err := i.Hash()
	must(tb, err)
	typed, err := consent.TypedHash(i, &a)
	must(tb, err)
	a.Key, a.Scheme = k.ID, k.Scheme
	a.Payload, a.Signature = k.sign(tb, consent.Message(h, &a), typed)
	return a
}

// Freeze signs a freeze: its key, scheme, payload and signature are set.
func (k *Key) Freeze(tb testing.TB, f consent.Freeze) consent.Freeze {
	tb.Helper()
	f.Key, f.Scheme = k.ID, k.Scheme
	f.Payload, f.Signature = k.sign(tb, f.Message(), f.TypedHash())
	return f
}

func (k *Key) sign(tb testing.TB, message []byte, typed [32]byte) (payload, signature []byte) {
	tb.Helper()
	var err error
	switch k.Scheme {
	case consent.WebAuthn:
		return k.Assert(tb, sha256.Sum256(message))
	case consent.Ed25519:
		signature, err = k.signer.Sign(nil, message, crypto.Hash(0))
	case consent.EIP712:
		if signature, err = ethereum.Sign(typed[:], k.wallet); err == nil {
			signature[64] += 27
		}
	}
	must(tb, err)
	return nil, signature
}

// Assert answers a challenge as the authenticator and the browser do together.
func (k *Key) Assert(tb testing.TB, challenge [32]byte) (payload, signature []byte) {
	tb.Helper()
	members := map[string]any{
		"type": "webauthn.get", "challenge": base64.RawURLEncoding.EncodeToString(challenge[:]),
		"origin": k.Origin, "crossOrigin": false,
	}
	if k.Client != nil {
		k.Client(members)
	}
	client, err := json.Marshal(members)
	must(tb, err)
	k.Count++
	party := sha256.Sum256([]byte(k.RPID))
	data := binary.BigEndian.AppendUint32(append(party[:], k.Flags), k.Count)
	a := consent.Assertion{AuthenticatorData: append(data, k.Trailing...), ClientDataJSON: client}
	return a.Payload(), k.SignAssertion(tb, a)
}

// SignAssertion signs whatever the assertion says.
func (k *Key) SignAssertion(tb testing.TB, a consent.Assertion) []byte {
	tb.Helper()
	client := sha256.Sum256(a.ClientDataJSON)
	message := join(a.AuthenticatorData, client[:])
	options := crypto.SignerOpts(crypto.SHA256)
	if _, plain := k.signer.(ed25519.PrivateKey); plain {
		options = crypto.Hash(0)
	} else {
		sum := sha256.Sum256(message)
		message = sum[:]
	}
	signature, err := k.signer.Sign(rand.Reader, message, options)
	must(tb, err)
	return signature
}

func join(parts ...[]byte) []byte {
	var all []byte
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(fmt.Errorf("consenttest: %w", err))
	}
}
