package server

import (
	"context"
	"errors"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

// intake takes one stream's frames: all of a frame is looked at before any of it counts.
type intake struct {
	server   *Server
	rights   Rights
	link     *link
	conn     *conn
	next     uint64 // the number that must come; zero before the first frame
	commands []engine.Command
}

func (in *intake) frame(ctx context.Context, f *matchingv1.ClientFrame) *refusal {
	if f.GetHello() != nil {
		return refuse(matchingv1.Reason_REASON_NO_HELLO, "a second hello")
	}
	if no := in.decode(f); no != nil {
		return no
	}
	first, n := f.GetFirst(), uint64(len(in.commands))
	received, no := in.number(first, n)
	if no != nil {
		return no
	}
	repeats := uint64(0)
	if first <= received {
		repeats = min(n, received+1-first)
		if no := in.server.cfg.Machine.again(in.link, first, first+repeats); no != nil {
			return no
		}
	}
	in.next = first + n
	fresh := in.commands[repeats:]
	if len(fresh) == 0 {
		return nil
	}
	c := chunk{first: first + repeats, count: len(fresh), at: in.server.cfg.Clock()}
	for i := range fresh {
		fresh[i].Session = 0
		if fresh[i].Op == engine.OpNew && fresh[i].Flags&engine.OnDisconnect != 0 {
			fresh[i].Session = in.link.session
		}
		c.body = wire.AppendCommand(c.body, &fresh[i])
	}
	if !in.server.seq.put(ctx, in.link, in.conn, c) {
		return refuse(matchingv1.Reason_REASON_OUTCOME_UNKNOWN, "the session goes on elsewhere")
	}
	return nil
}

// decode reads the commands of a frame and checks that the caller may give them.
func (in *intake) decode(f *matchingv1.ClientFrame) *refusal {
	if f.GetVersion() != wire.Version {
		return refuse(matchingv1.Reason_REASON_VERSION, "version %d, spoken here is %d", f.GetVersion(), wire.Version)
	}
	var err error
	in.commands, err = wire.ReadCommands(f.GetCommands(), in.commands[:0])
	switch {
	case errors.Is(err, wire.ErrOversized):
		return refuse(matchingv1.Reason_REASON_OVERSIZED, "%v", err)
	case err != nil:
		return refuse(matchingv1.Reason_REASON_MALFORMED, "%v", err)
	case len(in.commands) == 0 || f.GetFirst() == 0 || f.GetFirst() > 1<<63:
		return refuse(matchingv1.Reason_REASON_MALFORMED, "%d commands from number %d", len(in.commands), f.GetFirst())
	}
	for i := range in.commands {
		if no := in.rights.command(&in.commands[i]); no != nil {
			return no
		}
	}
	return nil
}

// number checks the place of a frame: behind the one before, or, where it is the first of
// its stream, not beyond what comes next. It returns the last number that was taken in.
func (in *intake) number(first, n uint64) (uint64, *refusal) {
	q := in.server.seq
	q.mu.Lock()
	received := in.link.received
	q.mu.Unlock()
	expected, reason := in.next, matchingv1.Reason_REASON_UNSPECIFIED
	switch {
	case in.next == 0 && first > received+1:
		expected, reason = received+1, matchingv1.Reason_REASON_GAP
	case in.next != 0 && first > in.next:
		reason = matchingv1.Reason_REASON_GAP
	case in.next != 0 && first < in.next:
		reason = matchingv1.Reason_REASON_REPEAT
	}
	if reason == matchingv1.Reason_REASON_UNSPECIFIED {
		return received, nil
	}
	no := refuse(reason, "commands %d to %d where %d comes", first, first+n-1, expected)
	no.expected = expected
	return 0, no
}

// again sends the first results of commands that are repeated; those of commands under
// way come by themselves.
func (m *Machine) again(l *link, from, to uint64) *refusal {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sessions[l.session]
	if s == nil || s.link != l {
		return refuse(matchingv1.Reason_REASON_UNKNOWN_SESSION, "session %d", l.session)
	}
	if from < s.oldest() {
		no := refuse(matchingv1.Reason_REASON_TOO_OLD, "the result of command %d is no longer kept", from)
		no.expected = s.oldest()
		return no
	}
	for seq := from; seq < to && seq <= s.last; seq++ {
		result := s.results[(seq-1)%Window]
		result.Repeated = true
		l.results = wire.AppendResult(l.results, &result)
	}
	l.flush()
	return nil
}
