package engine

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"
)

// decoder reads what an encoder wrote. After the first fault it reads zeros.
type decoder struct {
	r   *bufio.Reader
	sum Digester
	err error
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%s: %w", what, ErrSnapshot)
	}
}

func (d *decoder) get() uint64 {
	if d.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(d.r)
	if err != nil {
		d.err = fmt.Errorf("read snapshot: %w: %w", err, ErrSnapshot)
		return 0
	}
	d.sum.words(n)
	return n
}

// upTo reads a number that is at most bound; what is greater is a fault and zero.
func (d *decoder) upTo(bound uint64, what string) uint64 {
	n := d.get()
	if n > bound {
		d.fail(what)
		return 0
	}
	return n
}

func (d *decoder) u32(what string) uint32  { return uint32(d.upTo(math.MaxUint32, what)) }
func (d *decoder) count(what string) int64 { return int64(d.upTo(math.MaxInt64, what)) }
func (d *decoder) flag(what string) bool   { return d.upTo(1, what) == 1 }
func (d *decoder) amount() Amount          { return Amount{d.get(), d.get()} }
