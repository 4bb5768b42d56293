package web_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"strongroom/feed"
	"strongroom/identity"
	"strongroom/internal/kv"
	"strongroom/matching/engine"
	"strongroom/money"
	"strongroom/trading"
	"strongroom/web"
)

const alice = "cus_alice"

var errNone = errors.New("there is none")

// store keeps values in memory by a clock that the test moves.
type store struct {
	mu     sync.Mutex
	clock  func() time.Time
	values map[string]stored
	broken error // answered to who takes or reads

	between func() // called before what was read is replaced
}

type stored struct {
	value []byte
	until time.Time
}

func (s *store) Get(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[key]
	switch {
	case s.broken != nil:
		return nil, s.broken
	case !ok || !s.clock().Before(v.until):
		return nil, kv.ErrMissing
	}
	return v.value, nil
}

func (s *store) Take(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[key]
	switch {
	case s.broken != nil:
		return nil, s.broken
	case !ok || !s.clock().Before(v.until):
		return nil, kv.ErrMissing
	}
	delete(s.values, key)
	return v.value, nil
}

func (s *store) Set(_ context.Context, key string, value []byte, ttl time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[key] = stored{value, s.clock().Add(ttl)}
	return nil
}

func (s *store) Replace(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if s.between != nil {
		s.between()
	}
	s.mu.Lock()
	_, ok := s.values[key]
	s.mu.Unlock()
	if !ok {
		return kv.ErrMissing
	}
	return s.Set(ctx, key, value, ttl)
}

func (s *store) Delete(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, key)
	return nil
}

// desk takes orders in memory: it answers by client id as the shard does.
type desk struct {
	trading.Orders // what the pages do not use is not there

	mu     sync.Mutex
	orders []trading.Order
	refuse error
}

func (d *desk) Place(_ context.Context, customer string, o trading.NewOrder) (trading.Order, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refuse != nil {
		return trading.Order{}, false, d.refuse
	}
	for _, known := range d.orders {
		if known.ClientID == o.ClientID {
			return known, true, nil
		}
	}
	made := trading.Order{
		ID: strconv.Itoa(len(d.orders) + 1), ClientID: o.ClientID, Customer: customer, Market: o.Market, Side: o.Side, Type: o.Type,
		State: trading.OrderOpen, Price: o.Price, StopPrice: o.StopPrice, Quantity: o.Quantity, Remaining: o.Quantity, Filled: "0",
	}
	d.orders = append(d.orders, made)
	return made, false, nil
}

func (d *desk) Cancel(_ context.Context, customer, id string) (trading.Order, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, o := range d.orders {
		if o.ID == id && o.Customer == customer {
			d.orders = append(d.orders[:i], d.orders[i+1:]...)
			return o, nil
		}
	}
	return trading.Order{}, trading.ErrNotFound
}

func (d *desk) Open(_ context.Context, _, _ string) ([]trading.Order, uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]trading.Order(nil), d.orders...), 1, nil
}

func (d *desk) Balances(context.Context, string) ([]trading.Balance, uint64, error) {
	return []trading.Balance{{Asset: "USDC", Available: money.FromUint64(1_500_000), Reserved: money.FromUint64(250_000)}}, 1, nil
}

// blotter has one fill.
type blotter struct{ trading.Log }

func (blotter) Fills(context.Context, trading.LogQuery) ([]trading.Fill, string, error) {
	return []trading.Fill{{Market: "BTC-USDC", Side: "buy", Price: "59999.5", Quantity: "0.25", Fee: "0.0003", FeeAsset: "BTC"}}, "", nil
}

// screen shows a market in memory.
type screen struct {
	market *feed.Market
	live   bool
}

func (s *screen) Feed(string) *feed.Market { return s.market }

func (s *screen) Behind() (time.Duration, bool) { return 1500 * time.Millisecond, s.live }

func (s *screen) Candles(_ context.Context, _ string, i feed.Interval, _, to time.Time, _ int) ([]feed.Candle, error) {
	start := to.Add(-2 * time.Duration(i)).Truncate(time.Duration(i)).UnixNano()
	return []feed.Candle{{Start: start, Open: 6_000_000, High: 6_000_100, Low: 5_999_900, Close: 6_000_050, Volume: 12_000, Trades: 3}}, nil
}

type transfers = trading.Transfers

// mover takes transfers in memory.
type mover struct {
	transfers

	taken  []trading.NewTransfer
	refuse error
}

