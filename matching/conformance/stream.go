// Package conformance runs command streams of others through a matching engine and
// writes down what happened in the text whose hash they publish. It speaks their
// language: one market, orders named by the client, cancel and replace by that name. It
// holds no data itself.
package conformance

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"strongroom/matching/engine"
)

// Kind is what a message asks for.
type Kind uint8

// Kinds of messages.
const (
	New Kind = iota
	Cancel
	Modify // cancel and new with the same id: loses its place
)

// Message is one command of a stream. Price is in ticks, Qty in lots.
type Message struct {
	Kind  Kind
	Side  engine.Side
	IOC   bool
	ID    int64
	Price int64
	Qty   int64
}

// ErrStream means bytes that are no stream of messages.
var ErrStream = errors.New("malformed stream")

// The bits of a message's first byte.
const (
	kindBits = 3
	sideBit  = 1 << 2
	tifBit   = 1 << 3
)

// Reader reads messages: a byte `kind | side<<2 | tif<<3`, the id as signed varint against the
// id before, and for new and modify the price against the price before and the quantity.
type Reader struct {
	in        *bufio.Reader
	id, price int64
}

// NewReader reads from r.
func NewReader(r io.Reader) *Reader { return &Reader{in: bufio.NewReader(r)} }

// Next returns the next message; io.EOF after the last one.
func (r *Reader) Next() (Message, error) {
	head, err := r.in.ReadByte()
	if errors.Is(err, io.EOF) {
		return Message{}, io.EOF
	}
	m := Message{Kind: Kind(head & kindBits), IOC: head&tifBit != 0}
	if head&sideBit != 0 {
		m.Side = engine.Sell
	}
	if err != nil || m.Kind > Modify || head >= tifBit<<1 {
		return Message{}, fmt.Errorf("read head %#x: %w", head, ErrStream)
	}
	if err := r.step(&r.id); err != nil {
		return Message{}, err
	}
	m.ID = r.id
	if m.Kind == Cancel {
		return m, nil
	}
	if err := r.step(&r.price); err != nil {
		return Message{}, err
	}
	qty, err := binary.ReadUvarint(r.in)
	if err != nil || qty > engine.MaxLots {
		return Message{}, fmt.Errorf("read quantity: %w", ErrStream)
	}
	m.Price, m.Qty = r.price, int64(qty)
	return m, nil
}

func (r *Reader) step(value *int64) error {
	delta, err := binary.ReadVarint(r.in)
	if err != nil {
		return fmt.Errorf("read number: %w", ErrStream)
	}
	*value += delta
	return nil
}
