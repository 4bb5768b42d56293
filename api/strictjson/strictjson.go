// Package strictjson refuses JSON documents that two readers could understand
// differently: duplicate, unknown and case-variant members, invalid UTF-8, lone
// surrogates, NUL, a second document after the first, too deep a nesting. It
// only judges; decoding stays with encoding/json, which accepts all of these.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how many objects and arrays may be nested.
const MaxDepth = 8

// Kind tells what is wrong, in a word that does not change.
type Kind string

// The kinds of fault.
const (
	Syntax    Kind = "syntax"
	Encoding  Kind = "encoding"
	Duplicate Kind = "duplicate-member"
	Unknown   Kind = "unknown-member"
	Case      Kind = "member-case"
	Trailing  Kind = "trailing-data"
	Depth     Kind = "too-deep"
)

// Fault names the place and the cure.
type Fault struct { //nolint:errname // it is what is found, and an error only by the way
	Kind     Kind
	Location string // "body.amount"
	Message  string
	Fix      string
}

// Error implements error.
func (f *Fault) Error() string { return f.Location + ": " + f.Message }

// Shape is the tree of members that a document may have. A nil shape allows
// any scalar and refuses nothing but what is ambiguous in itself.
type Shape struct {
	Members map[string]*Shape // an object's members; nil where it is none
	Element *Shape            // an array's elements
}

// ShapeOf returns the shape of a Go type from its json tags. Types that read
// their own text are scalars.
func ShapeOf(t reflect.Type) *Shape {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case reflect.PointerTo(t).Implements(reflect.TypeFor[interface{ UnmarshalText([]byte) error }]()),
		reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()):
		return nil
	case t.Kind() == reflect.Slice, t.Kind() == reflect.Array:
		return &Shape{Element: ShapeOf(t.Elem())}
	case t.Kind() != reflect.Struct:
		return nil
	}
	s := &Shape{Members: map[string]*Shape{}}
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.IsExported() && name != "" && name != "-" {
			s.Members[name] = ShapeOf(field.Type)
		}
	}
	return s
}

// Check returns nil or the first *Fault of doc.
func Check(doc []byte, shape *Shape) error {
	if !utf8.Valid(doc) {
		return &Fault{Encoding, "body", "is not valid UTF-8", "send the document in UTF-8"}
	}
	w := walker{dec: json.NewDecoder(bytes.NewReader(doc))}
	w.dec.UseNumber() // a float would lose digits
	if err := w.value("body", shape, 0); err != nil {
		return w.fault(err)
	}
	if _, err := w.dec.Token(); !errors.Is(err, io.EOF) {
		return &Fault{Trailing, "body", "goes on after the document", "send one JSON document and nothing after it"}
	}
	return checkEscapes(doc)
}

// walker reads tokens and compares them with a shape.
type walker struct{ dec *json.Decoder }

func (w walker) fault(err error) error {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	return &Fault{Syntax, "body", "is not JSON at byte " + strconv.FormatInt(w.dec.InputOffset(), 10), "send one JSON object as in RFC 8259"}
}

func (w walker) value(at string, shape *Shape, depth int) error {
	token, err := w.dec.Token()
	if err != nil {
		return fmt.Errorf("read token: %w", err)
	}
	delim, opens := token.(json.Delim)
	if !opens {
		return nil
	}
	if depth >= MaxDepth {
		return &Fault{Depth, at, "is nested too deeply", fmt.Sprintf("nest at most %d levels", MaxDepth)}
	}
	if delim == '[' {
		return w.array(at, shape, depth+1)
	}
	return w.object(at, shape, depth+1)
}

func (w walker) array(at string, shape *Shape, depth int) error {
	var element *Shape
	if shape != nil {
		element = shape.Element
	}
	for i := 0; w.dec.More(); i++ {
		if err := w.value(at+"["+strconv.Itoa(i)+"]", element, depth); err != nil {
			return err
		}
	}
	if _, err := w.dec.Token(); err != nil {
		return fmt.Errorf("close array: %w", err)
	}
	return nil
}

func (w walker) object(at string, shape *Shape, depth int) error {
	seen := map[string]bool{}
	for w.dec.More() {
		token, err := w.dec.Token()
		if err != nil {
			return fmt.Errorf("read member: %w", err)
		}
		name, ok := token.(string)
		if !ok {
			return errors.New("member without a name")
		}
		where := at + "." + printable(name)
		if seen[name] {
			return &Fault{Duplicate, where, "appears twice", "send each member once"}
		}
		seen[name] = true
		inner, err := member(shape, where, name)
		if err != nil {
			return err
		}
		if err := w.value(where, inner, depth); err != nil {
			return err
		}
	}
	if _, err := w.dec.Token(); err != nil {
		return fmt.Errorf("close object: %w", err)
	}
	return nil
}

// member looks a name up in the shape of its object.
func member(shape *Shape, where, name string) (*Shape, error) {
	if shape == nil || shape.Members == nil {
		return nil, nil //nolint:nilnil // no shape: the type check comes later and names the place
	}
	if inner, ok := shape.Members[name]; ok {
		return inner, nil
	}
	names := make([]string, 0, len(shape.Members))
	for known := range shape.Members {
		if strings.EqualFold(known, name) {
			return nil, &Fault{Case, where, "is written in another case", "write it " + strconv.Quote(known)}
		}
		names = append(names, known)
	}
	slices.Sort(names)
	return nil, &Fault{Unknown, where, "is not a member of this request", "remove it; known members: " + strings.Join(names, ", ")}
}

// maxShown bounds how much of a hostile name is repeated to its sender.
const maxShown = 40

// printable returns a name fit for a message.
func printable(name string) string {
	if len(name) > maxShown {
		name = name[:maxShown] + "…"
	}
	return strings.Trim(strconv.QuoteToGraphic(strings.ToValidUTF8(name, "")), `"`)
}

// checkEscapes refuses \u escapes that stand for NUL or half a character.
// doc is valid JSON: a backslash is inside a string and what follows is well
// formed.
func checkEscapes(doc []byte) error {
	for i := 0; i < len(doc); i++ {
		if doc[i] != '\\' {
			continue
		}
		i++
		if doc[i] != 'u' {
			continue
		}
		code := hex4(doc[i+1:])
		i += 4
		switch {
		case code == 0:
			return &Fault{Encoding, "body", "holds the character NUL", "remove it"}
		case isLow(code), isHigh(code) && !lowFollows(doc[i+1:]):
			return &Fault{Encoding, "body", "holds half of a surrogate pair", "send whole characters"}
		case isHigh(code):
			i += len(`\u0000`)
		}
	}
	return nil
}

// The halves of a character beyond the basic plane (UTF-16).
func isHigh(code uint16) bool { return code >= 0xD800 && code <= 0xDBFF }
func isLow(code uint16) bool  { return code >= 0xDC00 && code <= 0xDFFF }

func lowFollows(rest []byte) bool {
	return len(rest) > len(`\u0000`) && rest[0] == '\\' && rest[1] == 'u' && isLow(hex4(rest[2:]))
}

// hex4 reads four hexadecimal digits.
func hex4(digits []byte) uint16 {
	n, err := strconv.ParseUint(string(digits[:4]), 16, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}
