package server

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/chain"
	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

// ErrState is returned for a kept state that is damaged, of another version, or of a
// machine with other bounds.
var ErrState = errors.New("bad state of a shard")

// A kept state is this head, with the version in its last byte, the fixed numbers, the
// markets, the sessions by number, the engine's digest, and the engine's snapshot. All
// numbers are little-endian, lengths stand before what they count.
const stateHead = "SRSHARD\x02"

// Durable is an Engine whose state can be copied at once and written later.
type Durable interface {
	Engine
	Freeze(into *engine.Frozen) *engine.Frozen
	Prepare(into *engine.Frozen, commands int)
}

var errNotDurable = errors.New("engine keeps no state")

// frozen is a copy of a machine's state.
type frozen struct {
	now      int64
	seq      uint64
	last     engine.SessionID
	hash     chain.Hash
	markets  []engine.MarketID
	sessions map[engine.SessionID]*session
	engine   *engine.Frozen
	before   func(seq uint64) error
	release  func(*engine.Frozen)
}

// Snapshot copies the state between two entries and returns what writes the copy. Where
// before is given, it is called with the number of the last event before anything is
// written, and an error of it ends the writing: with it a caller makes durable what
// the log is no longer needed for once the state is kept.
func (m *Machine) Snapshot(before func(seq uint64) error) (io.WriterTo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.engine.(Durable)
	if !ok {
		return nil, errNotDurable
	}
	spare := m.spare
	m.spare = nil
	f := &frozen{
		now: m.now, seq: m.seq, last: m.last, hash: m.sealer.settled(), engine: e.Freeze(spare), before: before,
		markets: slices.Sorted(maps.Keys(m.markets)), sessions: make(map[engine.SessionID]*session, len(m.sessions)),
		release: m.giveBack,
	}
	for id, s := range m.sessions {
		f.sessions[id] = &session{owner: s.owner, last: s.last, results: slices.Clone(s.results)}
	}
	return f, nil
}

// prepare takes memory for the next copy, also where this node follows: followers take
// their snapshots when the leader does, and a shard whose nodes all stand still loses its
// leader.
func (m *Machine) prepare(commands int) {
	if e, ok := m.engine.(Durable); ok && m.spare != nil {
		e.Prepare(m.spare, commands)
	}
}

// giveBack takes the memory of a copy for the next one.
func (m *Machine) giveBack(f *engine.Frozen) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.spare = f
}

// WriteTo implements io.WriterTo. It writes once.
func (f *frozen) WriteTo(w io.Writer) (int64, error) {
	defer f.release(f.engine)
	if f.before != nil {
		if err := f.before(f.seq); err != nil {
			return 0, err
		}
	}
	counted := &counter{w: w}
	head := f.head()
	head = binary.LittleEndian.AppendUint64(head, f.engine.Digest())
	if _, err := counted.Write(head); err != nil {
		return counted.n, fmt.Errorf("write state: %w", err)
	}
	if err := f.engine.Snapshot(counted); err != nil {
		return counted.n, fmt.Errorf("write state: %w", err)
	}
	return counted.n, nil
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err //nolint:wrapcheck // as it is
}

func (f *frozen) head() []byte {
	b := append(make([]byte, 0, 1<<16), stateHead...)
	b = binary.LittleEndian.AppendUint64(b, uint64(f.now)) //nolint:gosec // bits as they are
	b = binary.LittleEndian.AppendUint64(b, f.seq)
	b = binary.LittleEndian.AppendUint32(b, uint32(f.last))
	b = append(b, f.hash[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.markets))) //nolint:gosec // at most 65,536
	for _, id := range f.markets {
		b = binary.LittleEndian.AppendUint16(b, uint16(id))
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.sessions))) //nolint:gosec // at most maxSessions
	for _, id := range slices.Sorted(maps.Keys(f.sessions)) {
		s := f.sessions[id]
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
		b = append(append(b, byte(len(s.owner))), s.owner...) //nolint:gosec // at most wire.MaxOwnerBytes
		b = binary.LittleEndian.AppendUint64(b, s.last)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(s.results))) //nolint:gosec // at most Window
		for n := s.oldest(); n <= s.last; n++ {
			b = wire.AppendResult(b, &s.results[(n-1)%Window])
		}
	}
	return b
}

