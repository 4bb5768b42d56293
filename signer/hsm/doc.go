// Package hsm keeps private keys of secp256k1 in a PKCS#11 token: sensitive and not
// extractable, so that the signing process can use them and nobody can copy them out of
// it. It never signs with a key that the token would give away, never makes a key of its
// own accord, and knows nothing of chains, transactions or policies. It needs cgo; a
// binary that was built without says so when a token is opened.
package hsm

import "errors"

// Errors of tokens.
var (
	// ErrToken reports a module, token or PIN that cannot be used, and whatever the token
	// itself refuses.
	ErrToken = errors.New("token cannot be used")
	// ErrNoKey reports that the token has no key of that label.
	ErrNoKey = errors.New("token has no such key")
	// ErrExposed reports a key that the token would show or wrap: it is not used.
	ErrExposed = errors.New("token would give the key away")
)

// Config says which token to open. All fields are required.
type Config struct {
	// Module is the path of the token's PKCS#11 library.
	Module string
	// Label is the token's label.
	Label string
	// PIN is the user's PIN.
	PIN string
}
