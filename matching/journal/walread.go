package journal

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.etcd.io/raft/v3/raftpb"

	"strongroom/internal/hugepage"
)

const (
	segmentSuffix = ".log"
	spareName     = "spare.tmp"
	segmentHead   = 16 // identity, number
)

// segment is a log file and the highest entry index in it.
type segment struct{ number, last uint64 }

func segmentName(number uint64) string { return fmt.Sprintf("%016d%s", number, segmentSuffix) }

// replay is what the log files say.
type replay struct {
	hs      state
	entries []*raftpb.Entry
	marks   []snapMark // by age
	base    uint64     // entries may begin behind it; zero before the first
	segs    []segment
	off     int64
	seq     uint64
	prev    uint32
}

func (r *replay) state(s state) error {
	if s.term < r.hs.term || s.commit < r.hs.commit {
		return fmt.Errorf("%w: epoch or commit goes back", ErrCorrupt)
	}
	r.hs = s
	return nil
}

func (r *replay) snapshot(m snapMark) error {
	if n := len(r.marks); n > 0 && m.index < r.marks[n-1].index {
		return fmt.Errorf("%w: snapshot %d behind %d", ErrCorrupt, m.index, r.marks[n-1].index)
	}
	if m.reset {
		r.entries, r.base = nil, m.index
	}
	r.marks = append(r.marks, m)
	return nil
}

// entry appends e; an index that is there already voids it and all behind it.
func (r *replay) entry(e *raftpb.Entry) error {
	index := e.GetIndex()
	if len(r.segs) > 0 {
		s := &r.segs[len(r.segs)-1]
		s.last = max(s.last, index)
	}
	switch n := uint64(len(r.entries)); {
	case index == 0 || n == 0 && r.base != 0 && index != r.base+1:
		return fmt.Errorf("%w: entry %d behind snapshot %d", ErrCorrupt, index, r.base)
	case n == 0:
		r.entries = append(r.entries, e)
	case index > r.entries[0].GetIndex()+n:
		return fmt.Errorf("%w: entry %d behind %d entries from %d", ErrCorrupt, index, n, r.entries[0].GetIndex())
	case index < r.entries[0].GetIndex():
		r.entries = append(r.entries[:0:0], e)
	default:
		r.entries = append(r.entries[:index-r.entries[0].GetIndex()], e)
	}
	return nil
}

// readLog reads all segments in dir; identity is the log's.
func readLog(dir string, identity uint64) (*replay, error) {
	numbers, err := listSegments(dir)
	if err != nil {
		return nil, err
	}
	r := &replay{}
	for i, number := range numbers {
		if i > 0 && number != numbers[i-1]+1 {
			return nil, fmt.Errorf("%w: log file %d is missing", ErrCorrupt, numbers[i-1]+1)
		}
		raw, err := readSegment(filepath.Join(dir, segmentName(number)))
		if err != nil {
			return nil, err
		}
		if err := r.segment(raw, number, identity, i == len(numbers)-1); err != nil {
			return nil, fmt.Errorf("log file %s: %w", segmentName(number), err)
		}
	}
	return r, nil
}

// readSegment reads a file into large pages: entries stay where they were read.
func readSegment(name string) ([]byte, error) {
	f, err := os.Open(name) //nolint:gosec // our own folder
	if err != nil {
		return nil, fmt.Errorf("read log file: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at log file: %w", err)
	}
	raw := hugepage.Make[byte](int(info.Size()))
	if _, err := io.ReadFull(f, raw); err != nil {
		return nil, fmt.Errorf("read log file: %w", err)
	}
	return raw, nil
}

func listSegments(dir string) ([]uint64, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list log files: %w", err)
	}
	var numbers []uint64
	for _, f := range files {
		base, ok := strings.CutSuffix(f.Name(), segmentSuffix)
		if !ok {
			continue
		}
		var number uint64
		if _, err := fmt.Sscanf(base, "%d", &number); err != nil || segmentName(number) != f.Name() {
			return nil, fmt.Errorf("%w: file %q", ErrCorrupt, f.Name())
		}
		numbers = append(numbers, number)
	}
	if len(numbers) == 0 {
		return nil, fmt.Errorf("%w: no log file", ErrCorrupt)
	}
	slices.Sort(numbers)
	return numbers, nil
}

// segment reads the frames of one file.
func (r *replay) segment(raw []byte, number, identity uint64, last bool) error {
	s := scanner{p: raw, last: last, anchor: len(r.segs) > 0, seq: r.seq, prev: r.prev}
	r.segs = append(r.segs, segment{number: number})
	if err := r.head(&s, number, identity); err != nil {
		return err
	}
	for {
		kind, payload, err := s.next()
		switch {
		case err != nil:
			return err
		case kind == 0:
			r.off, r.seq, r.prev = int64(s.off), s.seq, s.prev
			return nil
		case kind != kindBatch:
			return fmt.Errorf("%w: file header inside the file", ErrCorrupt)
		}
		if err := readRecords(payload, r); err != nil {
			return err
		}
	}
}

// head reads a file's first frame.
func (r *replay) head(s *scanner, number, identity uint64) error {
	kind, payload, err := s.next()
	switch {
	case err != nil:
		return err
	case kind != kindSegment || len(payload) < segmentHead:
		return fmt.Errorf("%w: no file header", ErrCorrupt)
	case binary.LittleEndian.Uint64(payload) != identity || binary.LittleEndian.Uint64(payload[8:]) != number:
		return fmt.Errorf("%w: file header", ErrForeign)
	case len(r.segs) > 1:
		return nil
	}
	return readRecords(payload[segmentHead:], r) // what was known when older files were removed
}

// from drops what the snapshot at index has and checks that the rest follows it.
func (r *replay) from(m snapMark) error {
	r.entries = slices.DeleteFunc(r.entries, func(e *raftpb.Entry) bool { return e.GetIndex() <= m.index })
	last := m.index
	if n := len(r.entries); n > 0 {
		if first := r.entries[0].GetIndex(); first != m.index+1 {
			return fmt.Errorf("%w: log begins at %d, snapshot ends at %d", ErrCorrupt, first, m.index)
		}
		last = r.entries[n-1].GetIndex()
	}
	if r.hs.commit > last {
		return fmt.Errorf("%w: committed up to %d, log ends at %d", ErrCorrupt, r.hs.commit, last)
	}
	r.hs.commit = max(r.hs.commit, m.index)
	if r.hs.term < m.term {
		r.hs.term, r.hs.vote = m.term, 0
	}
	return nil
}