// Restore replaces the state by a kept one, whose engine load reads, and returns the
// number of its last event. After an error the machine is as it was.
func (m *Machine) Restore(r io.Reader, load func(io.Reader) (Engine, error)) (seq uint64, err error) {
	d := &stateReader{r: bufio.NewReaderSize(r, 1<<16)}
	f := d.head()
	digest := d.u64()
	if d.err != nil {
		return 0, d.err
	}
	e, err := load(d.r)
	if err != nil {
		return 0, fmt.Errorf("restore engine: %w", err)
	}
	if e.Digest() != digest {
		return 0, fmt.Errorf("%w: the engine's digest is %016x instead of %016x", ErrState, e.Digest(), digest)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unlinkAll(refuse(matchingv1.Reason_REASON_NOT_LEADER, "this node took the state of another"))
	m.engine, m.now, m.seq, m.last, m.sessions = e, f.now, f.seq, f.last, f.sessions
	m.batch = batch{}
	m.warm, _ = e.(warmer)
	m.sealer.begin(f.hash)
	m.markets = make(map[engine.MarketID]bool, len(f.markets))
	for _, id := range f.markets {
		m.markets[id] = true
	}
	m.spare = &engine.Frozen{}
	m.ring.clear(f.seq + 1)
	return m.seq, nil
}

// stateReader reads what head wrote. After the first fault it reads zeros.
type stateReader struct {
	r   *bufio.Reader
	err error
}

func (d *stateReader) take(n int) []byte {
	p := make([]byte, n)
	if d.err != nil {
		return p
	}
	if _, err := io.ReadFull(d.r, p); err != nil {
		d.err = fmt.Errorf("%w: %w", ErrState, err)
		clear(p)
	}
	return p
}

func (d *stateReader) u16() uint16 { return binary.LittleEndian.Uint16(d.take(2)) }
func (d *stateReader) u32() uint32 { return binary.LittleEndian.Uint32(d.take(4)) }
func (d *stateReader) u64() uint64 { return binary.LittleEndian.Uint64(d.take(8)) }

// upTo reads a number that is at most bound.
func (d *stateReader) upTo(bound uint32, what string) int {
	n := d.u32()
	if n > bound {
		d.fail("%d %s", n, what)
		return 0
	}
	return int(n)
}

func (d *stateReader) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: "+format, append([]any{ErrState}, args...)...)
	}
}

func (d *stateReader) head() *frozen {
	if string(d.take(len(stateHead))) != stateHead {
		d.fail("it does not begin as one")
	}
	f := &frozen{sessions: map[engine.SessionID]*session{}}
	f.now, f.seq, f.last = int64(d.u64()), d.u64(), engine.SessionID(d.u32()) //nolint:gosec // bits as they are
	copy(f.hash[:], d.take(len(f.hash)))
	for range d.upTo(1<<16, "markets") {
		f.markets = append(f.markets, engine.MarketID(d.u16()))
	}
	if !slices.IsSorted(f.markets) {
		d.fail("markets are out of order")
	}
	before := engine.SessionID(0)
	for range d.upTo(maxSessions, "sessions") {
		id, s := d.session()
		if id <= before || id > f.last {
			d.fail("session %d behind %d", id, before)
		}
		if d.err != nil {
			break
		}
		f.sessions[id], before = s, id
	}
	return f
}

func (d *stateReader) session() (engine.SessionID, *session) {
	id := engine.SessionID(d.u32())
	s := &session{owner: string(d.take(int(d.take(1)[0]))), last: d.u64()}
	kept := d.upTo(Window, "results")
	if uint64(kept) != min(s.last, Window) { //nolint:gosec // at most Window
		d.fail("%d results of %d commands", kept, s.last)
		return id, s
	}
	results, err := wire.ReadResults(d.take(kept*wire.ResultBytes), nil)
	if err != nil {
		d.fail("results: %s", err)
	}
	s.results = make([]wire.Result, kept)
	for i := range results {
		at := s.last + 1 - uint64(kept) + uint64(i) //nolint:gosec // at most Window
		if d.err == nil && results[i].Seq != at {
			d.fail("result %d at the place of %d", results[i].Seq, at)
		}
		s.results[(at-1)%Window] = results[i]
	}
	return id, s
}
