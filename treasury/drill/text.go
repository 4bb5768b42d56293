package drill

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrDrill reports a text, a file or a signature that proves nothing.
var ErrDrill = errors.New("key drill")

// Life is how long cosigners have.
const Life = 30 * 24 * time.Hour

const (
	heading    = "strongroom key drill"
	nonceBytes = 16
	maxField   = 200
)

// Text is what cosigners sign.
type Text struct {
	Environment string // of the installation
	Vault       string
	Place       string // first address of a vault of coins, or the Safe's
	Nonce       string // drawn by the platform: 32 hex digits
	Opened      int64  // Unix seconds, as Until
	Until       int64
}

// Message is the text in lines; people read it on their device.
func (t *Text) Message() string {
	return strings.Join([]string{
		heading, "environment: " + t.Environment, "vault: " + t.Vault, "place: " + t.Place, "nonce: " + t.Nonce,
		"opened: " + strconv.FormatInt(t.Opened, 10), "until: " + strconv.FormatInt(t.Until, 10),
	}, "\n")
}

// Parse reads a message, in the one form that Message writes. Errors: ErrDrill.
func Parse(message string) (Text, error) {
	values, err := split(message)
	if err != nil {
		return Text{}, err
	}
	t := Text{Environment: values[0], Vault: values[1], Place: values[2], Nonce: values[3]}
	if raw, err := hex.DecodeString(t.Nonce); err != nil || len(raw) != nonceBytes {
		return Text{}, fmt.Errorf("%w: nonce is not %d hex digits", ErrDrill, 2*nonceBytes)
	}
	var opened, until error
	t.Opened, opened = strconv.ParseInt(values[4], 10, 64)
	t.Until, until = strconv.ParseInt(values[5], 10, 64)
	if errors.Join(opened, until) != nil || t.Until <= t.Opened || t.Opened <= 0 || t.Message() != message {
		return Text{}, fmt.Errorf("%w: opened and until are not two times in order", ErrDrill)
	}
	return t, nil
}

// split returns the values of the lines of a message.
func split(message string) ([]string, error) {
	names := []string{"environment", "vault", "place", "nonce", "opened", "until"}
	lines := strings.Split(message, "\n")
	if len(lines) != 1+len(names) || lines[0] != heading {
		return nil, fmt.Errorf("%w: it is not the text of one", ErrDrill)
	}
	values := make([]string, len(names))
	for i, name := range names {
		value, is := strings.CutPrefix(lines[i+1], name+": ")
		if !is || value == "" || len(value) > maxField || !visible(value) {
			return nil, fmt.Errorf("%w: line %d is not %q and a value of visible ASCII", ErrDrill, i+2, name)
		}
		values[i] = value
	}
	return values, nil
}

func visible(s string) bool {
	for _, c := range s {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
