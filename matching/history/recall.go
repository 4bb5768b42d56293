package history

import (
	"bufio"
	"fmt"
	"os"

	matchingv1 "strongroom/internal/gen/matching/v1"
)

// Recall gives the batches that the store had when it was opened to a replay that makes
// them again. It is for one goroutine, and closes itself when it has given the last one.
type Recall struct {
	store *Store
	end   uint64 // event behind what was kept
	next  uint64 // event of the batch that is read next
	file  *os.File
	in    *bufio.Reader
}

// Recall begins one. Call it before the first Append.
func (s *Store) Recall() *Recall { return &Recall{store: s, end: s.next} }

// At returns the batch that begins with an event, nil where none is kept. Calls are in
// the order of events. After the first nil there are no more.
func (r *Recall) At(first uint64) *matchingv1.EventBatch {
	b, err := r.at(first)
	if err != nil {
		r.store.cfg.Log.Warn("replay cannot use the history, and hashes events again", "event", first, "reason", err)
	}
	if b == nil || err != nil {
		r.Close()
		return nil
	}
	return b
}

func (r *Recall) at(first uint64) (*matchingv1.EventBatch, error) {
	if first >= r.end {
		return nil, nil //nolint:nilnil // none is kept, which is no error
	}
	if r.file == nil {
		r.next = first
		if err := r.open(); err != nil {
			return nil, err
		}
	}
	for {
		if r.next > first {
			return nil, fmt.Errorf("%w: no batch begins there", ErrNotKept)
		}
		b, _, err := read(r.in)
		if err == nil {
			r.next = after(b)
			if b.GetFirst() == first {
				return b, nil
			}
			continue
		}
		// The end of a file: the next one begins where it ends.
		held, ok := r.store.holds(r.next)
		if !ok || held != r.next || r.next >= r.end {
			return nil, err
		}
		if err := r.open(); err != nil {
			return nil, err
		}
	}
}

// open opens the file that holds the next event, at its beginning.
func (r *Recall) open() error {
	first, ok := r.store.holds(r.next)
	if !ok {
		return fmt.Errorf("%w: event %d", ErrNotKept, r.next)
	}
	if r.file != nil {
		_ = r.file.Close() // it was only read
	}
	file, err := os.Open(r.store.path(first))
	if err != nil {
		return fmt.Errorf("open history: %w", err)
	}
	r.file, r.in, r.next = file, bufio.NewReaderSize(file, writeBuffer), first
	return nil
}

// Close ends it.
func (r *Recall) Close() {
	r.end = 0
	if r.file != nil {
		_ = r.file.Close() // it was only read
		r.file, r.in = nil, nil
	}
}
