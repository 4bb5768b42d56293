// Package intent says what the house means to do, in one canonical form that people
// approve and that the signer holds transactions against. Everything that somebody
// approves has an intent: money that leaves, money that moves between vaults, another
// policy, another roster. It is text that a person can read; its hash is what is signed.
// It decides nothing and reaches nothing: both the signer and a program without network
// read it.
package intent
