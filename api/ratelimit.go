package api

import (
	"container/list"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// buckets limits many clients with one token bucket each. It remembers the
// clients seen last; one that was forgotten starts with a full bucket.
type buckets struct {
	name string
	rate Rate
	keep int

	mu     sync.Mutex
	byName map[string]*list.Element
	recent *list.List // of *bucket, most recent first
}

type bucket struct {
	client  string
	limiter *rate.Limiter
}

func newBuckets(name string, r Rate, keep int) *buckets {
	return &buckets{name: name, rate: r, keep: keep, byName: map[string]*list.Element{}, recent: list.New()}
}

// verdict is the state of a client's bucket after a request.
type verdict struct {
	ok        bool
	remaining int
	wait      time.Duration // until one request is allowed again
}

// take spends one token of a client.
func (b *buckets) take(client string, now time.Time) verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.byName[client]
	if ok {
		b.recent.MoveToFront(e)
	} else {
		e = b.recent.PushFront(&bucket{client, rate.NewLimiter(rate.Limit(b.rate.PerSecond), b.rate.Burst)})
		b.byName[client] = e
		if b.recent.Len() > b.keep {
			oldest := b.recent.Remove(b.recent.Back()).(*bucket) //nolint:forcetypeassert // only buckets are pushed
			delete(b.byName, oldest.client)
		}
	}
	limiter := e.Value.(*bucket).limiter //nolint:forcetypeassert // only buckets are pushed
	v := verdict{ok: limiter.AllowN(now, 1)}
	tokens := limiter.TokensAt(now)
	v.remaining = max(int(tokens), 0)
	if !v.ok && b.rate.PerSecond > 0 {
		v.wait = time.Duration((1 - tokens) / b.rate.PerSecond * float64(time.Second))
	}
	return v
}

// announce writes the limit in the fields of the IETF draft on rate-limit headers.
func (b *buckets) announce(h http.Header, v verdict) {
	refill := max(int(float64(b.rate.Burst)/max(b.rate.PerSecond, 1)), 1)
	h.Add("RateLimit-Policy", fmt.Sprintf(`"%s";q=%d;w=%d`, b.name, b.rate.Burst, refill))
	h.Add("RateLimit", fmt.Sprintf(`"%s";r=%d;t=%d`, b.name, v.remaining, max(seconds(v.wait), 1)))
}

// limit spends a token, announces the state and returns a problem past the limit.
func (b *buckets) limit(h http.Header, client string, now time.Time) *Problem {
	v := b.take(client, now)
	b.announce(h, v)
	if v.ok {
		return nil
	}
	p := newProblem(codeRate, "the limit per "+b.name+" is used up")
	p.retryAfter = max(v.wait, retrySoon)
	return p
}
