package trade_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"strongroom/api"
	"strongroom/assets"
	"strongroom/feed/live"
	"strongroom/web"
)

// door stands before the API. It can keep browsers from the stream, to see what the page
// does without it.
type door struct {
	api http.Handler

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]bool // streams
}

// set closes the door and all streams behind it, or opens it again.
func (d *door) set(closed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = closed
	if closed {
		for c := range d.open {
			_ = c.Close()
		}
		clear(d.open)
	}
}

// note keeps the connections that became streams.
func (d *door) note(c net.Conn, state http.ConnState) {
	if state == http.StateHijacked {
		d.mu.Lock()
		d.open[c] = true
		d.mu.Unlock()
	}
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	closed := d.closed
	d.mu.Unlock()
	if closed && r.URL.Path == "/v1/stream" {
		http.Error(w, "closed", http.StatusServiceUnavailable)
		return
	}
	d.api.ServeHTTP(w, r)
}

// What the API serves beside trading; the page asks none of it.
type (
	authenticator = api.Authenticator
	customers     = api.Customers
	freezer       = api.Freezer
	keys          = api.Keys
	books         = api.Books
	addresses     = api.Addresses
	deposits      = api.Deposits
	withdrawals   = api.Withdrawals
	withdrawalLog = api.WithdrawalLog
	events        = api.Events
	chains        = api.Chains
)

// registry knows development's assets.
type registry struct{}

func (registry) ByCode(_ context.Context, code string) (assets.Asset, error) {
	a, err := known(code)
	return assets.Asset{Code: a.Code, Scale: a.Scale}, err
}

func (r registry) All(ctx context.Context) (list []assets.Asset, err error) {
	for _, code := range []string{"BTC", "ETH", "LTC", "USDC"} {
		a, err := r.ByCode(ctx, code)
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

// serve is the API with trading and its page, and nothing else behind it.
func serve(t *testing.T, s *shard, data *live.Live, log *log, pages *web.Pages) http.Handler {
	t.Helper()
	server, err := api.New(api.Config{
		Auth: struct{ authenticator }{}, Customers: struct{ customers }{}, Freezer: struct{ freezer }{}, Keys: struct{ keys }{},
		Assets: registry{}, Books: struct{ books }{}, Addresses: struct{ addresses }{}, Deposits: struct{ deposits }{},
		Withdrawals: struct{ withdrawals }{}, WithdrawalLog: struct{ withdrawalLog }{}, Events: struct{ events }{}, Chains: struct{ chains }{},
		Gate:    api.GateFunc(func(context.Context) error { return nil }),
		Trading: &api.Trading{Orders: s.desk, Log: log, Data: data, Transfers: mover{}, Catalog: s.catalog},
		Pages:   pages, Session: pages.Customer, SessionStands: pages.SessionStands, CursorKey: make([]byte, 32),
		Log: slog.New(slog.DiscardHandler), Clock: s.clock, Metrics: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return server.Handler()
}
