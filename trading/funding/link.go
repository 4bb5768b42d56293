package funding

import (
	"context"
	"sync"

	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

// Link keeps a session with a shard: it opens one when something is asked, and another
// where that one was lost. It gives no command twice by itself. It is safe for
// concurrent use.
type Link struct {
	client *client.Client

	mu      sync.Mutex
	session *client.Session // nil where there is none
	closed  bool
}

var _ Engine = (*Link)(nil)

// NewLink returns a link over a client, which stays the caller's. Its certificate must
// have the right to operate.
func NewLink(c *client.Client) *Link { return &Link{client: c} }

// Do implements Engine. Errors: those of package client, that of ctx.
func (l *Link) Do(ctx context.Context, commands ...engine.Command) ([]wire.Result, error) {
	session, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	results, err := session.Do(ctx, commands...)
	if err != nil && ctx.Err() == nil {
		l.drop(session)
	}
	return results, err
}

func (l *Link) open(ctx context.Context) (*client.Session, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, client.ErrClosed
	}
	if l.session != nil {
		return l.session, nil
	}
	session, err := l.client.Open(ctx, client.Options{})
	if err != nil {
		return nil, err
	}
	l.session = session
	return session, nil
}

// drop forgets a session that is over, unless somebody has since.
func (l *Link) drop(over *client.Session) {
	l.mu.Lock()
	mine := l.session == over
	if mine {
		l.session = nil
	}
	l.mu.Unlock()
	if mine {
		over.Close()
	}
}

// Close ends the session, and with it whatever still waits for results.
func (l *Link) Close() error {
	l.mu.Lock()
	session := l.session
	l.session, l.closed = nil, true
	l.mu.Unlock()
	if session != nil {
		session.Close()
	}
	return nil
}
