// Package consent says who agreed to what: people and their keys in a roster that
// officers sign offline, approvals and denials by passkey, Ed25519 key or hardware
// wallet, each over the hash of one intent, and the judgement whether those that count
// are enough. The signer and the services that ask people use the same code, and neither
// believes the other. It keeps nothing, asks nobody and has no clock: everything it
// decides by is handed to it. It never decides what needs consent: that is the policy.
package consent
