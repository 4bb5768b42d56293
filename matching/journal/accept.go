package journal

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

// accept takes connections of other nodes until the wire is closed.
func (l *Log) accept(self *peer) {
	defer l.workers.Done()
	for !l.stopped() {
		conn, err := l.cfg.Wire.Accept()
		if err != nil {
			if !l.stopped() {
				l.halt(fmt.Errorf("%w: %w", ErrHalted, err))
			}
			return
		}
		if !self.conns.add(conn) {
			_ = conn.NetConn().Close()
			continue
		}
		l.workers.Go(func() {
			defer self.conns.drop(conn)
			if err := l.serve(conn); err != nil && !l.stopped() {
				l.cfg.Log.Debug("connection of a node ended", "node", l.cfg.Node, "error", err)
			}
		})
	}
}

// greet learns whose connection it is and answers only a node of this shard.
func (l *Log) greet(conn *tls.Conn) (hello, error) {
	if err := conn.SetDeadline(l.cfg.Clock().Add(helloTimeout)); err != nil {
		return hello{}, fmt.Errorf("set deadline: %w", err)
	}
	h, err := readHello(conn) // shakes hands first
	if err != nil {
		return h, err
	}
	if err := l.known(conn, h); err != nil {
		l.cfg.Log.Warn("connection of a stranger refused", "node", l.cfg.Node, "from", h.from, "error", err)
		return h, err
	}
	if _, err := conn.Write([]byte{helloAnswer}); err != nil {
		return h, fmt.Errorf("answer hello: %w", err)
	}
	return h, nil
}

// serve reads what one connection brings.
func (l *Log) serve(conn *tls.Conn) error {
	h, err := l.greet(conn)
	if err != nil {
		return err
	}
	if h.purpose == purposeSnap {
		return l.takeSnapshot(conn, h)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	r := bufio.NewReaderSize(conn, wireBuffer)
	for {
		m, err := readMessage(r)
		if err != nil {
			return err
		}
		if err := l.acceptable(m, h); err != nil || m.GetType() == raftpb.MsgSnap {
			return errors.Join(err, fmt.Errorf("%w: message of type %s", ErrForeign, m.GetType()))
		}
		select {
		case l.inbox <- inbound{m: m}:
		case <-l.stop:
			return ErrClosed
		}
	}
}

// known compares the hello with the certificate.
func (l *Log) known(conn *tls.Conn, h hello) error {
	if h.identity != l.identity || h.to != l.cfg.Node {
		return fmt.Errorf("%w: it looks for another log", ErrForeign)
	}
	certs := conn.ConnectionState().PeerCertificates
	for _, p := range l.cfg.Peers {
		if p.ID == h.from && p.ID != l.cfg.Node && len(certs) > 0 && certs[0].Subject.CommonName == p.Name {
			return nil
		}
	}
	return fmt.Errorf("%w: no such node or not its certificate", ErrForeign)
}

// acceptable refuses messages that no node of this shard sends.
func (l *Log) acceptable(m *raftpb.Message, h hello) error {
	if m.GetFrom() != h.from || m.GetTo() != l.cfg.Node || m.GetType() == raftpb.MsgProp {
		return fmt.Errorf("%w: message from %d to %d", ErrForeign, m.GetFrom(), m.GetTo())
	}
	for _, e := range m.GetEntries() {
		if len(e.GetData()) > maxDataBytes || e.GetType() != raftpb.EntryNormal {
			return fmt.Errorf("%w: entry %d of %d bytes", ErrForeign, e.GetIndex(), len(e.GetData()))
		}
	}
	return nil
}

// takeSnapshot receives a message with a file, checks the file, and gives both to the
// loop.
func (l *Log) takeSnapshot(conn *tls.Conn, h hello) error {
	if err := conn.SetDeadline(l.cfg.Clock().Add(snapTimeout)); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	m, err := readMessage(conn)
	if err != nil {
		return err
	}
	if err := l.acceptable(m, h); err != nil || m.GetType() != raftpb.MsgSnap {
		return errors.Join(err, fmt.Errorf("%w: message of type %s with a file", ErrForeign, m.GetType()))
	}
	name, err := l.storeIncoming(conn, m)
	if err != nil {
		return err
	}
	select {
	case l.inbox <- inbound{m: m, file: name}:
	case <-l.stop:
		return ErrClosed
	}
	if _, err := conn.Write([]byte{helloAnswer}); err != nil {
		return fmt.Errorf("answer snapshot: %w", err)
	}
	return nil
}

// storeIncoming writes the file, flushes and checks it.
func (l *Log) storeIncoming(r io.Reader, m *raftpb.Message) (string, error) {
	f, err := os.CreateTemp(filepath.Join(l.cfg.Dir, snapFolder), incomingName)
	if err != nil {
		return "", fmt.Errorf("create received snapshot: %w", err)
	}
	_, err = io.Copy(f, r)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = l.checkIncoming(f.Name(), m.GetSnapshot().GetMetadata())
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("receive snapshot: %w", err), os.Remove(f.Name()))
	}
	return f.Name(), nil
}

func (l *Log) checkIncoming(name string, want *raftpb.SnapshotMetadata) error {
	f, info, err := openSnapshot(name, l.identity)
	if err != nil {
		return err
	}
	if info.index != want.GetIndex() || info.term != want.GetTerm() {
		err = fmt.Errorf("%w: snapshot %d was announced as %d", ErrCorrupt, info.index, want.GetIndex())
	}
	return errors.Join(err, f.Close())
}
