package journal

import (
	"errors"
	"fmt"
	"os"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// What the loop takes at most before it writes; maxReceived is in bytes and, with one
// message and a batch of proposals on top, less than a frame may have.
const (
	maxDrain    = 256
	maxReceived = 16 << 20
	// slowTicks is how long a write may take before an operator is told: half of the
	// shortest time after which others vote.
	slowTicks = electionTicks / 2
)

// inbound is a message of another node, with the file that came with it if it brings a
// snapshot.
type inbound struct {
	m    *raftpb.Message
	file string
}

// tell runs f in the loop, unless it ends before; f's error halts the node.
func (l *Log) tell(f func() error) {
	select {
	case l.control <- f:
	case <-l.stop:
	}
}

// run is the loop: it alone touches Raft and the log file.
func (l *Log) run() {
	defer l.finish()
	defer func() {
		if p := recover(); p != nil {
			l.halt(fmt.Errorf("%w: raft: %v", ErrHalted, p))
		}
	}()
	ticker := time.NewTicker(l.cfg.Tick)
	defer ticker.Stop()
	if len(l.voters) == 1 {
		if err := l.rn.Campaign(); err != nil {
			l.halt(fmt.Errorf("%w: %w", ErrHalted, err))
		}
	}
	for !l.stopped() {
		for l.rn.HasReady() {
			if err := l.ready(l.rn.Ready()); err != nil {
				l.halt(err)
				return
			}
		}
		if err := l.wait(ticker.C); err != nil {
			l.halt(err)
		}
	}
}

// wait takes the next event and then whatever else is there, up to a bound, so that one
// write serves all of it.
func (l *Log) wait(tick <-chan time.Time) error {
	l.taken = 0
	jobs, next := l.waiting()
	select {
	case <-l.stop:
		return nil
	case jobs <- next:
		l.handed()
	case <-tick:
		l.tick()
	case in := <-l.inbox:
		l.receive(in)
	case f := <-l.control:
		if err := f(); err != nil {
			return err
		}
	case p := <-l.checks:
		l.check(p)
	case t := <-l.proposals:
		l.proposeAll(t)
	}
	return l.drain(tick)
}

func (l *Log) drain(tick <-chan time.Time) error {
	for range maxDrain {
		if l.taken > maxReceived {
			break
		}
		jobs, next := l.waiting()
		select {
		case jobs <- next:
			l.handed()
		case <-tick:
			l.tick()
		case in := <-l.inbox:
			l.receive(in)
		case f := <-l.control:
			if err := f(); err != nil {
				return err
			}
		case p := <-l.checks:
			l.check(p)
		default:
			l.proposeAll(nil)
			return nil
		}
	}
	l.proposeAll(nil)
	return nil
}

// proposeAll proposes t and what waits behind it, up to a write's worth.
func (l *Log) proposeAll(t *Ticket) {
	if t == nil {
		select {
		case t = <-l.proposals:
		default:
			return
		}
	}
	term := uint64(0)
	if s := l.rn.BasicStatus(); s.RaftState == raft.StateLeader {
		term = s.GetTerm()
	}
	for bytes := 0; ; {
		bytes += len(t.data)
		l.propose(t, term)
		if bytes >= maxBatchBytes {
			return
		}
		select {
		case t = <-l.proposals:
		default:
			return
		}
	}
}

// check proposes a checkpoint; one that is lost is no loss.
func (l *Log) check(p []byte) {
	if err := l.rn.Propose(p); err != nil {
		l.cfg.Log.Debug("checkpoint not proposed", "node", l.cfg.Node, "error", err)
	}
}

func (l *Log) receive(in inbound) {
	if len(in.m.GetEntries()) > 0 && l.behind > maxBehindBytes {
		return // as if the network had lost it: the leader sends it again, more slowly
	}
	for _, e := range in.m.GetEntries() {
		l.taken += len(e.GetData())
	}
	if in.file != "" {
		index := in.m.GetSnapshot().GetMetadata().GetIndex()
		l.dropIncoming(index)
		l.incoming[index] = in.file
	}
	if err := l.rn.Step(in.m); err != nil {
		l.cfg.Log.Debug("message refused", "node", l.cfg.Node, "from", in.m.GetFrom(), "error", err)
	}
}

// dropIncoming removes received files up to index: they are of no use any more.
func (l *Log) dropIncoming(index uint64) {
	for i, name := range l.incoming {
		if i > index {
			continue
		}
		delete(l.incoming, i)
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			l.cfg.Log.Warn("received snapshot not removed", "node", l.cfg.Node, "error", err)
		}
	}
}

// ready does what Raft asks for, in its order: a leader's messages may go while it
// writes, answers only after; nothing is applied that is not committed.
func (l *Log) ready(rd raft.Ready) error {
	if rd.SoftState != nil || rd.HardState != nil {
		l.role(rd)
	}
	early := len(rd.Entries) == 0 && raft.IsEmptySnap(rd.Snapshot) // all that is committed is on disk
	if early {
		l.apply(rd.CommittedEntries)
	}
	l.send(rd.Messages, false)
	mark, err := l.received(rd.Snapshot)
	if err != nil {
		return err
	}
	if err := l.persist(rd, mark); err != nil {
		return fmt.Errorf("%w: %w", ErrHalted, err)
	}
	l.send(rd.Messages, true)
	if mark != nil {
		l.hand(job{restore: *mark})
	}
	if !early {
		l.apply(rd.CommittedEntries)
	}
	l.rn.Advance(rd)
	return nil
}

