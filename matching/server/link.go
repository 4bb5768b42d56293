package server

import (
	"slices"
	"sync"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

// link is what the leader keeps of a session besides what the log says.
type link struct {
	session engine.SessionID
	owner   string
	epoch   uint64

	// Under the machine's lock.
	accounts        []engine.AccountID
	all             bool
	touched         bool
	results, events []byte

	// Under the sequencer's lock.
	queue    []chunk
	queued   int
	received uint64 // number of the last command that was taken in
	ready    bool   // is in the sequencer's list
	detached int64  // log time since when it has no stream; zero with one
	room     chan struct{}

	mu     sync.Mutex
	frames []*matchingv1.ServerFrame
	bytes  int
	next   uint64 // number of the frame that comes next
	sent   uint64 // number of the frame that the stream takes next
	conn   *conn
}

func newLink(id engine.SessionID, owner string, epoch uint64) *link {
	return &link{session: id, owner: owner, epoch: epoch, next: 1, room: make(chan struct{}, 1)}
}

// conn is one stream of a session.
type conn struct {
	end  chan *refusal
	wake chan struct{} // there is a frame
}

func newConn() *conn { return &conn{end: make(chan *refusal, 1), wake: make(chan struct{}, 1)} }

// kick ends the stream; the first reason stays.
func (c *conn) kick(r *refusal) {
	select {
	case c.end <- r:
	default:
	}
}

// attach makes c the session's stream, from frame number on; the one before ends.
func (l *link) attach(c *conn, number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = number
	if l.conn != nil {
		l.conn.kick(refuse(matchingv1.Reason_REASON_REPLACED, "session %d goes on in another stream", l.session))
	}
	l.conn = c
}

// detach reports whether c was the session's stream until now.
func (l *link) detach(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != c {
		return false
	}
	l.conn = nil
	return true
}

// holds reports whether c is the session's stream.
func (l *link) holds(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn == c
}

func (l *link) kick(r *refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		l.conn.kick(r)
	}
}

// flush makes a frame of what was collected. The machine's lock is held.
func (l *link) flush() {
	l.touched = false
	if len(l.results)+len(l.events) == 0 {
		return
	}
	f := &matchingv1.ServerFrame{Version: wire.Version, Results: l.results, Events: l.events}
	l.results, l.events = nil, nil
	l.mu.Lock()
	defer l.mu.Unlock()
	f.Number = l.next
	l.next++
	l.frames = append(l.frames, f)
	l.bytes += size(f)
	for len(l.frames) > maxKeptFrames || l.bytes > maxKeptBytes {
		l.bytes -= size(l.frames[0])
		l.frames[0], l.frames = nil, l.frames[1:]
	}
	if l.conn == nil {
		return
	}
	if oldest := l.next - uint64(len(l.frames)); l.sent < oldest {
		l.conn.kick(refuse(matchingv1.Reason_REASON_SLOW_READER, "frame %d was not read and is no longer kept", l.sent))
	}
	select {
	case l.conn.wake <- struct{}{}:
	default:
	}
}

func size(f *matchingv1.ServerFrame) int { return len(f.GetResults()) + len(f.GetEvents()) }

// kept reports whether all frames from number on can be sent.
func (l *link) kept(number uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return number >= l.next-uint64(len(l.frames)) && number <= l.next
}

// take returns the next frame for stream c, nil if there is none or c has been replaced
// or left behind.
func (l *link) take(c *conn) *matchingv1.ServerFrame {
	l.mu.Lock()
	defer l.mu.Unlock()
	oldest := l.next - uint64(len(l.frames))
	if l.conn != c || l.sent < oldest || l.sent >= l.next {
		return nil
	}
	l.sent++
	return l.frames[l.sent-1-oldest]
}

// listen enters l where events are handed out. The machine's lock is held.
func (m *Machine) listen(l *link, accounts []engine.AccountID, all bool) {
	l.accounts, l.all = accounts, all
	if l.all {
		m.alls = append(m.alls, l)
	}
	for _, a := range l.accounts {
		m.accounts[a] = append(m.accounts[a], l)
	}
}

// unlink forgets what this node has of a session. The machine's lock is held.
func (m *Machine) unlink(s *session, why *refusal) {
	l := s.link
	m.linked--
	s.link = nil
	isLink := func(other *link) bool { return other == l }
	m.alls = slices.DeleteFunc(m.alls, isLink)
	for _, a := range l.accounts {
		m.accounts[a] = slices.DeleteFunc(m.accounts[a], isLink)
		if len(m.accounts[a]) == 0 {
			delete(m.accounts, a)
		}
	}
	l.kick(why)
}

// adopt makes links of sessions that have none: a leader before had them.
func (m *Machine) adopt(epoch uint64) []*link {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.linked == len(m.sessions) {
		return nil
	}
	var out []*link
	for id, s := range m.sessions {
		if s.link == nil {
			out = append(out, m.connect(id, s, epoch))
		}
	}
	return out
}

// connect makes a link. The machine's lock is held.
func (m *Machine) connect(id engine.SessionID, s *session, epoch uint64) *link {
	l := newLink(id, s.owner, epoch)
	l.received = s.last
	s.link = l
	m.linked++
	return l
}

// unlinkAll forgets all sessions' and ends what waits for an answer.
func (m *Machine) unlinkAll(why *refusal) {
	for _, s := range m.sessions {
		if s.link != nil {
			m.unlink(s, why)
		}
	}
	for token := range m.waiting {
		m.answer(token, answer{err: why})
	}
}

func (m *Machine) touch(l *link) {
	if !l.touched {
		l.touched = true
		m.touched = append(m.touched, l)
	}
}

// send gives a session a result.
func (m *Machine) send(s *session, r *wire.Result) {
	if !m.leading || s.link == nil {
		return
	}
	m.touch(s.link)
	s.link.results = wire.AppendResult(s.link.results, r)
}

// tell gives an event to the sessions that listen to its accounts. Those that may see
// all get it as it is; of a trade the others get their own side only.
func (m *Machine) tell(v *engine.Event, packed []byte) {
	if v.Account == 0 {
		return
	}
	for _, l := range m.alls {
		m.add(l, packed)
	}
	if len(m.accounts) == 0 {
		return
	}
	if v.Kind != engine.EventTrade {
		for _, l := range m.accounts[v.Account] {
			m.add(l, packed)
		}
		return
	}
	if ls := m.accounts[v.Account]; len(ls) > 0 {
		side := *v
		side.Maker, side.MakerAccount, side.Left, side.Balance = 0, 0, 0, engine.Amount{}
		m.each(ls, &side)
	}
	if ls := m.accounts[v.MakerAccount]; len(ls) > 0 {
		side := *v
		side.Order, side.Account, side.TakerLeft, side.Amount = 0, 0, 0, engine.Amount{}
		m.each(ls, &side)
	}
}

func (m *Machine) each(ls []*link, v *engine.Event) {
	packed := wire.AppendEvent(nil, v)
	for _, l := range ls {
		m.add(l, packed)
	}
}

func (m *Machine) add(l *link, packed []byte) {
	m.touch(l)
	if len(l.events)+len(packed) > maxFrameBytes {
		l.flush()
		l.touched = true // is in the list
	}
	l.events = append(l.events, packed...)
}
