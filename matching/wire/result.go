package wire

import (
	"encoding/binary"
	"fmt"

	"strongroom/matching/engine"
)

// ResultBytes is the size of a packed result.
const ResultBytes = 32

// Result is what became of a command at once. Fills and ends of the order come as
// events.
type Result struct {
	// Seq is the command's number in its session.
	Seq uint64
	// Event is the number of the event that answers it.
	Event uint64
	// Order is the order that it made or was about.
	Order engine.OrderID
	// Kind of that event, and its code: why it refuses, or why a state changed.
	Kind engine.EventKind
	Code engine.Code
	// Repeated says that the number was used before: this is the first result again.
	Repeated bool
}

// AppendResult packs r behind b.
func AppendResult(b []byte, r *Result) []byte {
	b = binary.LittleEndian.AppendUint64(b, r.Seq)
	b = binary.LittleEndian.AppendUint64(b, r.Event)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Order))
	last := uint64(r.Kind) | uint64(r.Code)<<8
	if r.Repeated {
		last |= 1 << 16
	}
	return binary.LittleEndian.AppendUint64(b, last)
}

// ReadResults reads packed results and appends them to out. Errors: ErrMalformed.
func ReadResults(b []byte, out []Result) ([]Result, error) {
	if len(b)%ResultBytes != 0 {
		return nil, fmt.Errorf("%w: %d bytes of results", ErrMalformed, len(b))
	}
	for ; len(b) > 0; b = b[ResultBytes:] {
		last := binary.LittleEndian.Uint64(b[24:])
		if last>>17 != 0 {
			return nil, fmt.Errorf("%w: result %x", ErrMalformed, last)
		}
		out = append(out, Result{
			Seq: binary.LittleEndian.Uint64(b), Event: binary.LittleEndian.Uint64(b[8:]),
			Order: engine.OrderID(binary.LittleEndian.Uint64(b[16:])),
			Kind:  engine.EventKind(last), Code: engine.Code(last >> 8), Repeated: last>>16 == 1,
		})
	}
	return out, nil
}
