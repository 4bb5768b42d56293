//go:build chaos

package chaos

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Link stands between two processes and passes bytes on. While it is bad it loses
// replies whose request has arrived, and delays others.
type Link struct {
	listener net.Listener
	upstream string
	bad      atomic.Bool
	open     sync.Map // net.Conn → true
}

// How bad a bad link is: of its replies, one in loseOneIn is lost and one in
// delayOneIn comes late.
const (
	loseOneIn  = 6
	delayOneIn = 3
	longest    = 3 * time.Second
	chunk      = 64 << 10
)

// NewLink listens on a free port of loopback for what is meant for upstream.
func NewLink(upstream string) (*Link, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // lives as long as the run
	if err != nil {
		return nil, fmt.Errorf("open link to %s: %w", upstream, err)
	}
	l := &Link{listener: listener, upstream: upstream}
	go l.accept()
	return l, nil
}

// Address is where the link listens.
func (l *Link) Address() string { return l.listener.Addr().String() }

// Bad switches between losing and passing.
func (l *Link) Bad(on bool) { l.bad.Store(on) }

// Close ends the link and all that goes over it.
func (l *Link) Close() error {
	err := l.listener.Close()
	l.open.Range(func(conn, _ any) bool {
		_ = conn.(net.Conn).Close() //nolint:forcetypeassert // nothing else is put in
		return true
	})
	if err != nil {
		return fmt.Errorf("close link: %w", err)
	}
	return nil
}

func (l *Link) accept() {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			return // closed
		}
		go l.carry(conn)
	}
}

func (l *Link) carry(down net.Conn) {
	up, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", l.upstream)
	if err != nil {
		_ = down.Close() // nobody is there: so it is for who asks
		return
	}
	for _, conn := range []net.Conn{down, up} {
		l.open.Store(conn, true)
		defer func() { l.open.Delete(conn); _ = conn.Close() }()
	}
	go func() {
		_, _ = io.Copy(up, down)
		_ = up.Close()
	}()
	buffer := make([]byte, chunk)
	for {
		n, err := up.Read(buffer)
		if l.bad.Load() {
			if rand.IntN(loseOneIn) == 0 {
				return
			}
			if rand.IntN(delayOneIn) == 0 {
				time.Sleep(rand.N(longest)) //nolint:forbidigo // between two processes
			}
		}
		if n > 0 {
			if _, err := down.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
