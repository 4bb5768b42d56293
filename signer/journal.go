package signer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"strongroom/internal/crash"
)

// Names of the journal's files.
const (
	journalFile    = "journal"
	checkpointFile = "journal.head"
)

// journal is an append-only file of hash-chained records. A record counts once
// append has returned: it is then on disk, and the checkpoint beside it says so.
// After a failed append nothing more is written until a restart has read the
// file again.
type journal struct {
	file   *os.File
	dir    string
	remote string // checkpoint in another folder; empty: none
	head   chainHead
	last   time.Time // of the newest record; time in the journal never runs backwards
	broken error
}

// createJournal starts a journal whose first record names the seed.
func createJournal(dir, fingerprint string, now time.Time) error {
	line, hash, err := encodeRecord(record{Seq: 1, Time: now.UTC(), Type: recordOpen, Fingerprint: fingerprint})
	if err != nil {
		return err
	}
	if err := writeDurably(filepath.Join(dir, journalFile), line); err != nil {
		return err
	}
	return writeCheckpoint(filepath.Join(dir, checkpointFile), chainHead{seq: 1, hash: hash})
}

// openJournal locks and verifies the whole journal and hands each permission to
// replay. A torn last record that was never acknowledged is cut off; anything
// else that is not whole and in place is ErrJournal. So is a journal that does not
// reach the checkpoint in the file remote (empty: there is none), which is what an
// older copy of the whole folder looks like.
func openJournal(dir, remote, fingerprint string, replay func(record)) (*journal, error) {
	known, err := readCheckpoints(dir, remote)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Clean(filepath.Join(dir, journalFile)), os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrJournal, err)
	}
	j := &journal{file: f, dir: dir, remote: remote}
	if err := j.load(known, fingerprint, replay); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return j, nil
}

func (j *journal) load(known checkpoints, fingerprint string, replay func(record)) error {
	if err := syscall.Flock(int(j.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("%w: another signer has it open: %w", ErrJournal, err)
	}
	end, err := j.verify(known, fingerprint, replay)
	if err != nil {
		return err
	}
	if err := known.covered(j.head); err != nil {
		return err
	}
	if err := j.file.Truncate(end); err != nil {
		return fmt.Errorf("%w: cut torn record: %w", ErrJournal, err)
	}
	if _, err := j.file.Seek(end, io.SeekStart); err != nil {
		return fmt.Errorf("%w: %w", ErrJournal, err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("%w: %w", ErrJournal, err)
	}
	return j.checkpoint(j.head)
}

// verify reads records up to the end, or up to one torn record that no
// checkpoint covers, and returns the offset where whole records end.
func (j *journal) verify(known checkpoints, fingerprint string, replay func(record)) (end int64, err error) {
	lines := bufio.NewReaderSize(j.file, maxLineBytes)
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return end, nil
		}
		r, decodeErr := j.next(line, err)
		if decodeErr != nil {
			if known.covered(j.head) == nil && isLast(lines) {
				return end, nil
			}
			return 0, fmt.Errorf("record %d: %w", j.head.seq+1, decodeErr)
		}
		j.head = headAfter(r, line)
		j.last = r.Time
		if err := known.agree(j.head); err != nil {
			return 0, err
		}
		if r.Seq == 1 && r.Fingerprint != fingerprint {
			return 0, fmt.Errorf("%w: it belongs to another seed", ErrJournal)
		}
		end += int64(len(line))
		replay(r)
	}
}

// next decodes a line and checks its place in the chain.
func (j *journal) next(line []byte, readErr error) (record, error) {
	body, whole := bytes.CutSuffix(line, []byte{'\n'})
	if readErr != nil || !whole {
		return record{}, fmt.Errorf("%w: incomplete line", ErrJournal)
	}
	r, err := decodeRecord(body)
	if err != nil {
		return record{}, err
	}
	prev := ""
	if j.head.seq > 0 {
		prev = j.head.prev()
	}
	if r.Seq != j.head.seq+1 || r.Prev != prev || (r.Seq == 1) != (r.Type == recordOpen) || r.Time.Before(j.last) {
		return record{}, fmt.Errorf("%w: record is out of place", ErrJournal)
	}
	return r, nil
}

// isLast reports whether nothing follows the line just read.
func isLast(lines *bufio.Reader) bool {
	_, err := lines.Peek(1)
	return errors.Is(err, io.EOF)
}

// now returns the time for the next record: the clock's, but never before the
// newest record, so that a clock set back opens no window again.
func (j *journal) now(clock time.Time) time.Time {
	if clock = clock.UTC(); clock.Before(j.last) {
		return j.last
	}
	return clock
}

// append writes what a record says, its Type and content, at a time that now returned,
// and returns when disk and checkpoint have it. Errors wrap ErrJournal, and everything
// after one fails the same way; what does not fit a line is ErrInvalid.
func (j *journal) append(r record, at time.Time) (record, error) {
	if j.broken != nil {
		return record{}, j.broken
	}
	r.Seq, r.Prev, r.Time = j.head.seq+1, j.head.prev(), at
	line, hash, err := encodeRecord(r)
	if err != nil {
		return record{}, err
	}
	if err := j.commit(line, chainHead{seq: r.Seq, hash: hash}); err != nil {
		j.broken = fmt.Errorf("%w: record %d: %w", ErrJournal, r.Seq, err)
		return record{}, j.broken
	}
	j.last = at
	return r, nil
}

func (j *journal) commit(line []byte, head chainHead) error {
	if _, err := j.file.Write(line); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	crash.At(crash.JournalBefore)
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	if err := j.checkpoint(head); err != nil {
		return err
	}
	crash.At(crash.JournalAfter)
	j.head = head
	return nil
}

// close releases the file and its lock.
func (j *journal) close() error {
	if err := j.file.Close(); err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}
