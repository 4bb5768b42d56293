package tour_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"strongroom/api/client"
	"strongroom/identity/reqsign"
	"strongroom/internal/tour"
	"strongroom/money"
)

// platform answers like the API: what is paid is credited, what is asked for is
// paid, once per idempotency key.
type platform struct {
	mu      sync.Mutex
	paid    map[string]string // txid → asset
	asked   map[string]string // idempotency key → id
	arrived map[string]money.Units
	stop    func()            // called when the first withdrawal is asked for; may be nil
	down    int               // how many requests are answered 503 first
	orders  map[string]string // client order id → price
	moves   map[string]bool   // idempotency keys of transfers
	quiet   int               // how many looks at the book find it empty
}

// noon is the tour's clock: what it does depends on no time.
func noon() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }

func btc() money.Asset { return money.Asset{Code: "BTC", Scale: 8} }

func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down > 0 {
		p.down--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	_ = json.NewEncoder(w).Encode(p.answer(r))
}

func (p *platform) answer(r *http.Request) any {
	switch path := r.URL.Path; {
	case path == "/v1/customers":
		return map[string]string{"id": "cus_1"}
	case strings.HasSuffix(path, "/keys"):
		return map[string]any{"key": map[string]string{"id": "key_1"}}
	case path == "/v1/deposit-addresses":
		return map[string]string{"address": "house"}
	case path == "/v1/deposits":
		items := []map[string]string{}
		for txid, asset := range p.paid {
			items = append(items, map[string]string{"id": "dep_" + txid, "asset": asset, "txid": txid, "state": "withdrawable", "amount": "0.5"})
		}
		return map[string]any{"items": items}
	case path == "/v1/withdrawals":
		return p.withdraw(r)
	case strings.HasPrefix(path, "/v1/transfers"), strings.HasPrefix(path, "/v1/markets"), strings.HasPrefix(path, "/v1/orders"), path == "/v1/fills":
		return p.trade(r)
	default:
		return map[string]string{"id": "wdr_1", "state": "posted", "txid": "tx"}
	}
}

func (p *platform) withdraw(r *http.Request) any {
	key := r.Header.Get("Idempotency-Key")
	if p.asked[key] == "" {
		p.asked[key] = "wdr_1"
		p.arrived["outside"], _ = p.arrived["outside"].Add(money.FromUint64(20_000_000))
	}
	if p.stop != nil {
		p.stop()
		p.stop = nil
	}
	return map[string]string{"id": "wdr_1", "fee": "0.0001"}
}

func (p *platform) trade(r *http.Request) any {
	switch path := r.URL.Path; {
	case path == "/v1/transfers":
		p.moves[r.Header.Get("Idempotency-Key")] = true
		return map[string]string{"id": "fnd_1"}
	case strings.HasPrefix(path, "/v1/transfers/"):
		return map[string]string{"state": "done"}
	case path == "/v1/markets/BTC-USDC":
		return map[string]string{"tick": "0.01"}
	case path == "/v1/markets/BTC-USDC/book":
		if p.quiet--; p.quiet >= 0 {
			return map[string]any{"bids": []any{}, "asks": []any{}}
		}
		return map[string]any{"bids": [][]string{{"59990", "1"}}, "asks": [][]string{{"60010", "1"}}}
	case path == "/v1/orders":
		var o map[string]string
		if json.NewDecoder(r.Body).Decode(&o) == nil && p.orders[o["clientOrderId"]] == "" {
			p.orders[o["clientOrderId"]] = o["side"] + " at " + o["price"]
		}
		return map[string]string{"id": "77"}
	case path == "/v1/orders/77":
		return map[string]string{"state": "filled", "filled": "0.05"}
	}
	return map[string]any{"items": []map[string]string{{"price": "59990", "quantity": "0.05", "fee": "4.5", "feeAsset": "USDC"}}}
}

// Pay, Address and Balance make it the outside world too.
func (p *platform) Pay(_ context.Context, asset, to string, _ money.Units) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	txid := fmt.Sprintf("%s-%d", to, len(p.paid))
	if to != "hot" {
		p.paid[txid] = asset
	}
	return txid, nil
}

func (p *platform) Address(string, string) (string, error) { return "outside", nil }

func (p *platform) Balance(_ context.Context, _, at string) (money.Units, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.arrived[at], nil
}