// persist puts on disk what Raft wants there, and then into memory.
func (l *Log) persist(rd raft.Ready, mark *snapMark) error {
	if rd.HardState != nil {
		l.hs = stateOf(rd.HardState)
	}
	if rd.MustSync || mark != nil {
		if err := l.write(rd.Entries, mark); err != nil {
			return err
		}
	}
	return l.keep(rd, mark)
}

// apply hands entries to the machine.
func (l *Log) apply(entries []*raftpb.Entry) {
	if len(entries) > 0 {
		l.hand(job{entries: entries})
	}
}

// write makes entries, state and mark durable. The state goes along where it changed.
func (l *Log) write(entries []*raftpb.Entry, mark *snapMark) error {
	var hs *state
	if l.hs != l.w.hs {
		hs = &l.hs
	}
	begun := l.cfg.Clock()
	err := l.w.append(hs, entries, mark)
	if took := l.cfg.Clock().Sub(begun); took > slowTicks*l.cfg.Tick {
		l.cfg.Log.Warn("the disk was slow: others may take the lead", "node", l.cfg.Node, "took", took)
	}
	return err
}

// keep puts into memory what is on disk now.
func (l *Log) keep(rd raft.Ready, mark *snapMark) error {
	if mark != nil {
		if err := l.storage.ApplySnapshot(rd.Snapshot); err != nil {
			return fmt.Errorf("take over snapshot: %w", err)
		}
		if err := l.tidy(); err != nil {
			return err
		}
	}
	if rd.HardState != nil {
		if err := l.storage.SetHardState(rd.HardState); err != nil {
			return fmt.Errorf("keep state: %w", err)
		}
	}
	if err := l.storage.Append(rd.Entries); err != nil {
		return fmt.Errorf("keep entries: %w", err)
	}
	return nil
}

// role notes who leads.
func (l *Log) role(rd raft.Ready) {
	s := l.rn.BasicStatus()
	lead := uint64(0)
	if s.RaftState == raft.StateLeader {
		lead = s.GetTerm()
	}
	l.mu.Lock()
	changed := rd.SoftState != nil && l.status.Leader != s.Lead
	l.status.Leader, l.status.Epoch = s.Lead, s.GetTerm()
	l.mu.Unlock()
	if !l.stopped() {
		l.leadTerm.Store(lead)
	}
	if changed {
		l.cfg.Log.Info("journal has a leader", "node", l.cfg.Node, "leader", s.Lead, "epoch", s.GetTerm())
	}
}

// received gives a snapshot that Raft accepted its name; its mark voids the log so far.
func (l *Log) received(s *raftpb.Snapshot) (*snapMark, error) {
	if raft.IsEmptySnap(s) {
		return nil, nil //nolint:nilnil // no snapshot is no error
	}
	index := s.GetMetadata().GetIndex()
	name, ok := l.incoming[index]
	if !ok {
		return nil, fmt.Errorf("%w: snapshot %d came without its file", ErrHalted, index)
	}
	delete(l.incoming, index)
	if err := nameSnapshot(l.cfg.Dir, name, index); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHalted, err)
	}
	return &snapMark{index: index, term: s.GetMetadata().GetTerm(), reset: true}, nil
}

// keepSnapshot takes over a snapshot of this node's machine that is on disk.
func (l *Log) keepSnapshot(m snapMark) error {
	if n := len(l.w.marks); n > 0 && l.w.marks[n-1].index >= m.index {
		return nil // a received one is newer; the next tidying removes this one
	}
	if _, err := l.storage.CreateSnapshot(m.index, &raftpb.ConfState{Voters: l.voters}, nil); err != nil {
		return fmt.Errorf("%w: note snapshot %d: %w", ErrHalted, m.index, err)
	}
	if err := l.write(nil, &m); err != nil {
		return fmt.Errorf("%w: %w", ErrHalted, err)
	}
	if first, err := l.storage.FirstIndex(); err == nil && m.index > l.cfg.KeepEntries && m.index-l.cfg.KeepEntries >= first {
		if err := l.storage.Compact(m.index - l.cfg.KeepEntries); err != nil {
			return fmt.Errorf("%w: forget old entries: %w", ErrHalted, err)
		}
	}
	if err := l.tidy(); err != nil {
		return fmt.Errorf("%w: %w", ErrHalted, err)
	}
	return nil
}

// tidy removes files that the two newest snapshots make needless.
func (l *Log) tidy() error {
	l.mu.Lock()
	l.status.Snapshot = l.w.marks[len(l.w.marks)-1].index
	l.mu.Unlock()
	if err := l.w.release(l.w.floor()); err != nil {
		return err
	}
	return sweepSnapshots(l.cfg.Dir, l.w.marks)
}

// finish ends everything that Open began and settles what waits.
func (l *Log) finish() {
	l.halt(ErrClosed)
	l.disconnect()
	close(l.jobs)
	<-l.applying
	l.writing.Wait()
	l.workers.Wait()
	err := errors.Join(ErrUnknown, l.Status().Err)
	l.pending.all(err)
	for {
		select {
		case t := <-l.proposals:
			t.settle(0, l.refusal())
		default:
			l.doneOnce.Do(func() { close(l.done) })
			return
		}
	}
}
