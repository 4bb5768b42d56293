package consent

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"

	"strongroom/treasury/intent"
)

// statement is what a signature is over, in the forms that the schemes need.
type statement struct {
	message []byte
	typed   func() *typed
}

// signed is a signature and by whom it says it is.
type signed struct {
	person, key        string
	scheme             Scheme
	payload, signature []byte
}

// Verify checks that an approval was signed for that intent by the key that it names, and
// returns the sign counter of a passkey. Whether it counts in other respects, Judge says.
// Errors: ErrApproval, with the reason; intent.ErrInvalid.
func (r *Roster) Verify(i *intent.Intent, a *Approval) (count uint32, err error) {
	h, err := i.Hash()
	if err != nil {
		return 0, err
	}
	return r.verifyApproval(i, h, a)
}

func (r *Roster) verifyApproval(i *intent.Intent, h intent.Hash, a *Approval) (uint32, error) {
	if err := a.Check(); err != nil {
		return 0, err
	}
	return r.verify(
		signed{a.Person, a.Key, a.Scheme, a.Payload, a.Signature},
		statement{Message(h, a), func() *typed { return typedApproval(i, h, a) }},
	)
}

func (r *Roster) verify(s signed, over statement) (uint32, error) {
	p := r.Person(s.person)
	if p == nil {
		return 0, fmt.Errorf("%w: person %s is not in the roster", ErrApproval, s.person)
	}
	k := p.Key(s.key)
	if k == nil {
		return 0, fmt.Errorf("%w: key %s is none of %s's", ErrApproval, s.key, s.person)
	}
	if k.Scheme != s.scheme {
		return 0, fmt.Errorf("%w: %w: %s is of %s", ErrApproval, errScheme, k.ID, k.Scheme)
	}
	switch s.scheme {
	case WebAuthn:
		return r.verifyAssertion(k, sha256.Sum256(over.message), s.payload, s.signature)
	case Ed25519:
		return 0, verifyPlain(k, over.message, s.signature)
	case EIP712:
		return 0, verifyWallet(k, over.typed().hash(), s.signature)
	}
	return 0, fmt.Errorf("%w: scheme %.40q", ErrApproval, s.scheme)
}

func verifyPlain(k *Key, message, signature []byte) error {
	if len(k.Public) != ed25519.PublicKeySize || !ed25519.Verify(k.Public, message, signature) {
		return fmt.Errorf("%w: signature is not that of key %s over this", ErrApproval, k.ID)
	}
	return nil
}

func verifyWallet(k *Key, hash [word]byte, signature []byte) error {
	address, err := recoverWallet(hash, signature)
	if err != nil {
		return fmt.Errorf("%w: signature: %w", ErrApproval, err)
	}
	if !bytes.Equal(address[:], k.Public) {
		return fmt.Errorf("%w: signature is of 0x%x over this, not of key %s", ErrApproval, address, k.ID)
	}
	return nil
}
