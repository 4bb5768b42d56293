package funding_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/trading/funding"
)

// A shard that has forgotten the session is asked by a new one.
func TestALostSessionIsFollowedByAnother(t *testing.T) {
	certs := certificates(t)
	first := serve(t, certs, "127.0.0.1:0")
	c := first.dial(t)
	defer func() { _ = c.Close() }()
	link := funding.NewLink(c)
	defer func() { _ = link.Close() }()
	account := engine.Command{Op: engine.OpAccount, Account: 1}
	if out, err := link.Do(t.Context(), account); err != nil || out[0].Kind != engine.EventAccount {
		t.Fatalf("%v, %v", out, err)
	}
	first.stop()
	away, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if out, err := link.Do(away, account); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("nobody is there, and says %v, %v", out, err)
	}
	second := serve(t, certs, first.address)
	defer second.stop()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	lost := 0
	for {
		out, err := link.Do(ctx, account)
		if err == nil && out[0].Kind == engine.EventAccount {
			break
		}
		if ctx.Err() != nil || !errors.Is(err, client.ErrSessionLost) {
			t.Fatalf("%v, %v", out, err)
		}
		lost++
	}
	if lost != 1 {
		t.Errorf("told of a lost session %d times", lost)
	}
	_ = link.Close()
	if _, err := link.Do(t.Context(), account); !errors.Is(err, client.ErrClosed) {
		t.Errorf("a closed link: %v", err)
	}
}
