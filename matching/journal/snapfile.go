package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// A snapshot file is a head, the machine's bytes, and a check of both:
//
//	0 magic · 8 identity · 16 index · 24 epoch · 32 digest · 40 bytes of the machine
//	48 check of the head · 52 bytes … · check of the bytes
const (
	snapMagic    = "SRJSNAP1"
	snapHead     = 52
	snapSuffix   = ".snap"
	snapBuffer   = 1 << 20
	incomingName = "incoming-*.tmp"
	ownName      = "own.tmp"
)

// snapInfo is a snapshot's head.
type snapInfo struct {
	index, term, digest, size uint64
}

func (s snapInfo) encode(identity uint64) []byte {
	p := append(make([]byte, 0, snapHead), snapMagic...)
	for _, v := range []uint64{identity, s.index, s.term, s.digest, s.size} {
		p = binary.LittleEndian.AppendUint64(p, v)
	}
	return binary.LittleEndian.AppendUint32(p, castagnoli(p))
}

func parseSnapHead(p []byte, identity uint64) (snapInfo, error) {
	le := binary.LittleEndian
	if len(p) != snapHead || string(p[:8]) != snapMagic || le.Uint32(p[48:]) != castagnoli(p[:48]) {
		return snapInfo{}, fmt.Errorf("%w: snapshot head does not check", ErrCorrupt)
	}
	if le.Uint64(p[8:]) != identity {
		return snapInfo{}, fmt.Errorf("%w: snapshot", ErrForeign)
	}
	return snapInfo{index: le.Uint64(p[16:]), term: le.Uint64(p[24:]), digest: le.Uint64(p[32:]), size: le.Uint64(p[40:])}, nil
}

func snapName(dir string, index uint64) string {
	return filepath.Join(dir, snapFolder, fmt.Sprintf("%020d%s", index, snapSuffix))
}

// counted counts and checks what passes.
type counted struct {
	w     io.Writer
	n     uint64
	check uint32
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += uint64(n) //nolint:gosec // not negative
	c.check = crc32.Update(c.check, crc32.MakeTable(crc32.Castagnoli), p[:n])
	return n, err //nolint:wrapcheck // a writer in between
}

// writeSnapshot makes the snapshot durable under its name.
func writeSnapshot(dir string, identity uint64, info snapInfo, body io.WriterTo) error {
	name := filepath.Join(dir, snapFolder, ownName)
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_RDWR, fileMode) //nolint:gosec // our own folder
	if err != nil {
		return fmt.Errorf("create snapshot: %w", err)
	}
	if err := fillSnapshot(f, identity, info, body); err != nil {
		return errors.Join(fmt.Errorf("write snapshot %d: %w", info.index, err), f.Close())
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("close snapshot: %w", err)
	}
	return nameSnapshot(dir, name, info.index)
}

func fillSnapshot(f *os.File, identity uint64, info snapInfo, body io.WriterTo) error {
	if _, err := f.Seek(snapHead, io.SeekStart); err != nil {
		return err //nolint:wrapcheck // the caller says which snapshot
	}
	buffer := bufio.NewWriterSize(f, snapBuffer)
	c := &counted{w: buffer}
	if _, err := body.WriteTo(c); err != nil {
		return err //nolint:wrapcheck // the caller says which snapshot
	}
	info.size = c.n
	_, err := buffer.Write(binary.LittleEndian.AppendUint32(nil, c.check))
	if err = errors.Join(err, buffer.Flush()); err != nil {
		return err
	}
	if _, err := f.WriteAt(info.encode(identity), 0); err != nil {
		return err //nolint:wrapcheck // the caller says which snapshot
	}
	return f.Sync() //nolint:wrapcheck // the caller says which snapshot
}

// nameSnapshot gives a written and flushed file its name.
func nameSnapshot(dir, file string, index uint64) error {
	if err := os.Rename(file, snapName(dir, index)); err != nil {
		return fmt.Errorf("name snapshot: %w", err)
	}
	return syncDir(filepath.Join(dir, snapFolder))
}

// openSnapshot checks the whole file and returns it placed at the machine's bytes.
func openSnapshot(name string, identity uint64) (*os.File, snapInfo, error) {
	f, err := os.Open(name) //nolint:gosec // our own folder
	if err != nil {
		return nil, snapInfo{}, fmt.Errorf("open snapshot: %w", err)
	}
	info, err := checkSnapshot(f, identity)
	if err != nil {
		return nil, snapInfo{}, errors.Join(fmt.Errorf("snapshot %s: %w", filepath.Base(name), err), f.Close())
	}
	return f, info, nil
}

func checkSnapshot(f *os.File, identity uint64) (snapInfo, error) {
	head := make([]byte, snapHead)
	if _, err := io.ReadFull(f, head); err != nil {
		return snapInfo{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	info, err := parseSnapHead(head, identity)
	if err != nil {
		return info, err
	}
	stat, err := f.Stat()
	if err != nil {
		return info, fmt.Errorf("look at file: %w", err)
	}
	if want := info.size + snapHead + 4; uint64(stat.Size()) != want { //nolint:gosec // not negative
		return info, fmt.Errorf("%w: %d bytes instead of %d", ErrCorrupt, stat.Size(), want)
	}
	c := &counted{w: io.Discard}
	if _, err := io.CopyBuffer(onlyWriter{c}, io.LimitReader(f, int64(info.size)), make([]byte, snapBuffer)); err != nil { //nolint:gosec // checked above
		return info, fmt.Errorf("read file: %w", err)
	}
	var tail [4]byte
	if _, err := io.ReadFull(f, tail[:]); err != nil {
		return info, fmt.Errorf("read file: %w", err)
	}
	if binary.LittleEndian.Uint32(tail[:]) != c.check {
		return info, fmt.Errorf("%w: bytes do not check", ErrCorrupt)
	}
	if _, err := f.Seek(snapHead, io.SeekStart); err != nil {
		return info, fmt.Errorf("go back in file: %w", err)
	}
	return info, nil
}

// onlyWriter hides other methods, so that a copy uses the buffer it was given.
type onlyWriter struct{ io.Writer }

// restore hands a checked snapshot to the machine and compares digests.
func restore(m Machine, name string, identity uint64, want snapMark) error {
	f, info, err := openSnapshot(name, identity)
	if err != nil {
		return err
	}
	if info.index != want.index || info.term != want.term {
		return errors.Join(fmt.Errorf("%w: snapshot %d says it is %d", ErrCorrupt, want.index, info.index), f.Close())
	}
	err = m.Restore(bufio.NewReaderSize(io.LimitReader(f, int64(info.size)), snapBuffer)) //nolint:gosec // checked
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("restore snapshot %d: %w", info.index, err)
	}
	if have := m.Digest(); have != info.digest {
		return fmt.Errorf("%w: digest %016x after snapshot %d, which says %016x", ErrDiverged, have, info.index, info.digest)
	}
	return nil
}

// sweepSnapshots removes files that no mark names: unfinished ones and old ones.
func sweepSnapshots(dir string, keep []snapMark) error {
	folder := filepath.Join(dir, snapFolder)
	files, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("list snapshots: %w", err)
	}
	for _, file := range files {
		name := filepath.Join(folder, file.Name())
		if strings.HasPrefix(file.Name(), "incoming-") { // a transfer may be under way
			continue
		}
		kept := false
		for _, m := range keep {
			kept = kept || name == snapName(dir, m.index)
		}
		if kept {
			continue
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove snapshot: %w", err)
		}
	}
	return nil
}
