package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"go.etcd.io/raft/v3/raftpb"
)

const (
	fileMode  = 0o600
	dirMode   = 0o700
	zeroChunk = 1 << 20
	gentle    = 256 << 10
	keepSnaps = 2
)

// wal is the open log. One goroutine writes it. Each append is one frame, and is on
// disk before append returns: so there is never more than one frame in doubt.
type wal struct {
	dir      string
	identity uint64
	size     int64

	f     *os.File
	off   int64
	seq   uint64
	prev  uint32
	buf   []byte
	segs  []segment
	hs    state
	marks []snapMark
	spare chan error // tells once that the spare segment is ready
}

// openWAL goes on behind what r read: the tail is made zero again.
func openWAL(dir string, identity uint64, size int64, r *replay) (*wal, error) {
	w := &wal{
		dir: dir, identity: identity, size: size, off: r.off, seq: r.seq, prev: r.prev,
		segs: r.segs, hs: r.hs, marks: lastMarks(r.marks),
	}
	name := filepath.Join(dir, segmentName(w.segs[len(w.segs)-1].number))
	f, err := os.OpenFile(name, os.O_RDWR, fileMode) //nolint:gosec // our own folder
	if err != nil {
		return nil, fmt.Errorf("open log file: %w", err)
	}
	if err := zeroTail(f, w.off, size); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	w.f = f
	w.prepare()
	return w, nil
}

// createWAL makes the first segment of a new log.
func createWAL(dir string, identity uint64, size int64) error {
	w := &wal{dir: dir, identity: identity, size: size}
	w.prepare()
	if err := w.cut(0); err != nil {
		return err
	}
	return w.close()
}

func lastMarks(marks []snapMark) []snapMark {
	if len(marks) > keepSnaps {
		marks = marks[len(marks)-keepSnaps:]
	}
	return append([]snapMark(nil), marks...)
}

// zeroTail makes the file zero from off, at least size long, and flushes what it had to
// write: mostly nothing, because a file is made of zeros and flushed before it is used.
func zeroTail(f *os.File, off, size int64) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("look at log file: %w", err)
	}
	zeros, there, wrote := make([]byte, zeroChunk), make([]byte, zeroChunk), false
	for end := max(size, info.Size()); off < end; {
		n := min(zeroChunk, end-off)
		if have, err := f.ReadAt(there[:n], off); err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read log file: %w", err)
		} else if int64(have) < n || !allZero(there[:n]) {
			if _, err := f.WriteAt(zeros[:n], off); err != nil {
				return fmt.Errorf("zero log file: %w", err)
			}
			wrote = true
		}
		off += n
	}
	if !wrote {
		return nil
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("flush log file: %w", err)
	}
	return nil
}

// zeroGently makes a file of zeros, flushed piece by piece: flushed at once they would
// stand before the entries of the present segment.
func zeroGently(f *os.File, size int64) error {
	zeros := make([]byte, gentle)
	for off := int64(0); off < size; off += gentle {
		if _, err := f.WriteAt(zeros[:min(gentle, size-off)], off); err != nil {
			return fmt.Errorf("zero log file: %w", err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return fmt.Errorf("flush log file: %w", err)
		}
	}
	return nil
}

// prepare zeroes the next segment while the present one fills.
func (w *wal) prepare() {
	done, name, size := make(chan error, 1), filepath.Join(w.dir, spareName), w.size
	w.spare = done
	go func() {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_RDWR, fileMode) //nolint:gosec // our own folder
		if err != nil {
			done <- fmt.Errorf("create log file: %w", err)
			return
		}
		done <- errors.Join(zeroGently(f, size), f.Close())
	}()
}

// append writes one frame: the snapshot mark, the entries, then the state, each where
// there is one, and flushes it.
func (w *wal) append(hs *state, entries []*raftpb.Entry, mark *snapMark) error {
	w.buf = w.payload(hs, entries, mark)
	p := w.buf
	if len(p) > maxFrameBytes {
		return fmt.Errorf("%w: write of %d bytes", ErrHalted, len(p))
	}
	if w.off+int64(len(p))+frameAlign > w.size {
		if err := w.cut(int64(len(p)) + frameAlign); err != nil {
			return err
		}
	}
	if err := w.write(p, kindBatch); err != nil {
		return err
	}
	last := &w.segs[len(w.segs)-1].last
	for _, e := range entries {
		*last = max(*last, e.GetIndex())
	}
	if hs != nil {
		w.hs = *hs
	}
	if mark != nil {
		w.marks = lastMarks(append(w.marks, *mark))
	}
	return nil
}

