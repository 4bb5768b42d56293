package server

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// ErrMemoryClosed reports a Memory that was closed.
var ErrMemoryClosed = errors.New("log in memory is closed")

const memoryQueue = 64

// Memory is a log that lasts as long as the process: a single node for tests and
// benches. It keeps its entries where Keep is set, so that they can be replayed.
type Memory struct {
	epoch   uint64
	machine *Machine
	keep    bool
	queue   chan *memoryTicket
	done    chan struct{}

	mu     sync.Mutex
	closed bool

	kept    sync.Mutex
	entries [][]byte
}

type memoryTicket struct {
	entry []byte
	index uint64
	err   error
	done  chan struct{}
}

// Wait implements Ticket.
func (t *memoryTicket) Wait(ctx context.Context) (uint64, error) {
	select {
	case <-t.done:
		return t.index, t.err
	case <-ctx.Done():
		return 0, ctx.Err() //nolint:wrapcheck // the caller's own
	}
}

// NewMemory starts a log that steps m in one epoch. Close ends it.
func NewMemory(m *Machine, epoch uint64, keep bool) *Memory {
	l := &Memory{epoch: epoch, machine: m, keep: keep, queue: make(chan *memoryTicket, memoryQueue), done: make(chan struct{})}
	go l.run()
	return l
}

// Leading implements Log: until it is closed.
func (l *Memory) Leading() (uint64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epoch, !l.closed
}

// Begin implements Log.
func (l *Memory) Begin(_ context.Context, entry []byte) (Ticket, error) {
	t := &memoryTicket{entry: slices.Clone(entry), done: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrMemoryClosed
	}
	l.queue <- t // its reader never takes this lock
	return t, nil
}

func (l *Memory) run() {
	defer close(l.done)
	index := uint64(0)
	for t := range l.queue {
		index++
		t.index, t.err = index, l.machine.Apply(l.epoch, true, t.entry)
		if l.keep {
			l.kept.Lock()
			l.entries = append(l.entries, t.entry)
			l.kept.Unlock()
		}
		close(t.done)
	}
}

// Entries gives apply what was kept so far, as Replay wants it.
func (l *Memory) Entries(_ context.Context, apply func(epoch uint64, entry []byte) error) error {
	l.kept.Lock()
	entries := l.entries
	l.kept.Unlock()
	for _, entry := range entries {
		if err := apply(l.epoch, entry); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the log when what was begun is applied.
func (l *Memory) Close() {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.queue)
	}
	l.mu.Unlock()
	<-l.done
}
