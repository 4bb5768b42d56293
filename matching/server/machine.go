package server

import (
	"fmt"
	"sync"
	"time"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

// recent is how old an entry is at most that is not of a replay.
const recent = time.Second

// Machine is the state of a shard, a function of the log's entries. The log steps it;
// readers come between two entries.
type Machine struct {
	mu      sync.Mutex
	engine  Engine
	sealer  *sealer
	ring    *ring
	metrics *Metrics
	clock   func() time.Time

	now      int64
	seq      uint64 // of the last event
	batch    batch
	packed   []byte // memory for one event
	tally    tally  // of the entry that is applied
	last     engine.SessionID
	sessions map[engine.SessionID]*session
	markets  map[engine.MarketID]bool

	leading  bool // the entry that is applied is this node's
	events   []engine.Event
	linked   int
	touched  []*link
	alls     []*link
	accounts map[engine.AccountID][]*link
	waiting  map[uint64]chan answer
	spare    *engine.Frozen // memory for the next copy
	block    [engine.WarmBlock]engine.Command
	warm     warmer // the engine, where it can read ahead
}

// warmer is an Engine that reads ahead what commands will need.
type warmer interface {
	Warm(commands []engine.Command)
}

// session is what the log says of a session.
type session struct {
	owner   string
	last    uint64        // number of the last command
	results []wire.Result // of the newest commands, at number modulo Window
	link    *link         // where this node leads
}

// answer is what became of a session's or a market's making.
type answer struct {
	session engine.SessionID
	seq     uint64
	code    engine.Code
	err     *refusal
}

// NewMachine puts an empty engine behind a log. Metrics may be nil.
func NewMachine(e Engine, metrics *Metrics, clock func() time.Time) *Machine {
	m := &Machine{
		engine: e, ring: newRing(), metrics: metrics, clock: clock, spare: &engine.Frozen{},
		sessions: map[engine.SessionID]*session{}, markets: map[engine.MarketID]bool{},
		accounts: map[engine.AccountID][]*link{}, waiting: map[uint64]chan answer{},
	}
	m.sealer = newSealer(m.ring.push)
	m.warm, _ = e.(warmer)
	if metrics != nil {
		metrics.machine.Store(m)
	}
	return m
}

// Record has each batch given to another taker as well, in order, from one goroutine
// that is not the one that applies. Call it before the first entry.
func (m *Machine) Record(to func(*matchingv1.EventBatch)) {
	push := m.sealer.emit
	m.sealer.emit = func(b *matchingv1.EventBatch) {
		push(b)
		to(b)
	}
}

// Recall has batches that a replay makes again taken from who kept them in an earlier
// life. Kept returns the one that begins with an event, and nil from the first on that is
// not kept. Call it before the first entry.
func (m *Machine) Recall(kept func(first uint64) *matchingv1.EventBatch) { m.sealer.kept = kept }

// Apply takes the next committed entry. After an error the machine must not be used:
// the entry is not one that this code wrote.
func (m *Machine) Apply(epoch uint64, leading bool, entry []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	ns, rest, err := wire.ReadEntry(entry)
	if err != nil {
		return fmt.Errorf("apply entry: %w", err)
	}
	if !leading && m.linked > 0 {
		m.unlinkAll(refuse(matchingv1.Reason_REASON_NOT_LEADER, "another node leads in epoch %d", epoch))
	}
	begun := m.clock()
	m.batch.epoch, m.leading, m.now = epoch, leading, max(m.now, ns)
	m.took(m.engine.Apply(&engine.Command{Op: engine.OpTime, Time: m.now}, m.events[:0]))
	commands := 0
	for len(rest) > 0 {
		var r wire.Record
		if rest, err = wire.ReadRecord(rest, &r); err != nil {
			return fmt.Errorf("apply entry: %w", err)
		}
		if err := m.record(&r); err != nil {
			return fmt.Errorf("apply entry: %w", err)
		}
		commands += r.Count
	}
	m.closeBatch()
	for _, l := range m.touched {
		l.flush()
	}
	m.touched = m.touched[:0]
	if begun.UnixNano()-ns < recent.Nanoseconds() {
		m.prepare(commands)
	}
	if m.metrics != nil {
		m.metrics.count(&m.tally)
	}
	if m.metrics != nil && commands > 0 {
		m.metrics.match.Observe(m.clock().Sub(begun).Seconds() / float64(commands))
	}
	return nil
}

func (m *Machine) record(r *wire.Record) error {
	switch r.Kind {
	case wire.RecordCommands:
		return m.run(r)
	case wire.RecordOpen:
		m.open(r)
	case wire.RecordEnd:
		m.end(r.Session)
	case wire.RecordMarket:
		c := engine.Command{Op: engine.OpMarket, Time: m.now, Market: r.Market}
		out := m.took(m.engine.Configure(&c, &r.Config, m.events[:0]))
		v := answerTo(&c, out)
		if v.Code == engine.CodeNone {
			m.markets[r.Market] = true
		}
		m.answer(r.Token, answer{seq: v.Seq, code: v.Code})
	}
	return nil
}

// run applies a session's commands, each once.
func (m *Machine) run(r *wire.Record) error {
	s := m.sessions[r.Session]
	rest := r.Body
	var err error
	for done := 0; done < r.Count; {
		block := m.block[:min(len(m.block), r.Count-done)]
		for i := range block {
			if rest, err = wire.ReadCommand(rest, &block[i]); err != nil {
				return fmt.Errorf("run of session %d: %w", r.Session, err)
			}
		}
		if m.warm != nil && len(block) > 1 {
			m.warm.Warm(block)
		}
		for i := range block {
			m.step(s, r.First+uint64(done+i), &block[i])
		}
		done += len(block)
	}
	return nil
}

// step applies the command with number seq of a session, or repeats its result.
func (m *Machine) step(s *session, seq uint64, c *engine.Command) {
	switch {
	case s == nil || seq > s.last+1: // ended, or an entry before was lost: its stream has been closed
		return
	case seq <= s.last:
		m.repeat(s, seq)
		return
	}
	c.Time = m.now
	v := answerTo(c, m.took(m.engine.Apply(c, m.events[:0])))
	result := wire.Result{Seq: seq, Event: v.Seq, Order: v.Order, Kind: v.Kind, Code: v.Code}
	s.last = seq
	s.keep(&result)
	m.send(s, &result)
}

func (s *session) keep(r *wire.Result) {
	at := int((r.Seq - 1) % Window)
	if at == len(s.results) {
		s.results = append(s.results, *r)
		return
	}
	s.results[at] = *r
}

// oldest is the number of the oldest command whose result is kept.
func (s *session) oldest() uint64 { return s.last + 1 - uint64(len(s.results)) }

func (m *Machine) repeat(s *session, seq uint64) {
	if seq < s.oldest() {
		return
	}
	result := s.results[(seq-1)%Window]
	result.Repeated = true
	m.send(s, &result)
}

// answerTo finds the event that answers a command among those that it caused.
func answerTo(c *engine.Command, events []engine.Event) *engine.Event {
	want := engine.EventNone
	switch c.Op { //nolint:exhaustive // all others are answered first
	case engine.OpMassCancel, engine.OpKill, engine.OpRevive, engine.OpProtection, engine.OpAccount:
		want = engine.EventAccount
	case engine.OpState, engine.OpMarket:
		want = engine.EventState
	default:
	}
	for i := range events {
		if v := &events[i]; want == engine.EventNone || v.Kind == want || v.Kind == engine.EventRejected {
			return v
		}
	}
	return &engine.Event{}
}

func (m *Machine) open(r *wire.Record) {
	owned := 0
	for _, s := range m.sessions {
		if s.owner == string(r.Owner) {
			owned++
		}
	}
	if len(m.sessions) >= maxSessions || owned >= maxOwnerSessions {
		m.answer(r.Token, answer{err: refuse(matchingv1.Reason_REASON_TOO_MANY, "%d sessions, %d of them the caller's", len(m.sessions), owned)})
		return
	}
	m.last++
	m.sessions[m.last] = &session{owner: string(r.Owner)}
	m.answer(r.Token, answer{session: m.last})
}

func (m *Machine) end(id engine.SessionID) {
	s := m.sessions[id]
	if s == nil {
		return
	}
	m.took(m.engine.Apply(&engine.Command{Op: engine.OpDisconnect, Session: id, Time: m.now}, m.events[:0]))
	if s.link != nil {
		m.unlink(s, refuse(matchingv1.Reason_REASON_UNKNOWN_SESSION, "session %d has ended", id))
	}
	delete(m.sessions, id)
}

func (m *Machine) answer(token uint64, a answer) {
	if to, ok := m.waiting[token]; ok {
		delete(m.waiting, token)
		to <- a // has room for the one answer
	}
}

// took notes what happened, keeps the memory for the next command, and returns events.
func (m *Machine) took(events []engine.Event) []engine.Event {
	m.events = events
	for i := range events {
		v := &events[i]
		m.tally[v.Kind]++
		m.batch.events = append(m.batch.events, *v)
		m.seq = v.Seq
		if m.leading && len(m.alls)+len(m.accounts) > 0 {
			m.packed = wire.AppendEvent(m.packed[:0], v)
			m.tell(v, m.packed)
		}
		if len(m.batch.events) == MaxBatchEvents {
			m.closeBatch()
		}
	}
	return events
}

func (m *Machine) closeBatch() {
	if len(m.batch.events) > 0 {
		m.batch.events = m.sealer.put(m.batch)
	}
}

// Digest is a checksum of all events that there were, and of the sessions: equal on
// nodes that applied the same. It costs the same however much waits in the books; what
// the engine holds is in it by the events of OpCheckpoint.
func (m *Machine) Digest() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	sum := m.seq * 0x9E3779B97F4A7C15
	for id, s := range m.sessions { // in any order: a sum
		sum += (s.last*0x9E3779B97F4A7C15 ^ uint64(id)*0xC2B2AE3D27D4EB4F) * 0x165667B19E3779F9
	}
	return sum ^ m.sealer.settled().Mark()
}
