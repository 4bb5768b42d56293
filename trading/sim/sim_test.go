package sim

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strongroom/api/client"
	"strongroom/identity/reqsign"
	"strongroom/money"
	"strongroom/trading"
)

func terms() []trading.Terms {
	return []trading.Terms{
		{Name: "BTC-USDC", ID: 1, Base: "BTC", Quote: "USDC", Tick: "0.01", Lot: "0.0001", MinQuantity: "0.0001", Reference: "60000"},
		{Name: "LTC-BTC", ID: 3, Base: "LTC", Quote: "BTC", Tick: "0.000001", Lot: "0.01", MinQuantity: "0.01", Reference: "0.0015"},
	}
}

func gridOf(t *testing.T, i int) grid {
	t.Helper()
	g, err := newGrid(&terms()[i], levelOf(terms()[i].Base))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGridCountsExactly(t *testing.T) {
	g := gridOf(t, 0)
	if g.reference != 6_000_000 || g.level != 200 || g.least != 1 || g.price(6_000_001) != "60000.01" || g.quantity(3) != "0.0003" {
		t.Errorf("%+v, %s, %s", g, g.price(6_000_001), g.quantity(3))
	}
	r, err := g.read(Order{ID: "7", Side: sell, Price: "60000.01", Remaining: "0.02"})
	if err != nil || r != (resting{id: "7", sell: true, price: 6_000_001, lots: 200}) {
		t.Errorf("%+v, %v", r, err)
	}
	for _, bad := range []trading.Terms{{Tick: "x"}, {Tick: "1", Lot: "y"}, {Tick: "1", Lot: "1"}, {Tick: "1", Lot: "1", Reference: "1", MinQuantity: ""}} {
		if _, err := newGrid(&bad, "1"); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

func TestTheReferenceStaysNearAndIsTheSameForASeed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed, middle := rapid.Uint64().Draw(t, "seed"), rapid.Int64Range(1, 1<<50).Draw(t, "middle")
		a, b := newWalk(rand.New(rand.NewPCG(seed, 1)), middle), newWalk(rand.New(rand.NewPCG(seed, 1)), middle)
		for range 200 {
			price := a.step()
			if price != b.step() {
				t.Fatal("the same seed went another way")
			}
			if most := middle/million*walkBound + walkBound; price < 1 || distance(price, middle) > most {
				t.Fatalf("%d is far from %d", price, middle)
			}
		}
	})
}

// apply does what a plan asks for to a book in which nobody trades.
func apply(orders []resting, actions []action, next *int) []resting {
	for _, a := range actions {
		orders = slices.DeleteFunc(orders, func(o resting) bool { return o.id == a.id })
		if a.lots == 0 {
			continue
		}
		id := a.id
		if id == "" {
			*next++
			id = strconv.Itoa(*next)
		}
		orders = append(orders, resting{id: id, sell: a.sell, price: a.price, lots: a.lots})
	}
	return orders
}

// TestPlanReachesTheLadder begins with any orders: after enough turns each level has one
// order, each order a level, and no more is changed.
func TestPlanReachesTheLadder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		reference, level := rapid.Int64Range(1000, 1<<40).Draw(t, "reference"), rapid.Int64Range(1, 1<<20).Draw(t, "level")
		var orders []resting
		for i := range rapid.IntRange(0, 40).Draw(t, "orders") {
			orders = append(orders, resting{
				id: "o" + strconv.Itoa(i), sell: rapid.Bool().Draw(t, "sell"),
				price: rapid.Int64Range(max(reference-reference/100, 1), reference+reference/100).Draw(t, "price"), lots: rapid.Int64Range(1, 2*level).Draw(t, "lots"),
			})
		}
		most, next := rapid.IntRange(1, 5).Draw(t, "most"), 0
		for turn := 0; ; turn++ {
			actions := plan(orders, reference, level, most)
			if len(actions) > most {
				t.Fatalf("%d actions of %d", len(actions), most)
			}
			if len(actions) == 0 {
				break
			}
			if turn > 40+2*levels {
				t.Fatalf("no end: %+v", actions)
			}
			orders = apply(orders, actions, &next)
		}
		bids, asks := 0, 0
		for _, o := range orders {
			if o.sell {
				asks++
			} else {
				bids++
			}
			if depth(o, reference) <= -gap(reference)/2 {
				t.Fatalf("%+v is on the wrong side of %d", o, reference)
			}
		}
		if asks != levels || bids > levels || (bids < levels && reference > 4000) {
			t.Fatalf("%d bids, %d asks", bids, asks)
		}
	})
}

