package journal

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
)

// Bounds of the connections between nodes.
const (
	outQueue     = 1024
	wireBuffer   = 256 << 10
	helloTimeout = 2 * time.Second
	writeTimeout = 2 * time.Second
	snapTimeout  = time.Minute
	redialFirst  = 20 * time.Millisecond
	redialLast   = 500 * time.Millisecond
	maxConns     = 4 * maxNodes
)

// peer is another node: what goes to it waits in out, and is thrown away when it is too
// much; Raft sends again.
type peer struct {
	Peer
	l       *Log
	out     chan *raftpb.Message
	sending chan struct{}   // holds a token while a snapshot goes there
	owed    *raftpb.Message // news of a commit that waits; of the loop
	conns   conns
}

// conns are open connections, to be closed together.
type conns struct {
	mu     sync.Mutex
	open   map[net.Conn]bool
	closed bool
}

// add notes c; false means that no more are taken and c must be closed.
func (c *conns) add(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.open) >= maxConns {
		return false
	}
	if c.open == nil {
		c.open = map[net.Conn]bool{}
	}
	c.open[conn] = true
	return true
}

// drop closes conn and forgets it.
func (c *conns) drop(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, conn)
	_ = raw(conn).Close()
}

// raw closes under TLS: no farewell that could block.
func raw(conn net.Conn) net.Conn {
	if t, ok := conn.(*tls.Conn); ok {
		return t.NetConn()
	}
	return conn
}

func (c *conns) closeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for conn := range c.open {
		_ = raw(conn).Close()
	}
}

// connect starts what talks to the other nodes.
func (l *Log) connect() {
	if l.cfg.Wire == nil {
		return
	}
	self := &peer{l: l}
	for _, p := range l.cfg.Peers {
		if p.ID == l.cfg.Node {
			continue
		}
		other := &peer{Peer: p, l: l, out: make(chan *raftpb.Message, outQueue), sending: make(chan struct{}, 1)}
		l.peers[p.ID] = other
		l.workers.Add(1)
		go other.deliver()
	}
	l.peers[l.cfg.Node] = self
	l.workers.Add(1)
	go l.accept(self)
}

func (l *Log) disconnect() {
	if l.cfg.Wire == nil {
		return
	}
	_ = l.cfg.Wire.Close()
	for _, p := range l.peers {
		p.conns.closeAll()
	}
}

// send queues messages: answers, which promise that something is on disk, when late is
// set, and all others when it is not.
func (l *Log) send(messages []*raftpb.Message, late bool) {
	for _, m := range messages {
		p := l.peers[m.GetTo()]
		if p == nil || p.out == nil || isAnswer(m) != late {
			continue
		}
		switch {
		case m.GetType() == raftpb.MsgSnap:
			p.startSnapshot(m)
		case m.GetType() == raftpb.MsgApp && len(m.GetEntries()) == 0 && l.replicates(p.ID):
			p.owed = m
		default:
			l.post(p, m)
		}
	}
}

func (l *Log) post(p *peer, m *raftpb.Message) {
	if m.GetType() == raftpb.MsgApp {
		p.owed = nil
	}
	select {
	case p.out <- m:
	default:
		l.rn.ReportUnreachable(p.ID)
	}
}

// replicates says whether a node takes entries as they come: then a message without
// any is news of a commit and nothing else, and the next entries bring it too. It is
// half of all messages and keeps everybody busy while a caller waits for its answer.
func (l *Log) replicates(id uint64) (yes bool) {
	l.rn.WithProgress(func(of uint64, _ raft.ProgressType, p tracker.Progress) {
		yes = yes || of == id && p.State == tracker.StateReplicate
	})
	return yes
}

// tick lets time pass for Raft, and has news of commits told that no entries brought.
func (l *Log) tick() {
	l.rn.Tick()
	for _, p := range l.peers {
		if p.owed != nil {
			l.post(p, p.owed)
		}
	}
}

func isAnswer(m *raftpb.Message) bool {
	t := m.GetType()
	return t == raftpb.MsgAppResp || t == raftpb.MsgVoteResp || t == raftpb.MsgPreVoteResp
}

