package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
)

// An entry's data in the log: kind, origin, sequence, bytes.
const (
	proposalHead = 1 + 8 + 8
	kindCommand  = 0
	kindCheck    = 1
	checkBytes   = 16 // index, digest
)

// Ticket is a proposed entry whose outcome is still to come.
type Ticket struct {
	log    *Log
	data   []byte
	seq    uint64
	term   uint64
	index  uint64
	err    error
	closed chan struct{}
}

// Begin proposes entry and returns at once; entries begun one after the other are
// committed in that order or, from some point on, not at all. It copies entry. It waits
// while too much is under way. Errors: ErrNotLeader, ErrTooLarge, ErrClosed, ErrHalted
// or that of ctx; then nothing was proposed.
func (l *Log) Begin(ctx context.Context, entry []byte) (*Ticket, error) {
	if len(entry) == 0 || len(entry) > MaxEntryBytes {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(entry))
	}
	if lead := l.leadTerm.Load(); lead == 0 || lead != l.readyTerm.Load() {
		return nil, l.refusal()
	}
	data := make([]byte, proposalHead, proposalHead+len(entry))
	t := &Ticket{log: l, data: append(data, entry...), closed: make(chan struct{})}
	if err := l.budget.Acquire(ctx, int64(len(t.data))); err != nil {
		return nil, fmt.Errorf("wait for earlier entries: %w", err)
	}
	select {
	case <-l.stop:
	case <-ctx.Done():
		l.budget.Release(int64(len(t.data)))
		return nil, fmt.Errorf("wait for earlier entries: %w", ctx.Err())
	case l.proposals <- t:
		return t, nil
	}
	l.budget.Release(int64(len(t.data)))
	return nil, l.refusal()
}

// Propose begins entry and waits for its outcome.
func (l *Log) Propose(ctx context.Context, entry []byte) (uint64, error) {
	t, err := l.Begin(ctx, entry)
	if err != nil {
		return 0, err
	}
	return t.Wait(ctx)
}

// Wait returns the entry's index once it is committed, on disk, and applied here.
// ErrDropped and ErrNotLeader: it never will be. ErrUnknown: it may be or not; this node
// stopped, lost the lead to a snapshot, or ctx ended.
func (t *Ticket) Wait(ctx context.Context) (uint64, error) {
	select {
	case <-t.closed:
	case <-t.log.done:
		select {
		case <-t.closed: // settled on the way out
		default:
			return 0, errors.Join(ErrUnknown, t.log.refusal())
		}
	case <-ctx.Done():
		return 0, errors.Join(ErrUnknown, ctx.Err())
	}
	return t.index, t.err
}

func (t *Ticket) settle(index uint64, err error) {
	t.index, t.err = index, err
	t.log.budget.Release(int64(len(t.data)))
	close(t.closed)
}

// refusal says why nothing can be proposed here now.
func (l *Log) refusal() error {
	if s := l.Status(); s.Err != nil {
		return s.Err
	}
	return ErrNotLeader
}

// propose hands t to Raft. The loop calls it.
func (l *Log) propose(t *Ticket, term uint64) {
	l.sequence++
	t.seq, t.term = l.sequence, term
	t.data[0] = kindCommand
	binary.LittleEndian.PutUint64(t.data[1:], l.origin)
	binary.LittleEndian.PutUint64(t.data[9:], t.seq)
	if term == 0 {
		t.settle(0, ErrNotLeader)
		return
	}
	if err := l.rn.Propose(t.data); err != nil {
		t.settle(0, fmt.Errorf("%w: %w", ErrNotLeader, err))
		return
	}
	l.pending.push(t)
}

// pending holds proposed tickets in order of sequence.
type pending struct {
	mu      sync.Mutex
	tickets []*Ticket
}

func (p *pending) push(t *Ticket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tickets = append(p.tickets, t)
}

// applied settles the ticket of seq and, before it, those that the log went on without.
func (p *pending) applied(seq, index uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.tickets) > 0 && p.tickets[0].seq <= seq {
		t := p.tickets[0]
		p.tickets[0], p.tickets = nil, p.tickets[1:]
		if t.seq == seq {
			t.settle(index, nil)
		} else {
			t.settle(0, ErrDropped)
		}
	}
}

// epoch drops what was proposed in terms before term: terms never fall in the log, so
// none of it can follow an entry of term.
func (p *pending) epoch(term uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.tickets) > 0 && p.tickets[0].term < term {
		t := p.tickets[0]
		p.tickets[0], p.tickets = nil, p.tickets[1:]
		t.settle(0, ErrDropped)
	}
}

// all settles everything with err.
func (p *pending) all(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.tickets {
		t.settle(0, err)
	}
	p.tickets = nil
}