// market is an account on a book in which nobody else is.
type market struct {
	grid   grid
	orders []Order
	next   int
	fails  error // of the next request
	asked  []Order
}

func (m *market) fail() error {
	err := m.fails
	m.fails = nil
	return err
}

func (m *market) Place(_ context.Context, o Order) (Order, error) {
	m.asked = append(m.asked, o)
	if err := m.fail(); err != nil {
		return Order{}, err
	}
	m.next++
	o.ID, o.State, o.Remaining = strconv.Itoa(m.next), "open", o.Quantity
	m.orders = append(m.orders, o)
	return o, nil
}

func (m *market) Amend(_ context.Context, id, price, quantity string) (Order, error) {
	if err := m.fail(); err != nil {
		return Order{}, err
	}
	for i := range m.orders {
		if m.orders[i].ID == id {
			m.orders[i].Price, m.orders[i].Remaining = price, quantity
			return m.orders[i], nil
		}
	}
	return Order{}, &client.Problem{Status: http.StatusNotFound, Detail: "no such order"}
}

func (m *market) Cancel(_ context.Context, id string) error {
	m.orders = slices.DeleteFunc(m.orders, func(o Order) bool { return o.ID == id })
	return m.fail()
}

func (m *market) CancelAll(context.Context, string) error { m.orders = nil; return m.fail() }

func (m *market) Open(context.Context, string) ([]Order, error) {
	return slices.Clone(m.orders), m.fail()
}

func (m *market) Top(context.Context, string) (bid, ask string, err error) {
	return "59000", "61000", m.fail()
}

func (m *market) Trading(context.Context) (map[string]money.Units, error) {
	return map[string]money.Units{"BTC": money.FromUint64(1)}, m.fail()
}

func TestTheMakerKeepsItsLadderThroughFillsAndOutages(t *testing.T) {
	g := gridOf(t, 0)
	book := &market{grid: g}
	m := newMaker(g, book, rand.New(rand.NewPCG(1, 1)), names("mm", 1))
	chance := rand.New(rand.NewPCG(2, 2))
	for range 300 {
		switch chance.IntN(20) {
		case 0:
			book.fails = errors.New("nobody is there")
		case 1:
			book.fails = &client.Problem{Status: http.StatusUnprocessableEntity, Detail: "would take"}
		case 2:
			if len(book.orders) > 0 {
				at := chance.IntN(len(book.orders))
				book.orders = slices.Delete(book.orders, at, at+1) // filled
			}
		}
		_ = m.turn(t.Context()) // an outage is told, and mended by the next turns
	}
	for range 2 * lookEvery {
		if err := m.turn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var best, worst [2]int64
	for _, o := range book.orders {
		r, err := g.read(o)
		if err != nil {
			t.Fatal(err)
		}
		if r.sell && (best[1] == 0 || r.price < best[1]) {
			best[1] = r.price
		}
		if !r.sell && r.price > best[0] {
			best[0] = r.price
		}
	}
	if n := len(book.orders); n < levels || n > 2*levels+makerActions || best[0] >= best[1] {
		t.Errorf("%d orders, best %v, %v", n, best, worst)
	}
}

func TestTakersAskForSmallThingsAndTakeNoForAnAnswer(t *testing.T) {
	g := gridOf(t, 0)
	book := &market{grid: g}
	k := &taker{rng: rand.New(rand.NewPCG(1, 1)), grids: []grid{g}, account: book, name: names("t", 1)}
	limits := 0
	for range 200 {
		if w := k.wait(); w < takerLeast || w >= takerMost {
			t.Fatalf("waits %s", w)
		}
		book.fails = nil
		if err := k.turn(t.Context()); err != nil {
			t.Fatal(err)
		}
		o := book.asked[len(book.asked)-1]
		lots, err := steps(o.Quantity, g.lot)
		if err != nil || lots < g.least || lots >= g.level {
			t.Fatalf("%+v", o)
		}
		if o.Type == "limit" {
			limits++
			if o.Price != map[string]string{buy: "61000", sell: "59000"}[o.Side] || o.TimeInForce != "ioc" {
				t.Fatalf("%+v", o)
			}
		}
	}
	if limits == 0 || limits == 200 {
		t.Errorf("%d limit orders of 200", limits)
	}
	book.fails = &client.Problem{Status: http.StatusUnprocessableEntity}
	if err := (&taker{rng: rand.New(rand.NewPCG(3, 4)), grids: []grid{g}, account: book, name: names("t", 1)}).turn(t.Context()); err != nil {
		t.Error(err)
	}
}

// platform answers what players ask for beside trading.
type platform struct {
	mu    sync.Mutex
	asked []string
	paid  []string
	known map[string]string // names by reference: each is one customer's
}

func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, r.Method+" "+r.URL.Path)
	switch {
	case r.URL.Path == "/v1/customers":
		var c struct {
			Name      string `json:"name"`
			Reference string `json:"reference"`
		}
		if json.NewDecoder(r.Body).Decode(&c) != nil || strings.Contains(c.Reference, " ") || p.known[c.Reference] != "" && p.known[c.Reference] != c.Name {
			w.WriteHeader(http.StatusConflict)
			return
		}
		p.known[c.Reference] = c.Name
		_ = json.NewEncoder(w).Encode(map[string]string{"id": "cus_" + strconv.Itoa(len(p.asked))})
	case strings.HasSuffix(r.URL.Path, "/keys"):
		_ = json.NewEncoder(w).Encode(map[string]any{"key": map[string]string{"id": "key_1"}})
	case r.URL.Path == "/v1/deposit-addresses":
		_ = json.NewEncoder(w).Encode(map[string]string{"address": "here"})
	case r.URL.Path == "/v1/orders" && r.Method == http.MethodPost:
		_ = json.NewEncoder(w).Encode(map[string]string{"id": "1", "state": "open"})
	default:
		_ = json.NewEncoder(w).Encode(map[string]any{"items": []any{}})
	}
}

