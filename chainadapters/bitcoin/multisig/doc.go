// Package multisig keeps coins of the Bitcoin family under several keys: P2WSH
// outputs of k of n sorted public keys (BIP 67) below the cosigners' accounts at
// m/48'/coin'/account'/2' (BIP 48), known by their descriptor (BIP 380, 383). It
// makes PSBTs (BIP 174, version 0), reads what comes back from elsewhere, says in
// plain words what such a transaction does, adds one cosigner's signatures,
// combines copies that were signed apart, and finishes them into a transaction.
//
// Nothing in a PSBT is believed: scripts are derived again from the vault's own
// extended keys, amounts are proven by the previous transactions, and every
// signature is verified when it is read. It speaks to no node, keeps no state and
// no key: a private key is given to one call and forgotten.
package multisig

import "errors"

// ErrVault reports keys and a threshold that are no vault.
var ErrVault = errors.New("not a vault")

// ErrPlan reports a spend that cannot be built.
var ErrPlan = errors.New("cannot spend so")

// ErrPSBT reports bytes that are no PSBT in the form that this package reads.
var ErrPSBT = errors.New("not a PSBT of a vault")

// ErrRefused reports a well-formed PSBT that nobody should sign.
var ErrRefused = errors.New("refused")

// ErrKey reports a private key that is none of the vault's.
var ErrKey = errors.New("not a key of this vault")

// ErrIncomplete reports a PSBT that lacks signatures.
var ErrIncomplete = errors.New("not signed by enough cosigners")
