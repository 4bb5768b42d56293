package dispatch_test

import (
	"context"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"strongroom/internal/pg"
	"strongroom/internal/temporalx"
	"strongroom/internal/testenv"
	"strongroom/worker/dispatch"
)

func keyword(k temporalx.Keyword) temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword(string(k))
}

// One of two processes leads; the other takes over when the first one's session
// ends, however it ends.
func TestAdvisoryLock(t *testing.T) {
	url := testenv.Postgres(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	lock := func() dispatch.Advisory {
		pool, err := pg.Open(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		l, err := dispatch.NewAdvisory(pool, "outbox")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	one, other := lock(), lock()
	lease, err := one.Try(ctx)
	if err != nil || lease == nil || lease.Held(ctx) != nil {
		t.Fatalf("first: %v, %v", lease, err)
	}
	if second, err := other.Try(ctx); err != nil || second != nil {
		t.Fatalf("two lead: %v, %v", second, err)
	}
	killer, err := pg.Open(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer killer.Close()
	if _, err := killer.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"); err != nil {
		t.Fatal(err)
	}
	if lease.Held(ctx) == nil {
		t.Error("the session is gone, and the lease says it is held")
	}
	lease.Release()
	var next dispatch.Lease
	for next == nil && err == nil && ctx.Err() == nil { // a session ends a moment after it was told to
		next, err = other.Try(ctx)
	}
	if err != nil || next == nil {
		t.Fatalf("nobody takes over: %v", err)
	}
	next.Release()
}