// payload lists the records behind room for a header.
func (w *wal) payload(hs *state, entries []*raftpb.Entry, mark *snapMark) []byte {
	p := w.buf[:0]
	p = append(p, make([]byte, headerBytes)...)
	if mark != nil { // a reset voids what is before it, and precedes what follows
		p = putSnap(p, *mark)
	}
	for _, e := range entries {
		p = putEntry(p, e)
	}
	if hs != nil {
		p = putState(p, *hs)
	}
	return p
}

// write seals p, writes and flushes it.
func (w *wal) write(p []byte, kind uint32) error {
	frame, check := seal(p, kind, w.seq+1, w.prev)
	if cap(frame) > cap(w.buf) {
		w.buf = frame[:0]
	}
	if _, err := w.f.WriteAt(frame, w.off); err != nil {
		return fmt.Errorf("write log: %w", err)
	}
	if err := syscall.Fdatasync(int(w.f.Fd())); err != nil {
		return fmt.Errorf("flush log: %w", err)
	}
	w.off += int64(len(frame))
	w.seq, w.prev = w.seq+1, check
	return nil
}

// cut goes on in the spare file, made long enough for a frame of need bytes.
func (w *wal) cut(need int64) error {
	if err := <-w.spare; err != nil {
		w.spare = nil
		return err
	}
	w.spare = nil
	number := uint64(1)
	if n := len(w.segs); n > 0 {
		number = w.segs[n-1].number + 1
	}
	old, name := w.f, filepath.Join(w.dir, segmentName(number))
	f, err := os.OpenFile(filepath.Join(w.dir, spareName), os.O_RDWR, fileMode)
	if err != nil {
		return fmt.Errorf("open next log file: %w", err)
	}
	w.f, w.off = f, 0
	head := binary.LittleEndian.AppendUint64(make([]byte, headerBytes, sector), w.identity)
	head = putState(binary.LittleEndian.AppendUint64(head, number), w.hs)
	for _, m := range w.marks {
		head = putSnap(head, snapMark{index: m.index, term: m.term}) // nothing is before it to be void
	}
	if extra := need + sector; w.size < extra {
		if err := zeroTail(f, w.size, (extra+sector-1)/sector*sector); err != nil {
			return err
		}
	}
	if err := w.write(head, kindSegment); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(w.dir, spareName), name); err != nil {
		return fmt.Errorf("name next log file: %w", err)
	}
	if err := syncDir(w.dir); err != nil {
		return err
	}
	w.segs = append(w.segs, segment{number: number})
	w.prepare()
	if old != nil {
		if err := old.Close(); err != nil {
			return fmt.Errorf("close log file: %w", err)
		}
	}
	return nil
}

// release removes the oldest files whose entries are all at or below floor.
func (w *wal) release(floor uint64) error {
	for len(w.segs) > 1 && w.segs[0].last <= floor {
		if err := os.Remove(filepath.Join(w.dir, segmentName(w.segs[0].number))); err != nil {
			return fmt.Errorf("remove log file: %w", err)
		}
		w.segs = w.segs[1:]
	}
	return nil
}

// floor is the index of the oldest snapshot that is kept.
func (w *wal) floor() uint64 {
	if len(w.marks) < keepSnaps {
		return 0
	}
	return w.marks[0].index
}

func (w *wal) close() error {
	var err error
	if w.spare != nil {
		err, w.spare = <-w.spare, nil
	}
	if w.f != nil {
		err, w.f = errors.Join(err, w.f.Close()), nil
	}
	return err
}

// syncDir makes names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // our own folder
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	if err := d.Sync(); err != nil {
		return errors.Join(fmt.Errorf("flush folder: %w", err), d.Close())
	}
	if err := d.Close(); err != nil {
		return fmt.Errorf("close folder: %w", err)
	}
	return nil
}
