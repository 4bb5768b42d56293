package api_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"strongroom/api"
	"strongroom/identity/reqsign"
)

func nobody() reqsign.Credential { return reqsign.Credential{} }

// TestPagesObeyTheLimitOfAddresses has a clock that stands but where it is moved.
func TestPagesObeyTheLimitOfAddresses(t *testing.T) {
	start := realNow()
	var moved time.Duration
	h := open(t, func(c *api.Config) {
		c.Pages = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
		c.PerIP, c.PerEnter = api.Rate{PerSecond: 1, Burst: 10}, api.Rate{PerSecond: 0.5, Burst: 3}
		c.Clock = func() time.Time { return start.Add(moved) }
	})
	get := func(path string) answer { return h.call(nobody(), "GET", path, "") }
	for i := range 3 {
		if a := get("/trade/enter?code=x"); a.status != http.StatusTeapot || len(a.header.Values("RateLimit")) != 2 {
			t.Fatalf("enter %d: %d %v", i, a.status, a.header)
		}
	}
	for name, method := range map[string]string{"/trade/enter?code=y": "GET", "/trade/enter": "POST", "/trade/%65nter": "POST"} {
		a := h.call(nobody(), method, name, "")
		if p := a.problem(t); p.Status != http.StatusTooManyRequests || !strings.Contains(p.Detail, "login") || a.header.Get("Retry-After") != "2" {
			t.Errorf("%s %s past its limit: %+v %v", method, name, p, a.header)
		}
	}
	for _, path := range []string{"/trade", "/trade/BTC-USDC", "/static/x/trade.js", "/docs"} { // ten with those before
		if a := get(path); a.status == http.StatusTooManyRequests {
			t.Errorf("%s within the limit: %d", path, a.status)
		}
	}
	for _, path := range []string{"/trade", "/trade/BTC-USDC", "/static/x/trade.js", "/trade/enter", "/docs", "/v1/markets", "/nowhere"} {
		if p := get(path).problem(t); p.Status != http.StatusTooManyRequests || !strings.Contains(p.Detail, "ip") {
			t.Errorf("%s past the limit: %+v", path, p)
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if a := get(path); a.status != http.StatusOK {
			t.Errorf("%s is limited: %d", path, a.status)
		}
	}
	moved = 2 * time.Second
	if a := get("/trade/enter?code=z"); a.status != http.StatusTeapot {
		t.Errorf("two seconds later: %d", a.status)
	}
	if p := get("/trade/enter?code=z").problem(t); !strings.Contains(p.Detail, "login") {
		t.Errorf("once more: %+v", p)
	}
}

func TestPagesTakePlacesAsTheRestDoes(t *testing.T) {
	inside, leave := make(chan bool, 2), make(chan struct{})
	h := open(t, func(c *api.Config) {
		c.MaxConcurrent = 2
		c.Pages = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, bounded := r.Context().Deadline()
			inside <- bounded
			<-leave
		})
	})
	var all sync.WaitGroup
	for _, path := range []string{"/trade/BTC-USDC", "/static/x/trade.js"} {
		all.Go(func() {
			if a := h.call(nobody(), "GET", path, ""); a.status != http.StatusOK {
				t.Errorf("%s: %d", path, a.status)
			}
		})
		if bounded := <-inside; !bounded {
			t.Errorf("%s has no deadline", path)
		}
	}
	for _, path := range []string{"/trade", "/static/x/book.js", "/trade/enter", "/v1/markets"} {
		if p := h.call(nobody(), "GET", path, "").problem(t); p.Status != http.StatusServiceUnavailable {
			t.Errorf("%s with all places taken: %+v", path, p)
		}
	}
	if a := h.call(nobody(), "GET", "/healthz", ""); a.status != http.StatusOK {
		t.Errorf("health: %d", a.status)
	}
	close(leave)
	all.Wait()
}
