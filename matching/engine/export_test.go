package engine

import (
	"bytes"
	"encoding/binary"
)

// Numbers are those that a snapshot is written as, but for the sum at its end.
func Numbers(image []byte) []uint64 {
	var out []uint64
	r := bytes.NewReader(image)
	for r.Len() > 0 {
		n, err := binary.ReadUvarint(r)
		if err != nil {
			panic(err)
		}
		out = append(out, n)
	}
	return out[:len(out)-1]
}

// Seal writes a snapshot of numbers, with a sum that is right.
func Seal(numbers []uint64) []byte {
	var d Digester
	d.words(numbers...)
	var image []byte
	for _, n := range append(numbers, d.Sum()) {
		image = binary.AppendUvarint(image, n)
	}
	return image
}

// PagesUsed is how many pages of prices are in use.
func (e *Engine) PagesUsed() uint32 { return e.pagesUsed }
