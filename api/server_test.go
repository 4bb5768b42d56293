package api_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strongroom/api"
	"strongroom/identity"
	"strongroom/identity/reqsign"
)

func TestLimitsPerKeyAndPerAddress(t *testing.T) {
	h := open(t, func(c *api.Config) {
		c.PerKey, c.PerIP = api.Rate{PerSecond: 1, Burst: 3}, api.Rate{PerSecond: 2, Burst: 8}
	})
	start := realNow()
	frozen := func(d time.Duration) { h.clock.Store(int64(d - realNow().Sub(start))) }
	read := func(cred reqsign.Credential) answer { frozen(0); return h.call(cred, "GET", "/v1/balances", "") }
	for i := range 3 {
		if a := read(h.alice); a.status != 200 || len(a.header.Values("RateLimit")) != 2 {
			t.Fatalf("request %d: %d %v", i, a.status, a.header)
		}
	}
	a := read(h.alice)
	if p := a.problem(t); p.Status != 429 || a.header.Get("Retry-After") != "1" || !strings.Contains(strings.Join(a.header.Values("RateLimit"), ","), `"key";r=0`) {
		t.Errorf("past the key's limit: %+v %v", p, a.header)
	}
	other := h.key(identity.Read)
	if a := read(other); a.status != 200 {
		t.Errorf("another key: %d", a.status)
	}
	for range 3 {
		read(other)
	}
	if p := read(other).problem(t); p.Status != 429 || !strings.Contains(p.Detail, "ip") {
		t.Errorf("past the address's limit: %+v", p)
	}
	h.clock.Store(int64(5 * time.Second))
	if a := h.call(h.alice, "GET", "/v1/balances", ""); a.status != 200 {
		t.Errorf("five seconds later: %d %s", a.status, a.body)
	}
}

func TestOnlyLoopbackUnlessAllowed(t *testing.T) {
	h := open(t)
	for addr, ok := range map[string]bool{"127.0.0.1:0": true, "[::1]:0": true, "0.0.0.0:0": false, "example.org:80": false, ":80": false, "x": false} {
		cfg := h.cfg
		cfg.Addr, cfg.Metrics = addr, prometheus.NewRegistry()
		if _, err := api.New(cfg); (err == nil) != ok {
			t.Errorf("%s: %v", addr, err)
		}
		cfg.AllowRemote, cfg.Metrics = true, prometheus.NewRegistry()
		if _, err := api.New(cfg); err != nil && addr != "x" {
			t.Errorf("%s, allowed: %v", addr, err)
		}
	}
}

func TestDrainEndsStreamsAndLetsWorkFinish(t *testing.T) {
	h := open(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	h.url = "http://" + l.Addr().String()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.server.Serve(ctx, l) }()
	res, err := http.DefaultClient.Do(h.request(h.alice, "GET", "/v1/events", ""))
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	stop()
	if err := <-done; err != nil {
		t.Errorf("drain: %v", err)
	}
}
