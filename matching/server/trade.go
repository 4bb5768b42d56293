package server

import (
	"context"
	"slices"

	"google.golang.org/grpc"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

type tradeStream = grpc.BidiStreamingServer[matchingv1.ClientFrame, matchingv1.ServerFrame]

// Trade implements the service.
func (s *Server) Trade(stream tradeStream) error {
	why := s.trade(stream)
	if why == nil {
		return nil
	}
	s.cfg.Metrics.ended.WithLabelValues(why.reason.String()).Inc()
	return why.status()
}

func (s *Server) trade(stream tradeStream) *refusal {
	ctx := stream.Context()
	name, rights, no := s.caller(ctx)
	if no != nil {
		return no
	}
	first, err := stream.Recv()
	if err != nil {
		return nil // the caller has gone
	}
	if first.GetHello() == nil || len(first.GetCommands()) > 0 {
		return refuse(matchingv1.Reason_REASON_NO_HELLO, "the first frame is a hello and nothing else")
	}
	l, c, welcome, no := s.welcome(ctx, name, rights, first.GetHello())
	if no != nil {
		return no
	}
	s.cfg.Metrics.sessions.Inc()
	defer s.cfg.Metrics.sessions.Dec()
	defer s.seq.leave(l, c)
	if err := stream.Send(&matchingv1.ServerFrame{Welcome: welcome}); err != nil {
		return nil // the caller has gone
	}
	s.streams.Go(func() { c.kick(s.read(stream, rights, l, c)) })
	s.streams.Go(func() {
		write(stream, l, c)
		c.kick(nil)
	})
	select {
	case why := <-c.end:
		return why
	case <-s.closing:
		return refuse(matchingv1.Reason_REASON_CLOSING, "the process ends")
	}
}

// welcome opens a session or finds it, and makes c its stream.
func (s *Server) welcome(ctx context.Context, name string, rights Rights, h *matchingv1.Hello) (*link, *conn, *matchingv1.Welcome, *refusal) {
	accounts, no := listening(rights, h)
	if no != nil {
		return nil, nil, nil, no
	}
	id := engine.SessionID(h.GetSession())
	if id == 0 {
		a, no := s.ask(ctx, func(token uint64) []byte { return wire.AppendOpen(nil, token, name) })
		if no != nil {
			return nil, nil, nil, no
		}
		id = a.session
	}
	epoch, leading := s.cfg.Log.Leading()
	switch {
	case !leading:
		return nil, nil, nil, refuse(matchingv1.Reason_REASON_NOT_LEADER, "this node does not lead")
	case h.GetEpoch() > epoch:
		return nil, nil, nil, refuse(matchingv1.Reason_REASON_EPOCH, "epoch %d is not known here, %d is", h.GetEpoch(), epoch)
	}
	return s.seq.join(id, name, epoch, h, accounts)
}

// listening checks whose events a caller wants.
func listening(rights Rights, h *matchingv1.Hello) ([]engine.AccountID, *refusal) {
	if len(h.GetAccounts()) > maxAccounts {
		return nil, refuse(matchingv1.Reason_REASON_TOO_MANY, "%d accounts", len(h.GetAccounts()))
	}
	var out []engine.AccountID
	for _, a := range h.GetAccounts() {
		out = append(out, engine.AccountID(a))
	}
	slices.Sort(out)
	out = slices.Compact(out)
	for _, a := range out {
		if a == 0 || !rights.account(a) {
			return nil, refuse(matchingv1.Reason_REASON_FORBIDDEN, "events of account %d", a)
		}
	}
	if h.GetAll() && (!rights.Any || len(out) > 0) {
		return nil, refuse(matchingv1.Reason_REASON_FORBIDDEN, "events of all accounts, or of some beside")
	}
	return out, nil
}

// join makes a new stream that of a session.
func (q *sequencer) join(id engine.SessionID, name string, epoch uint64, h *matchingv1.Hello, accounts []engine.AccountID) (*link, *conn, *matchingv1.Welcome, *refusal) {
	m := q.cfg.Machine
	q.mu.Lock()
	defer q.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sessions[id]
	if s == nil || s.owner != name {
		return nil, nil, nil, refuse(matchingv1.Reason_REASON_UNKNOWN_SESSION, "session %d", id)
	}
	if s.link != nil && q.links[id] != s.link {
		return nil, nil, nil, refuse(matchingv1.Reason_REASON_UNKNOWN_SESSION, "session %d ends now", id)
	}
	if s.link == nil {
		q.links[id] = m.connect(id, s, epoch)
	}
	l := s.link
	if !l.all && len(l.accounts) == 0 {
		m.listen(l, accounts, h.GetAll())
	}
	number := h.GetFrame() + 1
	missed := h.GetSession() != 0 && h.GetEpoch() != l.epoch || !l.kept(number)
	if missed {
		number = l.next
	}
	c := newConn()
	l.attach(c, number)
	l.detached = 0
	c.wake <- struct{}{}
	return l, c, &matchingv1.Welcome{
		Session: uint32(id), Epoch: l.epoch, Next: l.received + 1, Oldest: s.oldest(), Missed: missed, Frame: number,
		Seq: m.seq + 1, GraceMs: uint32(q.cfg.Grace.Milliseconds()), //nolint:gosec // days at most
	}, nil
}

// leave notes since when a session has no stream, if c was it.
func (q *sequencer) leave(l *link, c *conn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if l.detach(c) {
		l.detached = max(1, q.cfg.Clock().UnixNano())
	}
}

// write sends frames until the stream ends.
func write(stream tradeStream, l *link, c *conn) {
	ctx := stream.Context()
	for {
		f := l.take(c)
		if f == nil {
			select {
			case <-c.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		if stream.Send(f) != nil {
			return // the caller has gone
		}
	}
}

// read takes commands until the stream ends.
func (s *Server) read(stream tradeStream, rights Rights, l *link, c *conn) *refusal {
	intake := intake{server: s, rights: rights, link: l, conn: c}
	for {
		f, err := stream.Recv()
		if err != nil {
			return nil //nolint:nilerr // the caller has gone, or sent what gRPC refuses by itself
		}
		if no := intake.frame(stream.Context(), f); no != nil {
			return no
		}
	}
}
