package engine

// sessionEntry is a session that has orders which end with it.
type sessionEntry struct{ id, head, tail uint32 }

// sessions is a table of them by id, linear probing, at most half full.
type sessions struct {
	table []sessionEntry
	used  int
}

func (s *sessions) home(id uint32) int {
	h := uint64(id) * roundA
	return int(h >> 32 & uint64(len(s.table)-1))
}

// at returns the entry of a session, or the free one where it belongs.
func (s *sessions) at(id uint32) *sessionEntry {
	mask := len(s.table) - 1
	i := s.home(id)
	for s.table[i].id != 0 && s.table[i].id != id {
		i = (i + 1) & mask
	}
	return &s.table[i]
}

// grow keeps the table at most half full.
func (s *sessions) grow() {
	if 2*(s.used+1) <= len(s.table) {
		return
	}
	old := s.table
	s.table = make([]sessionEntry, max(16, 2*len(old)))
	for _, en := range old {
		if en.id != 0 {
			*s.at(en.id) = en
		}
	}
}

// remove takes a session out, moving those behind it up.
func (s *sessions) remove(id uint32) {
	mask := len(s.table) - 1
	hole := s.home(id)
	for s.table[hole].id != id {
		hole = (hole + 1) & mask
	}
	for at := (hole + 1) & mask; s.table[at].id != 0; at = (at + 1) & mask {
		if home := s.home(s.table[at].id); (at-home)&mask >= (at-hole)&mask {
			s.table[hole] = s.table[at]
			hole = at
		}
	}
	s.table[hole] = sessionEntry{}
	s.used--
}

// join adds an order to its session's.
func (e *Engine) join(p uint32, x *extra, session uint32) {
	e.sessions.grow()
	en := e.sessions.at(session)
	if en.id == 0 {
		en.id = session
		e.sessions.used++
	}
	x.session, x.sesPrev, x.sesNext = session, en.tail, 0
	if en.tail != 0 {
		e.extras[e.rows[en.tail].extra].sesNext = p
	} else {
		en.head = p
	}
	en.tail = p
}

// leave takes an order out of its session's.
func (e *Engine) leave(x *extra) {
	en := e.sessions.at(x.session)
	if x.sesPrev != 0 {
		e.extras[e.rows[x.sesPrev].extra].sesNext = x.sesNext
	} else {
		en.head = x.sesNext
	}
	if x.sesNext != 0 {
		e.extras[e.rows[x.sesNext].extra].sesPrev = x.sesPrev
	} else {
		en.tail = x.sesPrev
	}
	if en.head == 0 {
		e.sessions.remove(en.id)
	}
}

// disconnect cancels the orders that end with a session.
func (e *Engine) disconnect(session uint32) {
	if session == 0 || len(e.sessions.table) == 0 {
		return
	}
	for {
		en := e.sessions.at(session)
		if en.id == 0 {
			return
		}
		e.cancel(en.head, CodeByDisconnect)
	}
}
