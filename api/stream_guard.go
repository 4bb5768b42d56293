package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"strongroom/identity"
)

const (
	guardWait = 2 * time.Second // for one answer
	maxDoubts = 6               // looks in a row without an answer, then the stream ends
)

// guard ends what outlives the right that opened it: a key that is revoked, a session that
// is over.
type guard struct {
	every  time.Duration
	stands func(ctx context.Context) (bool, error)
	gone   ending // where it does not
}

// guardKey is for what a key opened: it stands while the key may read.
func (s *Server) guardKey(key string) *guard {
	return &guard{every: s.cfg.StreamCheck, gone: ending{websocket.StatusPolicyViolation, "key revoked", "revoked"}, stands: func(ctx context.Context) (bool, error) {
		p, err := s.cfg.Auth.Principal(ctx, key)
		if errors.Is(err, identity.ErrRevoked) || errors.Is(err, identity.ErrNotFound) {
			return false, nil
		}
		return err == nil && p.Has(identity.Read), err
	}}
}

// guardSession is for what the session of a request opened.
func (s *Server) guardSession(r *http.Request) *guard {
	return &guard{every: s.cfg.StreamCheck, gone: ending{websocket.StatusPolicyViolation, "session ended", "session_ended"}, stands: func(ctx context.Context) (bool, error) {
		return s.cfg.SessionStands(r.WithContext(ctx))
	}}
}

// watch returns why the stream must end, or nil where ctx ends first. A moment without an
// answer ends nothing; a longer one does, for then a right that is gone would go on.
func (g *guard) watch(ctx context.Context) *ending {
	tick := time.NewTicker(g.every)
	defer tick.Stop()
	for doubts := 0; doubts < maxDoubts; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		stands, err := g.look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			doubts++
		case !stands:
			return &g.gone
		default:
			doubts = 0
		}
	}
	return &ending{websocket.StatusTryAgainLater, "whether you may still read cannot be found out now; come back", "unavailable"}
}

func (g *guard) look(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, guardWait)
	defer cancel()
	return g.stands(ctx)
}
