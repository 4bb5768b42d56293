// Package consenttest has people for tests and for development: passkeys, Ed25519 keys and
// hardware wallets in software, with which they approve and deny, and the officers who
// sign the roster. What it makes has the form that browsers and wallets give; it protects
// nothing.
package consenttest
