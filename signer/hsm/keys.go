//go:build cgo

package hsm

import (
	"encoding/asn1"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/miekg/pkcs11"
)

// curve is the DER of the object identifier of secp256k1, 1.3.132.0.10.
func curve() []byte { return []byte{0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a} }

// Import puts a key below a label, for ever: sensitive, not extractable, good for
// signatures alone. The same key again changes nothing; another one below the same label
// is ErrToken.
func (t *Token) Import(label string, key *btcec.PrivateKey) error {
	session := <-t.idle
	defer func() { t.idle <- session }()
	present, err := t.pair(session, label)
	if err == nil {
		if !present.public.IsEqual(key.PubKey()) {
			return fmt.Errorf("%w: another key is called %q", ErrToken, label)
		}
		return nil
	}
	if !errors.Is(err, ErrNoKey) {
		return err
	}
	if err := t.create(session, label, key); err != nil {
		return err
	}
	_, err = t.pair(session, label)
	return err
}

func (t *Token) create(session pkcs11.SessionHandle, label string, key *btcec.PrivateKey) error {
	point, err := asn1.Marshal(key.PubKey().SerializeUncompressed())
	if err != nil {
		return fmt.Errorf("encode point: %w", err)
	}
	no := map[uint]bool{pkcs11.CKA_DECRYPT: false, pkcs11.CKA_SIGN_RECOVER: false, pkcs11.CKA_UNWRAP: false, pkcs11.CKA_DERIVE: false}
	secret := key.Serialize()
	private := append(named(label, pkcs11.CKO_PRIVATE_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
		pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
		pkcs11.NewAttribute(pkcs11.CKA_VALUE, secret))
	for attribute, value := range no {
		private = append(private, pkcs11.NewAttribute(attribute, value))
	}
	// The public half first: without the private one it is of no use and found by nobody,
	// and a second try meets it again.
	public, err := t.objects(session, label, pkcs11.CKO_PUBLIC_KEY)
	if err != nil {
		return err
	}
	for _, left := range public {
		if err := t.ctx.DestroyObject(session, left); err != nil {
			return fmt.Errorf("%w: remove half of key %q: %w", ErrToken, label, err)
		}
	}
	if _, err := t.ctx.CreateObject(session, append(named(label, pkcs11.CKO_PUBLIC_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true), pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, point))); err != nil {
		return fmt.Errorf("%w: store public key %q: %w", ErrToken, label, err)
	}
	_, err = t.ctx.CreateObject(session, private)
	clear(secret)
	if err != nil {
		return fmt.Errorf("%w: store key %q: %w", ErrToken, label, err)
	}
	return nil
}

// named are the attributes that both halves of a key share.
func named(label string, class uint) []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, class),
		pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_EC),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, label),
		pkcs11.NewAttribute(pkcs11.CKA_ID, []byte(label)),
		pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, curve()),
	}
}

// pair finds both halves of a key and makes sure that the private one cannot get out.
func (t *Token) pair(session pkcs11.SessionHandle, label string) (keyPair, error) {
	t.mu.Lock()
	known, found := t.keys[label]
	t.mu.Unlock()
	if found {
		return known, nil
	}
	private, err := t.only(session, label, pkcs11.CKO_PRIVATE_KEY)
	if err != nil {
		return keyPair{}, err
	}
	if err := t.checkSafe(session, private, label); err != nil {
		return keyPair{}, err
	}
	public, err := t.only(session, label, pkcs11.CKO_PUBLIC_KEY)
	if err != nil {
		return keyPair{}, err
	}
	point, err := t.point(session, public)
	if err != nil {
		return keyPair{}, fmt.Errorf("key %q: %w", label, err)
	}
	pair := keyPair{private: private, public: point}
	t.mu.Lock()
	t.keys[label] = pair
	t.mu.Unlock()
	return pair, nil
}

// only finds the one object of a label and class.
func (t *Token) only(session pkcs11.SessionHandle, label string, class uint) (pkcs11.ObjectHandle, error) {
	found, err := t.objects(session, label, class)
	if err != nil {
		return 0, err
	}
	switch len(found) {
	case 0:
		return 0, fmt.Errorf("%w: %q", ErrNoKey, label)
	case 1:
		return found[0], nil
	}
	return 0, fmt.Errorf("%w: more than one key is called %q", ErrToken, label)
}

// objects finds up to two objects of a label and class.
func (t *Token) objects(session pkcs11.SessionHandle, label string, class uint) ([]pkcs11.ObjectHandle, error) {
	const enough = 2
	err := t.ctx.FindObjectsInit(session, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, class), pkcs11.NewAttribute(pkcs11.CKA_LABEL, label),
	})
	if err != nil {
		return nil, fmt.Errorf("%w: look for key %q: %w", ErrToken, label, err)
	}
	found, _, err := t.ctx.FindObjects(session, enough)
	if err := errors.Join(err, t.ctx.FindObjectsFinal(session)); err != nil {
		return nil, fmt.Errorf("%w: look for key %q: %w", ErrToken, label, err)
	}
	return found, nil
}

func (t *Token) checkSafe(session pkcs11.SessionHandle, key pkcs11.ObjectHandle, label string) error {
	for attribute, want := range map[uint]byte{pkcs11.CKA_SENSITIVE: 1, pkcs11.CKA_EXTRACTABLE: 0, pkcs11.CKA_PRIVATE: 1} {
		got, err := t.ctx.GetAttributeValue(session, key, []*pkcs11.Attribute{pkcs11.NewAttribute(attribute, nil)})
		if err != nil {
			return fmt.Errorf("%w: read what key %q allows: %w", ErrToken, label, err)
		}
		if len(got) != 1 || len(got[0].Value) != 1 || got[0].Value[0] != want {
			return fmt.Errorf("%w: key %q: attribute %#x is not %d", ErrExposed, label, attribute, want)
		}
	}
	return nil
}

func (t *Token) point(session pkcs11.SessionHandle, key pkcs11.ObjectHandle) (*btcec.PublicKey, error) {
	got, err := t.ctx.GetAttributeValue(session, key, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, nil)})
	if err != nil || len(got) != 1 {
		return nil, fmt.Errorf("%w: read point: %w", ErrToken, err)
	}
	var raw []byte
	if rest, err := asn1.Unmarshal(got[0].Value, &raw); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("%w: point is not in DER", ErrToken)
	}
	public, err := btcec.ParsePubKey(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	return public, nil
}
