package history

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	matchingv1 "strongroom/internal/gen/matching/v1"
)

// run writes until the store is closed, and then what is queued. After a fault it
// writes nothing more and keeps answering.
func (s *Store) run() {
	defer close(s.done)
	for {
		select {
		case i := <-s.queue:
			s.serve(i)
		case <-s.ends:
			s.finish()
			return
		}
	}
}

func (s *Store) serve(i item) {
	fault := s.fault()
	if fault == nil {
		fault = s.do(i)
		s.fail(fault)
	}
	if i.done != nil {
		i.done <- fault
	}
}

func (s *Store) finish() {
	for {
		select {
		case i := <-s.queue:
			s.serve(i)
			continue
		default:
		}
		if s.file != nil {
			s.fail(errors.Join(s.flush(true), s.file.Close()))
		}
		return
	}
}

func (s *Store) fail(err error) {
	if err == nil {
		return
	}
	s.cfg.Log.Error("history stops", "error", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err
}

func (s *Store) do(i item) error {
	switch {
	case i.batch != nil:
		return s.keep(i.batch)
	case i.skip > s.next:
		return s.leap(i.skip)
	case i.skip > 0:
		return nil // what comes again is compared
	}
	return s.flush(i.sync)
}

// keep writes a batch, or compares it where a replay brings it again.
func (s *Store) keep(b *matchingv1.EventBatch) error {
	if s.next == 0 {
		s.next = b.GetFirst()
	}
	if known, err := s.known(b); known || err != nil {
		return err
	}
	if s.file == nil || s.last().bytes >= s.cfg.SegmentBytes {
		if err := s.begin(); err != nil {
			return err
		}
	}
	record, err := encode(b)
	if err != nil {
		return err
	}
	if _, err := s.out.Write(record); err != nil {
		return fmt.Errorf("write batch: %w", err)
	}
	s.mu.Lock()
	s.last().bytes += int64(len(record))
	s.mu.Unlock()
	s.next, s.hash = after(b), b.GetHash()
	return nil
}

// known reports a batch that is kept already, and refuses one that does not continue
// what is.
func (s *Store) known(b *matchingv1.EventBatch) (bool, error) {
	switch end := after(b); {
	case end == s.next && s.hash != nil && !bytes.Equal(b.GetHash(), s.hash):
		return true, fmt.Errorf("%w: events %d to %d", ErrDiverged, b.GetFirst(), end-1)
	case end <= s.next:
		return true, nil
	case b.GetFirst() > s.next:
		return false, fmt.Errorf("%w: events %d to %d are missing", ErrDamaged, s.next, b.GetFirst()-1)
	case b.GetFirst() < s.next:
		return false, fmt.Errorf("%w: a batch from %d on where %d is next", ErrDiverged, b.GetFirst(), s.next)
	}
	return false, nil
}

// last is the file that is written to. Only the writer changes it.
func (s *Store) last() *segment { return &s.segments[len(s.segments)-1] }

// leap goes on behind a gap, in a new file.
func (s *Store) leap(next uint64) error {
	s.next, s.hash = next, nil
	return s.begin()
}

// begin begins a file at the next event and removes what is too much.
func (s *Store) begin() error {
	if s.file != nil {
		if err := errors.Join(s.flush(true), s.file.Close()); err != nil {
			return err
		}
	}
	// A file of that name has no batch yet: it was begun just before a crash.
	file, err := os.OpenFile(s.path(s.next), os.O_RDWR|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return fmt.Errorf("begin file: %w", err)
	}
	s.file, s.out = file, bufio.NewWriterSize(file, writeBuffer)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.segments) == 0 || s.last().first != s.next {
		s.segments = append(s.segments, segment{first: s.next})
	}
	total := int64(0)
	for _, g := range s.segments {
		total += g.bytes
	}
	for len(s.segments) > 1 && total > s.cfg.MaxBytes {
		if err := os.Remove(s.path(s.segments[0].first)); err != nil {
			return fmt.Errorf("remove the oldest file: %w", err)
		}
		total -= s.segments[0].bytes
		s.segments = s.segments[1:]
	}
	return syncFolder(s.cfg.Dir)
}

// flush hands what is buffered to the system, and to the disk where durably is set.
func (s *Store) flush(durably bool) error {
	if s.file == nil {
		return nil
	}
	err := s.out.Flush()
	if err == nil && durably {
		err = s.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("flush history: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushed = s.next
	return nil
}

func syncFolder(dir string) error {
	f, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("flush folder: %w", err)
	}
	return nil
}

// encode packs a batch as it lies in a file: the length and CRC-32C of its protocol
// buffer, little-endian, and that buffer.
func encode(b *matchingv1.EventBatch) ([]byte, error) {
	record, err := proto.MarshalOptions{}.MarshalAppend(make([]byte, recordHead), b)
	if err != nil {
		return nil, fmt.Errorf("encode batch: %w", err)
	}
	body := record[recordHead:]
	binary.LittleEndian.PutUint32(record, uint32(len(body))) //nolint:gosec // far below
	binary.LittleEndian.PutUint32(record[4:], checksum(body))
	return record, nil
}
