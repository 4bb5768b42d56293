package evm

import (
	"encoding/hex"
	"encoding/json"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"strongroom/money"
)

// maybe is a value that an answer can lack, or give as null.
type maybe[T any] struct {
	V   T
	Set bool
}

// field is how a member of an object is read into a T.
type field[T any] struct {
	name string
	read func(r *reader, into *T)
}

// fields is how an object is read into a T.
type fields[T any] struct {
	known []field[T]                            // at most maxFields
	other func(r *reader, into *T, name []byte) // nil: what is not known is passed over
}

// maxFields bounds the members that fields know.
const maxFields = 64

// read reads an object; null leaves into as it is. A known member that is there
// twice is a fault: readers differ in which of the two they believe.
func (f fields[T]) read(r *reader, into *T) {
	if r.null() {
		return
	}
	var seen [maxFields]bool
	next := 0
	r.object(func(name []byte) {
		i, known := f.find(name, next)
		switch {
		case known && seen[i]:
			r.fail("member " + f.known[i].name + " twice")
		case known:
			seen[i] = true
			next = i + 1
			f.known[i].read(r, into)
		case f.other != nil:
			f.other(r, into, name)
		default:
			r.skip()
		}
	})
}

// find looks a name up, first where it would be in the usual order.
func (f fields[T]) find(name []byte, next int) (int, bool) {
	for i := next; i < len(f.known); i++ {
		if f.known[i].name == string(name) {
			return i, true
		}
	}
	for i := range min(next, len(f.known)) {
		if f.known[i].name == string(name) {
			return i, true
		}
	}
	return 0, false
}

// readList reads an array of objects; null is an empty one.
func readList[T any](r *reader, f fields[T], room int) []T {
	if r.null() {
		return nil
	}
	list := make([]T, 0, room)
	r.array(func() {
		var none T
		list = append(list, none)
		f.read(r, &list[len(list)-1])
	})
	return list
}

// optional reads a value that can be null.
func optional[T any](r *reader, into *maybe[T], read func(*reader, *T)) {
	if !r.null() {
		into.Set = true
		read(r, &into.V)
	}
}

// hexDigits reads a string and returns the digits after its 0x.
func (r *reader) hexDigits() []byte {
	text := r.text()
	if len(text) == 0 {
		return nil
	}
	if len(text) < 2 || text[0] != '0' || text[1]|0x20 != 'x' {
		r.fail("no 0x")
		return nil
	}
	return text[2:]
}

// fixed reads exactly as many bytes as into has.
func (r *reader) fixed(into []byte) {
	digits := r.hexDigits()
	if len(digits) != hex.EncodedLen(len(into)) {
		r.fail("wrong number of digits")
		return
	}
	if _, err := hex.Decode(into, digits); err != nil {
		r.fail("no hexadecimal digit")
	}
}

func (r *reader) hash(into *common.Hash) { r.fixed(into[:]) }

func (r *reader) address(into *common.Address) { r.fixed(into[:]) }

// bytes reads data of any length.
func (r *reader) bytes(into *[]byte) {
	digits := r.hexDigits()
	decoded := make([]byte, hex.DecodedLen(len(digits)))
	if _, err := hex.Decode(decoded, digits); err != nil {
		r.fail("no whole bytes in hexadecimal")
		return
	}
	*into = decoded
}

// quantity reads the digits of a number as Ethereum writes them: without zeros
// before them.
func (r *reader) quantity(most int) []byte {
	digits := r.hexDigits()
	if len(digits) == 0 || len(digits) > most || (digits[0] == '0' && len(digits) > 1) {
		r.fail("no number in bounds")
		return nil
	}
	return digits
}

// uint reads a number of at most 64 bits.
func (r *reader) uint(into *uint64) {
	const most = 16
	var n uint64
	for _, c := range r.quantity(most) {
		d := nibble(c)
		if d > 0xf {
			r.fail("no hexadecimal digit")
			return
		}
		n = n<<4 | uint64(d)
	}
	*into = n
}

// word reads a number of at most 256 bits.
func (r *reader) word(into *uint256.Int) {
	digits := r.quantity(2 * wordLength)
	var padded [2 * wordLength]byte
	room := len(padded) - len(digits)
	for i := range room {
		padded[i] = '0'
	}
	copy(padded[room:], digits)
	var word [wordLength]byte
	if _, err := hex.Decode(word[:], padded[:]); err != nil {
		r.fail("no hexadecimal digit")
		return
	}
	into.SetBytes32(word[:])
}

func (r *reader) hashes(into *[]common.Hash) {
	if r.null() {
		return
	}
	const usual = 4
	list := make([]common.Hash, 0, usual)
	r.array(func() {
		list = append(list, common.Hash{})
		r.hash(&list[len(list)-1])
	})
	*into = list
}

// plain reads a value of no particular form as encoding/json does.
func (r *reader) plain(into any) {
	raw := r.raw()
	if r.err != nil {
		return
	}
	if err := json.Unmarshal(raw, into); err != nil {
		r.fail(err.Error())
	}
}

// words reads a text that somebody wrote; null is an empty one.
func (r *reader) words() string {
	var text string
	r.plain(&text)
	return text
}

// units is a number as an amount of the asset.
func units(n *uint256.Int) money.Units { return money.FromBytes32(n.Bytes32()) }

// names remembers how addresses are written: the checksum is a hash, and the same
// few addresses come up over and over in a block.
type names struct{ known map[common.Address]string }

func newNames() *names { return &names{known: map[common.Address]string{}} }

// of returns an address in its canonical form.
func (n *names) of(a common.Address) string {
	text, known := n.known[a]
	if !known {
		text = a.Hex()
		n.known[a] = text
	}
	return text
}