// open dials and says hello.
func (p *peer) open(ctx context.Context, purpose byte) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	conn, err := p.l.cfg.Wire.Dial(ctx, p.Peer)
	if err != nil {
		return nil, err
	}
	if !p.conns.add(conn) {
		_ = raw(conn).Close()
		return nil, ErrClosed
	}
	answer := make([]byte, 1)
	err = conn.SetDeadline(p.l.cfg.Clock().Add(helloTimeout))
	if err == nil {
		_, err = conn.Write(hello{p.l.identity, p.l.cfg.Node, p.ID, purpose}.encode())
	}
	if err == nil {
		_, err = io.ReadFull(conn, answer)
	}
	if err == nil && answer[0] != helloAnswer {
		err = ErrForeign
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		p.conns.drop(conn)
		return nil, fmt.Errorf("greet node %d: %w", p.ID, err)
	}
	return conn, nil
}

// deliver keeps a connection to the peer and writes what is queued.
func (p *peer) deliver() {
	defer p.l.workers.Done()
	ctx, cancel := p.l.context()
	defer cancel()
	wait := redialFirst
	for !p.l.stopped() {
		conn, err := p.open(ctx, purposeLog)
		if err == nil {
			wait = redialFirst
			err = p.pump(conn)
			p.conns.drop(conn)
		}
		p.l.cfg.Log.Debug("node is not connected", "node", p.l.cfg.Node, "peer", p.ID, "error", err)
		p.unreachable()
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-p.l.stop:
			timer.Stop()
		}
		wait = min(2*wait, redialLast)
	}
}

// unreachable forgets what waits: by now it is old.
func (p *peer) unreachable() {
	for range len(p.out) {
		<-p.out
	}
	p.l.tell(func() error {
		p.l.rn.ReportUnreachable(p.ID)
		return nil
	})
}

// pump writes messages until the connection fails or the log stops.
func (p *peer) pump(conn net.Conn) error {
	w, buf := bufio.NewWriterSize(conn, wireBuffer), make([]byte, 0, wireBuffer)
	for {
		select {
		case <-p.l.stop:
			return ErrClosed
		case m := <-p.out:
			if err := conn.SetWriteDeadline(p.l.cfg.Clock().Add(writeTimeout)); err != nil {
				return fmt.Errorf("set deadline: %w", err)
			}
			var err error
			if buf, err = writeMessage(w, buf, m); err != nil {
				return err
			}
			if len(p.out) > 0 {
				continue
			}
			if err := w.Flush(); err != nil {
				return fmt.Errorf("flush messages: %w", err)
			}
		}
	}
}

// startSnapshot sends the newest snapshot beside the stream of messages.
func (p *peer) startSnapshot(m *raftpb.Message) {
	select {
	case p.sending <- struct{}{}:
	default:
		p.l.rn.ReportSnapshot(p.ID, raft.SnapshotFailure)
		return
	}
	p.l.workers.Go(func() {
		result := raft.SnapshotFinish
		if err := p.sendSnapshot(m); err != nil {
			p.l.cfg.Log.Warn("snapshot not sent", "node", p.l.cfg.Node, "peer", p.ID, "error", err)
			result = raft.SnapshotFailure
		}
		<-p.sending
		p.l.tell(func() error {
			p.l.rn.ReportSnapshot(p.ID, result)
			return nil
		})
	})
}

func (p *peer) sendSnapshot(m *raftpb.Message) error {
	file, err := os.Open(snapName(p.l.cfg.Dir, m.GetSnapshot().GetMetadata().GetIndex()))
	if err != nil {
		return fmt.Errorf("open snapshot: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	ctx, cancel := p.l.context()
	defer cancel()
	conn, err := p.open(ctx, purposeSnap)
	if err != nil {
		return err
	}
	defer p.conns.drop(conn)
	if err := conn.SetDeadline(p.l.cfg.Clock().Add(snapTimeout)); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	if _, err := writeMessage(conn, nil, m); err != nil {
		return err
	}
	if _, err := io.Copy(conn, file); err != nil {
		return fmt.Errorf("send snapshot: %w", err)
	}
	if c, ok := conn.(*tls.Conn); ok {
		if err := c.CloseWrite(); err != nil {
			return fmt.Errorf("end snapshot: %w", err)
		}
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(conn, answer); err != nil || answer[0] != helloAnswer {
		return errors.Join(fmt.Errorf("%w: node %d did not take the snapshot", ErrHalted, p.ID), err)
	}
	return nil
}

// context ends when the log stops.
func (l *Log) context() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	l.workers.Go(func() {
		select {
		case <-l.stop:
			cancel()
		case <-ctx.Done():
		}
	})
	return ctx, cancel
}