// play runs a tour on a platform and returns what it printed.
func play(t *testing.T, ctx context.Context, p *platform, dir string, row tour.Row, deals ...tour.Deal) (string, error) {
	t.Helper()
	server := httptest.NewServer(p)
	defer server.Close()
	ask := func(key string) (*client.Client, error) {
		cred := reqsign.Credential{Key: key, Scheme: reqsign.HMAC, Secret: strings.Repeat("s", 40)}
		return client.New(client.Config{URL: server.URL, Credential: cred, Clock: noon})
	}
	operator, err := ask("operator")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	play, err := tour.New(tour.Config{
		Operator: operator, Customer: func(c tour.Credential) (*client.Client, error) { return ask(c.Key) }, Outside: p,
		Legs:  []tour.Leg{{Asset: btc(), Deposit: "0.5", Withdraw: "0.2"}},
		Moves: []tour.Move{{Asset: "BTC", Amount: "0.1"}}[:min(len(deals), 1)], Deals: deals,
		House:    []tour.Funding{{Asset: btc(), Amount: "0.1", Address: "hot"}},
		StateDir: dir, Out: &out, Clock: noon, Poll: time.Millisecond,
		Table: func(context.Context) ([]tour.Row, error) { return []tour.Row{row}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	err = play.Run(ctx)
	return out.String(), err
}

func newPlatform() *platform {
	return &platform{paid: map[string]string{}, asked: map[string]string{}, arrived: map[string]money.Units{}, orders: map[string]string{}, moves: map[string]bool{}}
}

func TestTourReachesItsEndThroughOutages(t *testing.T) {
	p := newPlatform()
	p.down = 3
	out, err := play(t, t.Context(), p, t.TempDir(), tour.Row{Asset: btc(), Agrees: true})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, line := range []string{"outside pays 0.5", "withdrawable", "posted", "0.2 arrived outside, to the unit", "agrees"} {
		if !strings.Contains(out, line) {
			t.Errorf("it does not say %q:\n%s", line, out)
		}
	}
}

// Interrupted after it asked for the withdrawal, a tour goes on without a second
// deposit or a second payment.
func TestTourResumesWithoutPayingTwice(t *testing.T) {
	p, dir := newPlatform(), t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	p.stop = cancel
	if out, err := play(t, ctx, p, dir, tour.Row{Asset: btc(), Agrees: true}); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted tour: %v\n%s", err, out)
	}
	out, err := play(t, t.Context(), p, dir, tour.Row{Asset: btc(), Agrees: true})
	if err != nil || !strings.Contains(out, "resuming the tour") {
		t.Fatalf("%v\n%s", err, out)
	}
	if len(p.paid) != 1 || len(p.asked) != 1 {
		t.Errorf("%d deposits, %d withdrawals", len(p.paid), len(p.asked))
	}
}

func TestTourFailsWhereLedgerAndChainDiffer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	out, err := play(t, ctx, newPlatform(), t.TempDir(), tour.Row{Asset: btc(), Ledger: money.FromUint64(1)})
	if !errors.Is(err, tour.ErrDiffers) || !strings.Contains(out, "DIFFERS") {
		t.Errorf("%v\n%s", err, out)
	}
}

// A payment that did not arrive whole is found, whatever the platform says.
func TestTourFailsWhereAPaymentIsShort(t *testing.T) {
	p := newPlatform()
	p.asked["tour-1-BTC"] = "wdr_1" // the platform believes that it paid
	out, err := play(t, t.Context(), p, t.TempDir(), tour.Row{Asset: btc(), Agrees: true})
	if !errors.Is(err, tour.ErrDiffers) {
		t.Errorf("%v\n%s", err, out)
	}
}

// What is traded is traded once, as soon as somebody is there to trade with.
func TestTourTradesWhatWasDeposited(t *testing.T) {
	p, dir := newPlatform(), t.TempDir()
	p.quiet = 3
	deal := tour.Deal{Market: "BTC-USDC", Side: "sell", Quantity: "0.05"}
	for run := range 2 {
		out, err := play(t, t.Context(), p, dir, tour.Row{Asset: btc(), Agrees: true}, deal)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, line := range []string{"0.1 moved to trading", "sell 0.05 at 58790.2 or better", "filled 0.05 at 59990, fee 4.5 USDC", "agrees"} {
			if !strings.Contains(out, line) {
				t.Errorf("run %d does not say %q:\n%s", run, line, out)
			}
		}
	}
	if len(p.orders) != 2 || len(p.moves) != 2 {
		t.Errorf("orders %v, moves %v", p.orders, p.moves)
	}
}
