package consent

import (
	"encoding/binary"
	"errors"
	"math"
	"unicode/utf8"
)

// The major types of CBOR (RFC 8949) that authenticators use.
const (
	cborUint, cborNegative, cborBytes, cborText, cborArray, cborMap, cborTag, cborSimple = 0, 1, 2, 3, 4, 5, 6, 7
)

// maxCBORDepth bounds the nesting of extension data.
const maxCBORDepth = 4

var errCBOR = errors.New("CBOR is malformed")

// cborReader takes items off the front of rest. Lengths are definite and heads as short
// as they can be, as CTAP2 wants them.
type cborReader struct{ rest []byte }

// next is the major type of the next item, or -1 at the end.
func (r *cborReader) next() int {
	if len(r.rest) == 0 {
		return -1
	}
	return int(r.rest[0] >> 5)
}

// head takes the head of an item: its major type and its number.
func (r *cborReader) head() (major int, number uint64, err error) {
	if len(r.rest) == 0 {
		return 0, 0, errCBOR
	}
	major, info := int(r.rest[0]>>5), int(r.rest[0]&31)
	r.rest = r.rest[1:]
	if info < 24 {
		return major, uint64(info), nil
	}
	if info > 27 { // reserved, or of indefinite length
		return 0, 0, errCBOR
	}
	size := 1 << (info - 24)
	if len(r.rest) < size {
		return 0, 0, errCBOR
	}
	var wide [8]byte
	copy(wide[8-size:], r.rest[:size])
	r.rest = r.rest[size:]
	number = binary.BigEndian.Uint64(wide[:])
	if major == cborSimple { // a float, or a simple value that has no use here
		return major, number, nil
	}
	least := uint64(24)
	if size > 1 {
		least = 1 << (4 * size) // what the head of half the size could not hold
	}
	if number < least {
		return 0, 0, errCBOR
	}
	return major, number, nil
}

func (r *cborReader) integer() (int64, error) {
	major, number, err := r.head()
	switch {
	case err != nil:
		return 0, err
	case number > math.MaxInt64 || major != cborUint && major != cborNegative:
		return 0, errCBOR
	case major == cborNegative:
		return -1 - int64(number), nil
	}
	return int64(number), nil
}

func (r *cborReader) bytes() ([]byte, error) {
	major, length, err := r.head()
	if err != nil {
		return nil, err
	}
	if major != cborBytes || length > uint64(len(r.rest)) {
		return nil, errCBOR
	}
	text := r.rest[:length]
	r.rest = r.rest[length:]
	return text, nil
}

// skip takes one whole item.
func (r *cborReader) skip(depth int) error {
	major, number, err := r.head()
	if err != nil {
		return err
	}
	if depth > maxCBORDepth || number > uint64(len(r.rest)) && major >= cborBytes && major <= cborMap {
		return errCBOR // each member takes a byte at least
	}
	if major == cborBytes || major == cborText {
		text := r.rest[:number]
		r.rest = r.rest[number:]
		if major == cborText && !utf8.Valid(text) {
			return errCBOR
		}
		return nil
	}
	for range members(major, number) {
		if err := r.skip(depth + 1); err != nil {
			return err
		}
	}
	return nil
}

// members is how many items an item holds.
func members(major int, number uint64) uint64 {
	switch major {
	case cborArray:
		return number
	case cborMap:
		return 2 * number
	case cborTag:
		return 1
	}
	return 0
}
