package evm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// maxDepth bounds how deep values may lie in each other, as encoding/json does.
const maxDepth = 10_000

// errJSON reports an answer that is not the JSON, or not of the form, that was
// asked for.
var errJSON = errors.New("malformed answer")

// reader walks once over one JSON text (RFC 8259) and hands each value to whoever
// knows what it should be. A full block with its receipts is megabytes of short
// hexadecimal strings; encoding/json would pass over each of them several times.
// What reader takes as JSON is exactly what encoding/json takes. The first fault is
// kept in err and ends all reading: values are good only where err is nil at the end.
type reader struct {
	data  []byte
	at    int
	depth int
	err   error
}

// fail notes the first fault and goes to the end, so that every loop ends.
func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s at byte %d", errJSON, what, r.at)
	}
	r.at = len(r.data)
}

// peek returns the first character of what follows, zero at the end.
func (r *reader) peek() byte {
	for r.at < len(r.data) {
		switch c := r.data[r.at]; c {
		case ' ', '\t', '\r', '\n':
			r.at++
		default:
			return c
		}
	}
	return 0
}

// take passes over c, or reports that something else follows.
func (r *reader) take(c byte) bool {
	if r.at < len(r.data) && r.peek() == c {
		r.at++
		return true
	}
	return false
}

// end makes sure that nothing follows.
func (r *reader) end() error {
	if r.peek(); r.at < len(r.data) {
		r.fail("more than one value")
	}
	return r.err
}

// null passes over null, or reports that something else follows.
func (r *reader) null() bool { return r.peek() == 'n' && r.literal("null") }

func (r *reader) literal(word string) bool {
	if !bytes.HasPrefix(r.data[r.at:], []byte(word)) {
		r.fail("no " + word)
		return false
	}
	r.at += len(word)
	return true
}

// object calls member for each member, which reads its value.
func (r *reader) object(member func(name []byte)) {
	r.list('{', '}', func() {
		name := r.name()
		if !r.take(':') {
			r.fail("no colon")
			return
		}
		member(name)
	})
}

// array calls element for each element, which reads it.
func (r *reader) array(element func()) { r.list('[', ']', element) }

func (r *reader) list(begin, end byte, each func()) {
	if r.depth++; r.depth > maxDepth {
		r.fail("values too deep in each other")
	}
	if !r.take(begin) {
		r.fail("no " + string(rune(begin)))
		return
	}
	for first := true; r.err == nil && !r.take(end); first = false {
		if !first && !r.take(',') {
			r.fail("no comma")
			return
		}
		each()
	}
	r.depth--
}

// name reads the name of a member.
func (r *reader) name() []byte {
	raw := r.text()
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	var name string
	if err := json.Unmarshal(r.data[r.at-len(raw)-2:r.at], &name); err != nil {
		r.fail("unreadable name")
	}
	return []byte(name)
}

// text reads a string and returns what stands between its quotes, as it stands
// there: escapes are not undone.
func (r *reader) text() []byte {
	if r.peek() != '"' {
		r.fail("no string")
		return nil
	}
	begin := r.at + 1
	for i := begin; i < len(r.data); i++ {
		switch c := r.data[i]; {
		case c == '"':
			r.at = i + 1
			return r.data[begin:i]
		case c == '\\':
			n := escape(r.data[i:])
			if n == 0 {
				r.fail("unknown escape")
				return nil
			}
			i += n - 1
		case c < ' ':
			r.fail("control character in a string")
			return nil
		}
	}
	r.fail("string without end")
	return nil
}

// escape is the length of the escape at the beginning of text, zero for none.
func escape(text []byte) int {
	const short, long = 2, 6
	if len(text) < short {
		return 0
	}
	if text[1] != 'u' {
		if bytes.IndexByte([]byte(`"\/bfnrt`), text[1]) < 0 {
			return 0
		}
		return short
	}
	if len(text) < long {
		return 0
	}
	for _, c := range text[short:long] {
		if nibble(c) > 0xf {
			return 0
		}
	}
	return long
}

// nibble is the value of a hexadecimal digit, above 15 for what is none.
func nibble(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// raw passes over one value and returns it as it stands there.
func (r *reader) raw() []byte {
	r.peek()
	begin := r.at
	r.skip()
	return r.data[begin:r.at]
}

// skip passes over one value of any kind.
func (r *reader) skip() {
	switch r.peek() {
	case '"':
		r.text()
	case '{':
		r.object(func([]byte) { r.skip() })
	case '[':
		r.array(r.skip)
	case 't':
		r.literal("true")
	case 'f':
		r.literal("false")
	case 'n':
		r.literal("null")
	default:
		r.number()
	}
}

// number passes over a number.
func (r *reader) number() {
	if r.at < len(r.data) && r.data[r.at] == '-' {
		r.at++
	}
	if zero := r.at < len(r.data) && r.data[r.at] == '0'; zero {
		r.at++
	} else if !r.digits() {
		r.fail("no value")
		return
	}
	if r.one(".") && !r.digits() {
		r.fail("no digit after the point")
		return
	}
	if r.one("eE") {
		r.one("+-")
		if !r.digits() {
			r.fail("no digit in the exponent")
		}
	}
}

// one passes over one character out of a set, if it is next.
func (r *reader) one(of string) bool {
	if r.at < len(r.data) && bytes.IndexByte([]byte(of), r.data[r.at]) >= 0 {
		r.at++
		return true
	}
	return false
}

func (r *reader) digits() bool {
	begin := r.at
	for r.at < len(r.data) && r.data[r.at] >= '0' && r.data[r.at] <= '9' {
		r.at++
	}
	return r.at > begin
}