func (p *platform) Pay(_ context.Context, asset, to string, units money.Units) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paid = append(p.paid, asset+" "+units.String()+" "+to)
	return "tx", nil
}

func (p *platform) count(what string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, a := range p.asked {
		if a == what {
			n++
		}
	}
	return n
}

// TestPlayersEnrolAndArePaidOnce plays for a while, twice, on one folder.
func TestPlayersEnrolAndArePaidOnce(t *testing.T) {
	p, dir := &platform{known: map[string]string{}}, t.TempDir()
	server := httptest.NewServer(p)
	defer server.Close()
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	ask := func(c Credential) (*client.Client, error) {
		return client.New(client.Config{
			URL: server.URL, Clock: func() time.Time { return now },
			Credential: reqsign.Credential{Key: "key " + c.Key, Scheme: reqsign.HMAC, Secret: strings.Repeat("s", 40)},
		})
	}
	operator, err := ask(Credential{Key: "operator"})
	if err != nil {
		t.Fatal(err)
	}
	for run := range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		waits := 0
		s, err := New(Config{
			Operator: operator, Customer: ask, World: p, Terms: terms(), StateDir: dir, Seed: 7,
			Assets: map[string]money.Asset{"BTC": {Code: "BTC", Scale: 8}, "LTC": {Code: "LTC", Scale: 8}, "ETH": {Code: "ETH", Scale: 18}, "USDC": {Code: "USDC", Scale: 6}},
			Clock:  func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
			Wait: func(ctx context.Context, _ time.Duration) bool {
				mu.Lock()
				defer mu.Unlock()
				// Until the maker, too, has had its turns.
				if waits++; waits > 60 && p.count("GET /v1/orders") > (run+1)*len(terms()) {
					cancel()
				}
				return ctx.Err() == nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	players := 1 + takers
	if n := p.count("POST /v1/customers"); n != players {
		t.Errorf("%d customers", n)
	}
	if len(p.paid) != 4*players || !slices.Contains(p.paid, "USDC 150000000000 here") {
		t.Errorf("paid %q", p.paid)
	}
	if p.count("POST /v1/orders") == 0 || p.count("PUT /v1/trading/preferences") != 2*players || p.count("DELETE /v1/orders") != 2*len(terms()) {
		t.Errorf("%d orders, %d preferences, %d cancels", p.count("POST /v1/orders"), p.count("PUT /v1/trading/preferences"), p.count("DELETE /v1/orders"))
	}
}
