// Package safe keeps money of account chains under several keys: Safe contracts of
// version 1.4.1 with a threshold of owners, who sign apart and may be offline. It derives
// hashes (EIP-712), says in plain words what a transaction does and refuses what nobody
// should sign, adds and joins signatures of owners, carries a transaction between machines
// as a file, and makes the call that executes it.
//
// Nothing in a file is believed: hash and signers are derived again from what is meant.
// It speaks to no node, keeps no state and no key: a private key is given to one call and
// forgotten. Package safechain below it asks nodes.
package safe

import "errors"

// ErrVault reports owners, threshold, version or address that are no vault.
var ErrVault = errors.New("not a vault")

// ErrFile reports bytes that are no file of a vault's transaction, or one that contradicts
// itself.
var ErrFile = errors.New("not the file of a vault's transaction")

// ErrRefused reports a well-formed transaction that nobody should sign.
var ErrRefused = errors.New("refused")

// ErrSignature reports a signature that is not one of an owner's over this transaction.
var ErrSignature = errors.New("not a signature of an owner")

// ErrKey reports a private key that is none of the owners'.
var ErrKey = errors.New("not a key of an owner")

// ErrDiffer reports copies that are not of the same transaction of the same vault.
var ErrDiffer = errors.New("copies differ")

// ErrIncomplete reports a transaction that lacks signatures.
var ErrIncomplete = errors.New("not signed by enough owners")

// ErrCall reports calldata that is not execTransaction in its one canonical form.
var ErrCall = errors.New("not the call of a vault")
