package signer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Permission is one thing that the journal says may be signed.
type Permission struct {
	Intent  string // id
	Attempt uint32
	Payload string // SHA-256 of the unsigned transaction, in hex
}

// Audit reads the journal below a signer's state folder, without locking or
// changing it, and hands over each permission in order. A last record that is
// still being written is left out. ErrJournal where the chain of records is
// broken.
func Audit(stateDir string, each func(Permission)) error {
	f, err := os.Open(filepath.Clean(filepath.Join(stateDir, journalFile)))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrJournal, err)
	}
	defer func() { _ = f.Close() }()
	j := &journal{file: f}
	lines := bufio.NewReaderSize(f, maxLineBytes)
	for {
		line, readErr := lines.ReadSlice('\n')
		if errors.Is(readErr, io.EOF) {
			return nil
		}
		r, err := j.next(line, readErr)
		if err != nil {
			return fmt.Errorf("record %d: %w", j.head.seq+1, err)
		}
		j.head, j.last = headAfter(r, line), r.Time
		if r.Sign != nil {
			each(Permission{Intent: r.Sign.Intent.ID, Attempt: r.Sign.Attempt, Payload: r.Sign.Payload})
		}
	}
}
