package consent

import (
	"bytes"
	"crypto/sha256"
	"fmt"
)

// Login is somebody's word, by passkey, that it is them in front of a browser. Its
// challenge has a domain of its own: it is never an approval, and no approval is a login.
type Login struct {
	Environment string
	Nonce       string // drawn by who is logged in to; of one use
	Credential  []byte // id of the passkey
	Payload     []byte // an Assertion in canonical form
	Signature   []byte
}

// LoginChallenge is what the passkey is asked to sign.
func LoginChallenge(environment, nonce string) [sha256.Size]byte {
	return sha256.Sum256([]byte("strongroom login 1\n" + environment + "\n" + nonce))
}

// VerifyLogin finds whose passkey signed a login: the user was verified, on one of the
// roster's pages. That the nonce was drawn just now and is used once is the caller's to
// see to, and so is the counter. Errors: ErrApproval, with the reason.
func (r *Roster) VerifyLogin(l *Login) (*Person, Count, error) {
	if r.Environment != l.Environment {
		return nil, Count{}, fmt.Errorf("%w: the roster is of environment %s", ErrApproval, r.Environment)
	}
	if len(l.Credential) == 0 || len(l.Signature) > MaxSignatureBytes {
		return nil, Count{}, fmt.Errorf("%w: credential or signature has a length that none has", ErrApproval)
	}
	for at := range r.Persons {
		p := &r.Persons[at]
		for i := range p.Keys {
			k := &p.Keys[i]
			if k.Scheme != WebAuthn || !bytes.Equal(k.Credential, l.Credential) {
				continue
			}
			count, err := r.verifyAssertion(k, LoginChallenge(l.Environment, l.Nonce), l.Payload, l.Signature)
			if err != nil {
				return nil, Count{}, err
			}
			word := Approval{Person: p.ID, Key: k.ID, Scheme: WebAuthn, Payload: l.Payload}
			return p, Count{Person: p.ID, Key: k.ID, Count: count, Approval: word.Digest()}, nil
		}
	}
	return nil, Count{}, fmt.Errorf("%w: the passkey is nobody's in the roster", ErrApproval)
}
