// Package id makes and checks the platform's identifiers: a short prefix that
// tells the kind, an underscore and a UUIDv7 (RFC 9562) in 32 lowercase hex
// digits, so that ids of one kind sort by the time they were made.
package id

import (
	"encoding/hex"
	"strings"

	"github.com/google/uuid"
)

// New returns a fresh id such as "wdr_019a…". The system's random source failing
// is not a condition a caller can handle: it panics.
func New(prefix string) string {
	u := uuid.Must(uuid.NewV7())
	return prefix + "_" + hex.EncodeToString(u[:])
}

// Valid reports whether s is an id with this prefix.
func Valid(prefix, s string) bool {
	digits, ok := strings.CutPrefix(s, prefix+"_")
	if !ok || len(digits) != hex.EncodedLen(16) || strings.ToLower(digits) != digits {
		return false
	}
	_, err := hex.DecodeString(digits)
	return err == nil
}
