package evm

import (
	"fmt"
	"strconv"

	"strongroom/chainadapters"
)

// told is one JSON-RPC 2.0 answer, its result read into a T.
type told[T any] struct {
	id     []byte // as the node wrote it
	has    bool   // there is a result, be it null
	result *T     // nil for null
	fault  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
}

// readable is what reads itself; anything else is left to encoding/json.
type readable interface{ read(r *reader) }

// toldFields reads the result where it stands: what belongs to another request is
// thrown away by its id afterwards.
func toldFields[T any]() fields[told[T]] {
	return fields[told[T]]{known: []field[told[T]]{
		{"jsonrpc", func(r *reader, _ *told[T]) { r.skip() }},
		{"id", func(r *reader, t *told[T]) { t.id = r.raw() }},
		{"result", func(r *reader, t *told[T]) {
			if t.has = true; r.null() {
				return
			}
			t.result = new(T)
			readInto(r, t.result)
		}},
		{"error", func(r *reader, t *told[T]) { r.plain(&t.fault) }},
	}}
}

func readInto[T any](r *reader, into *T) {
	if special, is := any(into).(readable); is {
		special.read(r)
		return
	}
	r.plain(into)
}

// to returns the result, having made sure that it is the answer to this call.
func (t *told[T]) to(call request) (*T, error) {
	if string(t.id) != strconv.FormatUint(call.ID, 10) {
		return nil, fmt.Errorf("%s: %w: no answer with the id of the request", call.Method, chainadapters.ErrIncomplete)
	}
	if t.fault != nil {
		return nil, &NodeError{Method: call.Method, Code: t.fault.Code, Message: t.fault.Message}
	}
	if !t.has {
		return nil, fmt.Errorf("%s: %w: neither result nor error", call.Method, chainadapters.ErrIncomplete)
	}
	return t.result, nil
}

// span is a result as the node wrote it, where the requests of one batch differ in
// what they ask for.
type span []byte

func (s *span) read(r *reader) { *s = r.raw() }

// readSpan reads a result into what its call asked for.
func readSpan[T any](t *told[span], call request) (*T, error) {
	raw, err := t.to(call)
	if raw == nil || err != nil {
		return nil, err
	}
	value, r := new(T), &reader{data: *raw}
	readInto(r, value)
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("%s: read result: %w", call.Method, err)
	}
	return value, nil
}
