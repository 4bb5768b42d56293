// Package softkey has keys of people in software: Ed25519 keys, with which programs and
// the command line approve, and passkeys, as people of a development stack have them
// instead of devices. A key file protects nothing: who reads it signs as that person.
package softkey
