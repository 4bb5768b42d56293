package trading

import "errors"

// Errors of the ports.
var (
	ErrNotFound    = errors.New("not found")
	ErrIdempotency = errors.New("the key was used for another request")
	// ErrUnavailable reports that matching cannot be reached, or that it is not known yet
	// what became of a command: the same again is answered with the first result.
	ErrUnavailable = errors.New("matching cannot be reached now")
)
