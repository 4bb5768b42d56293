package node

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/engine"
	"strongroom/matching/history"
	"strongroom/matching/journal"
	"strongroom/matching/server"
)

// machine lets the journal step the server's machine.
type machine struct {
	state   *server.Machine
	events  *history.Store
	engine  engine.Config
	node    uint64
	running atomic.Bool           // the journal is open: what is restored now is another node's
	fault   atomic.Pointer[error] // of keeping events
}

var _ journal.Machine = (*machine)(nil)

func newMachine(cfg Config, events *history.Store, metrics *server.Metrics) (*machine, error) {
	e, err := engine.New(cfg.Engine)
	if err != nil {
		return nil, fmt.Errorf("make engine: %w", err)
	}
	m := &machine{state: server.NewMachine(e, metrics, cfg.Clock), events: events, engine: cfg.Engine, node: cfg.Journal.Node}
	m.state.Record(m.keep)
	m.state.Recall(events.Recall().At)
	return m, nil
}

func (m *machine) keep(b *matchingv1.EventBatch) {
	if err := m.events.Append(b); err != nil {
		m.fault.CompareAndSwap(nil, &err)
	}
}

// Apply implements journal.Machine.
func (m *machine) Apply(e journal.Entry) error {
	if err := m.state.Apply(e.Epoch, e.Leading, e.Data); err != nil {
		return err
	}
	if fault := m.fault.Load(); fault != nil {
		return *fault
	}
	return nil
}

// Digest implements journal.Machine.
func (m *machine) Digest() uint64 { return m.state.Digest() }

// Snapshot implements journal.Machine. The events up to it are on the disk before it
// is: from then on the journal may forget how they came about.
func (m *machine) Snapshot() (io.WriterTo, error) {
	body, err := m.state.Snapshot(func(uint64) error { return m.events.Sync(context.Background()) })
	if err != nil {
		return nil, err
	}
	return &signed{node: m.node, body: body}, nil
}

// signed is a state behind the number of the node that wrote it.
type signed struct {
	node uint64
	body io.WriterTo
}

const signatureBytes = 8

// WriteTo implements io.WriterTo.
func (s *signed) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(binary.LittleEndian.AppendUint64(nil, s.node))
	if err != nil {
		return int64(n), fmt.Errorf("write node: %w", err)
	}
	rest, err := s.body.WriteTo(w)
	return int64(n) + rest, err //nolint:wrapcheck // the state says what it is
}

// Restore implements journal.Machine. With another node's state this one takes over
// that it has not seen the events up to it.
func (m *machine) Restore(r io.Reader) error {
	in := bufio.NewReader(r)
	var signature [signatureBytes]byte
	if _, err := io.ReadFull(in, signature[:]); err != nil {
		return fmt.Errorf("read node: %w", err)
	}
	seq, err := m.state.Restore(in, func(r io.Reader) (server.Engine, error) { return engine.Restore(r, m.engine) })
	if err != nil {
		return err
	}
	foreign := binary.LittleEndian.Uint64(signature[:]) != m.node
	if !foreign && !m.running.Load() {
		return nil
	}
	return errors.Join(m.events.Skip(seq+1), m.events.Sync(context.Background()))
}
