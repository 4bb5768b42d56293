package journal

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"
)

// Records inside a frame's payload. Padding ends the list.
const (
	recordEntry    = 1 // term, index, length, bytes
	recordState    = 2 // term, vote, commit
	recordSnapshot = 3 // index, term, 1 where the log before it is void

	entryHead    = 1 + 8 + 8 + 4
	stateBytes   = 1 + 3*8
	snapBytes    = 1 + 8 + 8 + 1
	maxDataBytes = MaxEntryBytes + proposalHead
)

// snapMark names a durable snapshot. reset says that it came from another node and
// that entries written before it count no more.
type snapMark struct {
	index, term uint64
	reset       bool
}

// state is Raft's hard state.
type state struct{ term, vote, commit uint64 }

func (s state) proto() *raftpb.HardState {
	return &raftpb.HardState{Term: &s.term, Vote: &s.vote, Commit: &s.commit}
}

func stateOf(hs *raftpb.HardState) state {
	return state{term: hs.GetTerm(), vote: hs.GetVote(), commit: hs.GetCommit()}
}

func putEntry(p []byte, e *raftpb.Entry) []byte {
	le := binary.LittleEndian
	p = append(p, recordEntry)
	p = le.AppendUint64(p, e.GetTerm())
	p = le.AppendUint64(p, e.GetIndex())
	p = le.AppendUint32(p, uint32(len(e.GetData()))) //nolint:gosec // at most maxDataBytes
	return append(p, e.GetData()...)
}

func putState(p []byte, s state) []byte {
	le := binary.LittleEndian
	p = le.AppendUint64(append(p, recordState), s.term)
	return le.AppendUint64(le.AppendUint64(p, s.vote), s.commit)
}

func putSnap(p []byte, m snapMark) []byte {
	le := binary.LittleEndian
	p = le.AppendUint64(append(p, recordSnapshot), m.index)
	p = le.AppendUint64(p, m.term)
	if m.reset {
		return append(p, 1)
	}
	return append(p, 0)
}

// sink takes what a payload holds, in order.
type sink interface {
	entry(e *raftpb.Entry) error
	state(s state) error
	snapshot(m snapMark) error
}

// readRecords hands the records of p to to. Entries keep a part of p.
func readRecords(p []byte, to sink) error {
	for len(p) > 0 {
		var err error
		switch p[0] {
		case 0:
			if !allZero(p) {
				return fmt.Errorf("%w: bytes behind the last record", ErrCorrupt)
			}
			return nil
		case recordEntry:
			p, err = readEntry(p, to)
		case recordState:
			p, err = readState(p, to)
		case recordSnapshot:
			p, err = readSnap(p, to)
		default:
			err = fmt.Errorf("%w: record of kind %d", ErrCorrupt, p[0])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func readEntry(p []byte, to sink) ([]byte, error) {
	if len(p) < entryHead {
		return nil, errShort(recordEntry)
	}
	le := binary.LittleEndian
	term, index, size := le.Uint64(p[1:]), le.Uint64(p[9:]), le.Uint32(p[17:])
	if size > maxDataBytes || int(size) > len(p)-entryHead {
		return nil, errShort(recordEntry)
	}
	e := &raftpb.Entry{Term: &term, Index: &index}
	if size > 0 {
		e.Data = p[entryHead : entryHead+size : entryHead+size]
	}
	return p[entryHead+size:], to.entry(e)
}

func readState(p []byte, to sink) ([]byte, error) {
	if len(p) < stateBytes {
		return nil, errShort(recordState)
	}
	le := binary.LittleEndian
	return p[stateBytes:], to.state(state{le.Uint64(p[1:]), le.Uint64(p[9:]), le.Uint64(p[17:])})
}

func readSnap(p []byte, to sink) ([]byte, error) {
	if len(p) < snapBytes || p[17] > 1 {
		return nil, errShort(recordSnapshot)
	}
	le := binary.LittleEndian
	return p[snapBytes:], to.snapshot(snapMark{le.Uint64(p[1:]), le.Uint64(p[9:]), p[17] == 1})
}

func errShort(kind byte) error {
	return fmt.Errorf("%w: record of kind %d does not fit", ErrCorrupt, kind)
}
