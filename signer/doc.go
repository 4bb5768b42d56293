// Package signer is the only holder of hot keys. It decodes each unsigned
// transaction itself, compares it field by field with the intent, applies fee
// ceilings, caps and the slot rule counted from its own journal, commits that
// journal, and only then signs (RFC 6979, low S). With a treasury it decides by
// itself whether policy lets a request pass and whether enough people agreed to
// it, and believes nothing of what the request says of either. The same request
// gives the same signature, for ever. It never opens a database or a connection
// of its own, never resolves a name, and never signs bytes that it did not
// understand whole.
package signer

import "errors"

// Errors of the signer. The server maps each to one gRPC code.
var (
	// ErrInvalid reports a request that is malformed, or a transaction that is
	// not exactly what its intent says.
	ErrInvalid = errors.New("transaction is not what the intent says")
	// ErrRefused reports a transaction that is well-formed but may not be signed:
	// the slot rule, a cap or a fee ceiling is against it.
	ErrRefused = errors.New("refused")
	// ErrFrozen reports that an officer stopped all signing.
	ErrFrozen = errors.New("signer is frozen")
	// ErrUnknownChain reports a chain that the policy does not list.
	ErrUnknownChain = errors.New("chain is not in the signer's policy")
	// ErrPolicy reports a policy file that contradicts itself.
	ErrPolicy = errors.New("policy is not valid")
	// ErrJournal reports a journal that is corrupt, shorter than its last
	// checkpoint, of another seed, or that could not be written.
	ErrJournal = errors.New("journal cannot be trusted")
	// ErrSeed reports a seed file or passphrase that cannot be used.
	ErrSeed = errors.New("seed cannot be opened")
	// ErrToken reports that the token does not hold or do what it has to.
	ErrToken = errors.New("token does not serve")
)
