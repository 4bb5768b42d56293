package journal

import (
	"encoding/binary"
	"fmt"
	"io"

	"go.etcd.io/raft/v3/raftpb"
)

// maxDigests is how many own digests wait for the leader's.
const maxDigests = 64

// job is work for the machine's goroutine: committed entries, or a snapshot to restore.
type job struct {
	entries []*raftpb.Entry
	restore snapMark
}

// applier drives the machine. It runs alone.
type applier struct {
	l              *Log
	index, epoch   uint64
	entries, bytes uint64 // since the last snapshot
	digests        map[uint64]uint64
	digestOrder    []uint64
	busy           chan struct{} // holds a token while a snapshot is written
}

func (l *Log) applyLoop(mark snapMark) {
	defer close(l.applying)
	a := &applier{l: l, index: mark.index, epoch: mark.term, digests: map[uint64]uint64{}, busy: make(chan struct{}, 1)}
	for j := range l.jobs {
		if l.stopped() {
			continue // the loop ends: nothing has effect any more
		}
		if err := a.do(j); err != nil {
			l.halt(err)
		}
	}
}

func (l *Log) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

func (a *applier) do(j job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: machine failed behind entry %d: %v", ErrHalted, a.index, p)
		}
	}()
	if j.restore.index > 0 {
		return a.restore(j.restore)
	}
	for _, e := range j.entries {
		if err := a.entry(e); err != nil {
			return err
		}
	}
	a.l.mu.Lock()
	a.l.status.Applied = a.index
	a.l.mu.Unlock()
	return a.snapshot()
}

func (a *applier) restore(m snapMark) error {
	l := a.l
	l.pending.all(ErrUnknown)
	if err := restore(l.machine, snapName(l.cfg.Dir, m.index), l.identity, m); err != nil {
		return err
	}
	a.index, a.epoch, a.entries, a.bytes = m.index, m.term, 0, 0
	clear(a.digests)
	a.digestOrder = a.digestOrder[:0]
	l.mu.Lock()
	l.status.Applied = m.index
	l.mu.Unlock()
	l.cfg.Log.Info("restored a snapshot of the leader", "node", l.cfg.Node, "index", m.index)
	return nil
}

// entry applies one entry of the log.
func (a *applier) entry(e *raftpb.Entry) error {
	index, term, data := e.GetIndex(), e.GetTerm(), e.GetData()
	if index != a.index+1 || term < a.epoch || e.GetType() != raftpb.EntryNormal {
		return fmt.Errorf("%w: entry %d of epoch %d behind entry %d of epoch %d", ErrHalted, index, term, a.index, a.epoch)
	}
	if term > a.epoch {
		a.l.pending.epoch(term)
	}
	a.index, a.epoch = index, term
	a.entries, a.bytes = a.entries+1, a.bytes+uint64(len(data))
	if err := a.content(data); err != nil {
		return err
	}
	if a.l.readyTerm.Load() < term {
		a.l.readyTerm.Store(term)
	}
	if index%a.l.cfg.CheckEvery == 0 {
		a.check()
	}
	return nil
}

func (a *applier) content(data []byte) error {
	l := a.l
	switch {
	case len(data) == 0: // a new leader's first
		return nil
	case len(data) <= proposalHead:
		return fmt.Errorf("%w: entry %d has no head", ErrHalted, a.index)
	case data[0] == kindCheck:
		return a.compare(data[proposalHead:])
	case data[0] != kindCommand:
		return fmt.Errorf("%w: entry %d is of kind %d", ErrHalted, a.index, data[0])
	}
	err := l.machine.Apply(Entry{
		Index: a.index, Epoch: a.epoch, Leading: l.leadTerm.Load() == a.epoch,
		Data: data[proposalHead:len(data):len(data)],
	})
	if err != nil {
		return fmt.Errorf("%w: machine refuses entry %d: %w", ErrHalted, a.index, err)
	}
	if binary.LittleEndian.Uint64(data[1:]) == l.origin {
		l.pending.applied(binary.LittleEndian.Uint64(data[9:]), a.index)
	}
	return nil
}

// check notes the digest at this index; the leader's goes into the log for all to
// compare with.
func (a *applier) check() {
	l, digest := a.l, a.l.machine.Digest()
	a.digests[a.index] = digest
	a.digestOrder = append(a.digestOrder, a.index)
	if len(a.digestOrder) > maxDigests {
		delete(a.digests, a.digestOrder[0])
		a.digestOrder = a.digestOrder[1:]
	}
	if l.leadTerm.Load() != a.epoch {
		return
	}
	p := make([]byte, proposalHead, proposalHead+checkBytes)
	p[0] = kindCheck
	p = binary.LittleEndian.AppendUint64(p, a.index)
	p = binary.LittleEndian.AppendUint64(p, digest)
	select {
	case l.checks <- p:
	default: // the loop is busy; the next one will do
	}
}

func (a *applier) compare(p []byte) error {
	if len(p) != checkBytes {
		return fmt.Errorf("%w: checkpoint of %d bytes", ErrHalted, len(p))
	}
	index, want := binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[8:])
	if have, ok := a.digests[index]; ok && have != want {
		return fmt.Errorf("%w: digest %016x at entry %d, leader's is %016x", ErrDiverged, have, index, want)
	}
	return nil
}

// snapshot takes one where it is due and none is being written.
func (a *applier) snapshot() error {
	l := a.l
	if a.entries < l.cfg.SnapshotEntries && a.bytes < l.cfg.SnapshotBytes {
		return nil
	}
	select {
	case a.busy <- struct{}{}:
	default:
		return nil
	}
	body, err := l.machine.Snapshot()
	if err != nil {
		return fmt.Errorf("%w: snapshot at entry %d: %w", ErrHalted, a.index, err)
	}
	info := snapInfo{index: a.index, term: a.epoch, digest: l.machine.Digest()}
	a.entries, a.bytes = 0, 0
	l.writing.Add(1)
	go a.write(info, body)
	return nil
}

// write makes the snapshot durable and tells the loop.
func (a *applier) write(info snapInfo, body io.WriterTo) {
	l := a.l
	defer l.writing.Done()
	if err := writeSnapshot(l.cfg.Dir, l.identity, info, body); err != nil {
		l.halt(fmt.Errorf("%w: %w", ErrHalted, err))
		return
	}
	l.tell(func() error {
		defer func() { <-a.busy }()
		return l.keepSnapshot(snapMark{index: info.index, term: info.term})
	})
}