func (m *mover) CreateTransfer(_ context.Context, n trading.NewTransfer) (trading.Transfer, bool, error) {
	if m.refuse != nil {
		return trading.Transfer{}, false, m.refuse
	}
	m.taken = append(m.taken, n)
	return trading.Transfer{ID: "fnd_1", State: trading.TransferPending}, false, nil
}

// people are two customers, one of whom may be frozen.
type people struct{ state identity.State }

func (p *people) Customer(_ context.Context, customer string) (identity.Customer, error) {
	if customer != alice {
		return identity.Customer{}, identity.ErrNotFound
	}
	return identity.Customer{ID: alice, Name: "Alice", State: p.state}, nil
}

type purse struct{}

func (purse) Available(context.Context, string) (map[string]money.Units, error) {
	return map[string]money.Units{"BTC": money.FromUint64(150_000_000)}, nil
}

// house is the pages with stand-ins, and a browser that keeps cookies.
type house struct {
	pages  *web.Pages
	cfg    web.Config
	now    time.Time
	store  *store
	desk   *desk
	screen *screen
	mover  *mover
	people *people
	cookie *http.Cookie

	contradictions int // between the stream's door and its guard
}

func known(code string) (money.Asset, error) {
	scale, ok := map[string]uint8{"BTC": 8, "LTC": 8, "ETH": 18, "USDC": 6}[code]
	if !ok {
		return money.Asset{}, errNone
	}
	return money.Asset{Code: code, Scale: scale}, nil
}

type numbers map[string]engine.AssetID

func (n numbers) Asset(_ context.Context, code string) (engine.AssetID, error) {
	if _, ok := n[code]; !ok {
		n[code] = engine.AssetID(len(n))
	}
	return n[code], nil
}

func catalog(t *testing.T, names trading.Numbers) *trading.Catalog {
	t.Helper()
	file, err := os.Open("../internal/devstack/stack/markets.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	terms, err := trading.ReadTerms(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := trading.NewCatalog(t.Context(), terms, known, names)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func open(t *testing.T) *house {
	t.Helper()
	h := &house{
		now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), desk: &desk{}, mover: &mover{}, people: &people{identity.Active},
		screen: &screen{market: feed.NewMarket(nil, nil), live: true},
	}
	clock := func() time.Time { return h.now }
	h.store = &store{clock: clock, values: map[string]stored{}}
	var err error
	h.cfg = web.Config{
		Orders: h.desk, Log: blotter{}, Data: h.screen, Transfers: h.mover, Catalog: catalog(t, numbers{}), Customers: h.people,
		Sessions: h.store, Funding: purse{}, Logger: slog.New(slog.DiscardHandler), Clock: clock,
	}
	if h.pages, err = web.New(h.cfg); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) do(r *http.Request) *httptest.ResponseRecorder {
	r.Host = "127.0.0.1:8080"
	if h.cookie != nil {
		r.AddCookie(h.cookie)
	}
	w := httptest.NewRecorder()
	h.pages.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		h.cookie = c
		if c.MaxAge < 0 {
			h.cookie = nil
		}
	}
	return w
}

func (h *house) get(path string) *httptest.ResponseRecorder {
	return h.do(httptest.NewRequest(http.MethodGet, path, nil))
}

// post sends a form as a page of ours does; htmx where part is set.
func (h *house) post(path string, form url.Values, part bool) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if part {
		r.Header.Set("Hx-Request", "true")
	}
	return h.do(r)
}

// login enters as alice.
func (h *house) login(t *testing.T) {
	t.Helper()
	path, _, err := h.pages.Invite(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	code := path[strings.Index(path, "=")+1:]
	if w := h.post("/trade/enter", url.Values{"code": {code}}, false); w.Code != http.StatusSeeOther || h.cookie == nil {
		t.Fatalf("entering: %d, %s", w.Code, w.Body)
	}
}

// hidden is the value of a hidden field of a page.
func hidden(t *testing.T, page, name string) string {
	t.Helper()
	found := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("no field %s in the page", name)
	}
	return found[1]
}

// order is a filled in form of the page as it is.
func (h *house) order(t *testing.T, price string) url.Values {
	t.Helper()
	page := h.get("/trade/BTC-USDC").Body.String()
	return url.Values{
		"csrf": {hidden(t, page, "csrf")}, "clientId": {hidden(t, page, "clientId")}, "side": {"buy"}, "type": {"limit"},
		"price": {price}, "quantity": {"0.5"}, "timeInForce": {"gtc"},
	}
}
