package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// cursors makes page cursors opaque: signed, and bound to the list and customer
// they were made for, so that a domain only ever reads back what it wrote.
type cursors struct{ key []byte }

// cursorTag is how many bytes of the MAC are kept.
const cursorTag = 16

func (c cursors) tag(scope, inner string) []byte {
	h := hmac.New(sha256.New, c.key)
	h.Write([]byte("cursor\n" + scope + "\n" + inner)) // never fails
	return h.Sum(nil)[:cursorTag]
}

// seal returns the cursor for a position, or "" for none.
func (c cursors) seal(scope, inner string) string {
	if inner == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append(c.tag(scope, inner), inner...))
}

// open returns the position of a cursor that seal made for the same scope.
func (c cursors) open(scope, cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) <= cursorTag || !hmac.Equal(raw[:cursorTag], c.tag(scope, string(raw[cursorTag:]))) {
		return "", newProblem(codeInvalid, "query.cursor: is not a cursor of this list",
			FieldProblem{"query.cursor", "is not a cursor of this list", "send nextCursor of the page before, or leave it out"})
	}
	return string(raw[cursorTag:]), nil
}

// scopeOf names a list of one customer.
func scopeOf(parts ...string) string { return strings.Join(parts, "/") }
