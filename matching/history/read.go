package history

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"

	"google.golang.org/protobuf/proto"

	matchingv1 "strongroom/internal/gen/matching/v1"
)

const (
	recordHead     = 8
	maxRecordBytes = 1 << 20
	readBuffer     = 1 << 18
)

// errTorn reports a file that ends inside a batch: a crash left it, or it is
// being written.
var errTorn = fmt.Errorf("%w: it ends inside a batch", ErrDamaged)

func checksum(p []byte) uint32 { return crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli)) }

// scan gives the batches of a file to emit, each directly behind the one before, and
// returns where the last one ends. Errors: errTorn, ErrDamaged, that of emit.
func scan(file io.Reader, first uint64, emit func(*matchingv1.EventBatch) error) (end int64, err error) {
	in := bufio.NewReaderSize(file, readBuffer)
	for {
		b, n, err := read(in)
		if errors.Is(err, io.EOF) {
			return end, nil
		}
		if err != nil {
			return end, err
		}
		if b.GetFirst() != first || b.GetCount() == 0 {
			return end, fmt.Errorf("%w: a batch from %d on where %d is next", ErrDamaged, b.GetFirst(), first)
		}
		if err := emit(b); err != nil {
			return end, err
		}
		first = after(b)
		end += n
	}
}

// read reads one batch and tells its length in the file. Errors: io.EOF at the end,
// errTorn, ErrDamaged.
func read(in *bufio.Reader) (*matchingv1.EventBatch, int64, error) {
	var head [recordHead]byte
	switch _, err := io.ReadFull(in, head[:]); {
	case errors.Is(err, io.EOF):
		return nil, 0, io.EOF
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, 0, errTorn
	case err != nil:
		return nil, 0, fmt.Errorf("read history: %w", err)
	}
	size := binary.LittleEndian.Uint32(head[:])
	if size == 0 || size > maxRecordBytes {
		return nil, 0, fmt.Errorf("%w: a batch of %d bytes", ErrDamaged, size)
	}
	body := make([]byte, size)
	switch _, err := io.ReadFull(in, body); {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return nil, 0, errTorn
	case err != nil:
		return nil, 0, fmt.Errorf("read history: %w", err)
	}
	b := &matchingv1.EventBatch{}
	if checksum(body) != binary.LittleEndian.Uint32(head[4:]) || proto.Unmarshal(body, b) != nil {
		return nil, 0, fmt.Errorf("%w: a batch does not check", ErrDamaged)
	}
	return b, recordHead + int64(size), nil
}

// Batches implements server.History: the batches from the one that holds event seq to
// the newest, or to a gap. Errors: ErrNotKept, ErrDamaged, that of emit.
func (s *Store) Batches(ctx context.Context, seq uint64, emit func(*matchingv1.EventBatch) error) error {
	if err := s.ask(ctx, item{}); err != nil {
		return err
	}
	s.mu.Lock()
	flushed := s.flushed
	s.mu.Unlock()
	next := seq
	for {
		first, ok := s.holds(next)
		if !ok {
			break
		}
		before := next
		err := s.segment(first, func(b *matchingv1.EventBatch) error {
			if after(b) <= next {
				return ctx.Err()
			}
			next = after(b)
			return emit(b)
		})
		if errors.Is(err, errTorn) && next >= flushed {
			break // it is being written
		}
		if err != nil {
			return err
		}
		if next == before {
			break
		}
	}
	if next == seq {
		return fmt.Errorf("%w: event %d", ErrNotKept, seq)
	}
	return nil
}

// holds finds the file that has event seq if any does.
func (s *Store) holds(seq uint64) (first uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, exact := slices.BinarySearchFunc(s.segments, seq, func(g segment, seq uint64) int {
		switch {
		case g.first < seq:
			return -1
		case g.first > seq:
			return 1
		}
		return 0
	})
	if !exact {
		at--
	}
	if at < 0 {
		return 0, false
	}
	return s.segments[at].first, true
}

func (s *Store) segment(first uint64, emit func(*matchingv1.EventBatch) error) error {
	file, err := os.Open(s.path(first))
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: event %d was removed", ErrNotKept, first)
	}
	if err != nil {
		return fmt.Errorf("open history: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	_, err = scan(file, first, emit)
	return err
}
