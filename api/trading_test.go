package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"strongroom/api"
	"strongroom/identity"
	"strongroom/identity/reqsign"
	"strongroom/trading"
)

const orderBody = `{"market":"BTC-USDC","side":"buy","type":"limit","price":"59990.00","quantity":"0.5"}`

func decode[T any](t *testing.T, a answer, status int) T {
	t.Helper()
	var out T
	if err := json.Unmarshal(a.body, &out); err != nil || a.status != status {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return out
}

func trader(h *house) reqsign.Credential { return h.key(identity.Read, identity.Trade) }

func TestMarketsAreThereForEverybody(t *testing.T) {
	h := open(t)
	h.floor.trade(6_000_000)
	get := func(path string) answer { return h.call(reqsign.Credential{}, "GET", path, "") }
	m := decode[api.Market](t, get("/v1/markets/BTC-USDC"), 200)
	if m.Tick != "0.01" || m.Lot != "0.0001" || m.MinNotional != "1" || m.State != "open" || !m.Live || m.Ticker.Last != "60000" ||
		m.Ticker.Bid != "59990" || m.Ticker.Ask != "60010" || m.Fees[0].Taker != "0.001" || m.Ticker.QuoteVolume != "6" {
		t.Errorf("market: %+v", m)
	}
	if list := decode[struct{ Items []api.Market }](t, get("/v1/markets"), 200); len(list.Items) != 1 {
		t.Errorf("markets: %+v", list)
	}
	b := decode[api.Book](t, get("/v1/markets/BTC-USDC/book?depth=1"), 200)
	if len(b.Bids) != 1 || b.Bids[0][0] != "59990" || b.Bids[0][1] != "2" || b.Asks[0][1] != "0.4999" || b.Seq != 8 {
		t.Errorf("book: %+v", b)
	}
	trades := decode[struct{ Items []api.Trade }](t, get("/v1/markets/BTC-USDC/trades"), 200)
	if len(trades.Items) != 1 || trades.Items[0].Price != "60000" || trades.Items[0].Side != "buy" {
		t.Errorf("trades: %+v", trades)
	}
	candles := decode[struct{ Items []api.Candle }](t, get("/v1/markets/BTC-USDC/candles?interval=1m"), 200)
	if len(candles.Items) != 1 || candles.Items[0].Turnover != "600" || candles.Items[0].Start.Unix() != 60 {
		t.Errorf("candles: %+v", candles)
	}
	for path, want := range map[string]int{
		"/v1/markets/BTC-EUR": 404, "/v1/markets/x": 422, "/v1/markets/BTC-USDC/candles": 422, "/v1/markets/BTC-USDC/candles?interval=2m": 422,
		"/v1/markets/BTC-USDC/book?depth=0": 422, "/v1/markets/BTC-USDC/candles?interval=1m&from=2024-01-02T00:00:00Z&to=2024-01-01T00:00:00Z": 422,
		"/v1/fees": 401,
	} {
		if p := get(path).problem(t); p.Status != want || len(p.Errors) == 0 || p.Errors[0].Fix == "" {
			t.Errorf("%s: %+v", path, p)
		}
	}
	if a := h.call(h.alice, "GET", "/v1/fees", ""); a.status != 200 || !strings.Contains(string(a.body), `"maker":"0.0001"`) {
		t.Errorf("fees: %d %s", a.status, a.body)
	}
}

func TestOrdersWay(t *testing.T) {
	h := open(t)
	cred := trader(h)
	a := h.call(cred, "POST", "/v1/orders", orderBody, "Idempotency-Key", "o-1")
	o := decode[api.Order](t, a, 201)
	if o.State != "open" || o.ClientOrderID != "o-1" || o.Price != "59990.00" || o.CreatedAt == nil || o.ExpiresAt != nil {
		t.Errorf("order: %s", a.body)
	}
	again := h.call(cred, "POST", "/v1/orders", strings.Replace(orderBody, "{", `{"clientOrderId":"o-1",`, 1))
	if decode[api.Order](t, again, 201).ID != o.ID || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("again: %v %s", again.header, again.body)
	}
	for _, ref := range []string{o.ID, "client:o-1"} {
		if got := decode[api.Order](t, h.call(h.alice, "GET", "/v1/orders/"+ref, ""), 200); got.ID != o.ID {
			t.Errorf("read %s: %+v", ref, got)
		}
	}
	if got := decode[api.Order](t, h.call(cred, "PATCH", "/v1/orders/"+o.ID, `{"price":"59980","quantity":"0.25"}`), 200); got.Price != "59980" || got.Remaining != "0.25" {
		t.Errorf("amended: %+v", got)
	}
	h.call(cred, "POST", "/v1/orders", strings.Replace(orderBody, "buy", "sell", 1), "Idempotency-Key", "o-2")
	h.call(cred, "POST", "/v1/orders", orderBody, "Idempotency-Key", "o-3")
	if n := decode[struct{ Cancelled int }](t, h.call(cred, "DELETE", "/v1/orders?market=BTC-USDC&side=sell", ""), 200); n.Cancelled != 1 {
		t.Errorf("cancelled %d", n.Cancelled)
	}
	type page struct {
		Items      []api.Order
		NextCursor string
	}
	first := decode[page](t, h.call(cred, "GET", "/v1/orders?state=open&limit=1", ""), 200)
	second := decode[page](t, h.call(cred, "GET", "/v1/orders?state=open&limit=1&cursor="+first.NextCursor, ""), 200)
	if len(first.Items) != 1 || len(second.Items) != 1 || second.NextCursor != "" || first.Items[0].ID != o.ID || second.Items[0].ClientOrderID != "o-3" {
		t.Errorf("open: %+v, %+v", first, second)
	}
	if closed := decode[page](t, h.call(cred, "GET", "/v1/orders?state=closed", ""), 200); len(closed.Items) != 1 || closed.Items[0].State != "cancelled" {
		t.Errorf("closed: %+v", closed)
	}
	if all := decode[page](t, h.call(cred, "GET", "/v1/orders?market=BTC-USDC", ""), 200); len(all.Items) != 3 {
		t.Errorf("all: %+v", all)
	}
	if got := decode[api.Order](t, h.call(cred, "DELETE", "/v1/orders/client:o-1", ""), 200); got.State != "cancelled" || got.Reason != "by_client" {
		t.Errorf("cancelled: %+v", got)
	}
	if p := h.call(cred, "DELETE", "/v1/orders/"+o.ID, "").problem(t); p.Status != 404 {
		t.Errorf("cancelled twice: %+v", p)
	}
	fills := decode[struct{ Items []api.Fill }](t, h.call(cred, "GET", "/v1/fills?orderId="+o.ID, ""), 200)
	if len(fills.Items) != 1 || fills.Items[0].FeeAsset != "BTC" {
		t.Errorf("fills: %+v", fills)
	}
}

func TestRefusedOrdersSayWhereAndWhy(t *testing.T) {
	h := open(t)
	cred := trader(h)
	place := func(old, replacement string, headers ...string) answer {
		return h.call(cred, "POST", "/v1/orders", strings.Replace(orderBody, old, replacement, 1), headers...)
	}
	for name, c := range map[string]struct {
		answer   answer
		status   int
		code, at string
	}{
		"off the tick":   {place("59990.00", "1.001", "Idempotency-Key", "a"), 422, "order-refused:off-tick", "body.price"},
		"no market":      {place("BTC-USDC", "BTC-EUR", "Idempotency-Key", "b"), 422, "order-refused:unknown-market", "body.market"},
		"no id at all":   {place("x", "x"), 422, "invalid-request", "header.Idempotency-Key"},
		"a long id":      {place("x", "x", "Idempotency-Key", strings.Repeat("k", 65)), 422, "invalid-request", "header.Idempotency-Key"},
		"unknown side":   {place("buy", "long", "Idempotency-Key", "c"), 422, "invalid-request", "body.side"},
		"a number":       {place(`"0.5"`, `0.5`, "Idempotency-Key", "d"), 422, "invalid-request", "body.quantity"},
		"unknown member": {place(`"side"`, `"sid"`, "Idempotency-Key", "e"), 400, "malformed-request", "body.sid"},
		"empty change":   {h.call(cred, "PATCH", "/v1/orders/1", `{}`), 422, "invalid-request", "body"},
		"bad id":         {h.call(cred, "GET", "/v1/orders/abc", ""), 422, "invalid-request", "path.id"},
		"bad filter":     {h.call(cred, "DELETE", "/v1/orders?market=X-Y", ""), 422, "invalid-request", "query.market"},
	} {
		p := c.answer.problem(t)
		if p.Status != c.status || p.Type != "urn:strongroom:problem:"+c.code || len(p.Errors) == 0 || p.Errors[0].Location != c.at || p.Errors[0].Fix == "" {
			t.Errorf("%s: %d %s", name, c.answer.status, c.answer.body)
		}
	}
	if p := h.call(h.alice, "POST", "/v1/orders", orderBody, "Idempotency-Key", "s").problem(t); p.Status != 403 || !strings.Contains(p.Detail, "trade") {
		t.Errorf("without the scope: %+v", p)
	}
	h.floor.down = fmt.Errorf("node 10.0.0.1: %w", trading.ErrUnavailable)
	for _, a := range []answer{place("x", "x", "Idempotency-Key", "u"), h.call(cred, "GET", "/v1/orders?state=open", ""), h.call(cred, "GET", "/v1/orders/5", "")} {
		if p := a.problem(t); p.Status != 503 || a.header.Get("Retry-After") == "" || strings.Contains(string(a.body), "10.0.0.1") {
			t.Errorf("down: %+v", p)
		}
	}
	if a := h.call(cred, "GET", "/v1/balances", ""); a.status != 200 || strings.Contains(string(a.body), "reserved") {
		t.Errorf("balances without matching: %d %s", a.status, a.body)
	}
	h.floor.down = nil
	h.call(h.admin, "PATCH", "/v1/customers/"+h.customer.ID, `{"state":"frozen"}`)
	if p := place("x", "x", "Idempotency-Key", "f").problem(t); p.Status != 403 || len(h.floor.orders) != 0 {
		t.Errorf("frozen: %+v, %d orders", p, len(h.floor.orders))
	}
}

func TestTransfersMoveOnce(t *testing.T) {
	h := open(t)
	cred := trader(h)
	const body = `{"asset":"BTC","amount":"0.5","direction":"to_trading"}`
	a := h.call(cred, "POST", "/v1/transfers", body, "Idempotency-Key", "t")
	made := decode[api.Transfer](t, a, 201)
	if made.Amount != "0.5" || made.State != "pending" || made.Direction != "to_trading" {
		t.Errorf("transfer: %s", a.body)
	}
	again := h.call(cred, "POST", "/v1/transfers", body, "Idempotency-Key", "t")
	if string(again.body) != string(a.body) || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("again: %s", again.body)
	}
	for want, change := range map[string][2]string{
		"idempotency-key-reused": {"0.5", "0.6"}, "amount-not-allowed": {"0.5", "0.00"}, "insufficient-funds": {"0.5", "500"}, "asset-not-supported": {"BTC", "XYZ"},
	} {
		key := want
		if want == "idempotency-key-reused" {
			key = "t"
		}
		if p := h.call(cred, "POST", "/v1/transfers", strings.Replace(body, change[0], change[1], 1), "Idempotency-Key", key).problem(t); p.Type != "urn:strongroom:problem:"+want || len(p.Errors) == 0 {
			t.Errorf("%s: %+v", want, p)
		}
	}
	if got := decode[api.Transfer](t, h.call(h.alice, "GET", "/v1/transfers/"+made.ID, ""), 200); got.ID != made.ID {
		t.Errorf("read: %+v", got)
	}
	if list := decode[struct{ Items []api.Transfer }](t, h.call(h.alice, "GET", "/v1/transfers", ""), 200); len(list.Items) != 1 {
		t.Errorf("list: %+v", list)
	}
	if a := h.call(cred, "PUT", "/v1/trading/preferences", `{"depositsToTrading":true}`); a.status != 200 {
		t.Errorf("prefer: %d %s", a.status, a.body)
	}
	if p := decode[api.Preferences](t, h.call(h.alice, "GET", "/v1/trading/preferences", ""), 200); !p.DepositsToTrading {
		t.Error("the preference was not kept")
	}
	if a := h.call(cred, "GET", "/v1/balances", ""); !strings.Contains(string(a.body), `"trading":"1.5","reserved":"0.0001"`) {
		t.Errorf("balances: %s", a.body)
	}
	if a := h.call(cred, "GET", "/v1/trading/balances", ""); !strings.Contains(string(a.body), `"available":"1.5"`) {
		t.Errorf("trading balances: %s", a.body)
	}
}

func TestWithoutTradingItsPathsAreNotThere(t *testing.T) {
	h := open(t, func(c *api.Config) { c.Trading = nil })
	for _, path := range []string{"/v1/markets", "/v1/orders", "/v1/transfers", "/v1/trading/balances", "/v1/stream", "/trade"} {
		if p := h.call(h.alice, "GET", path, "").problem(t); p.Status != 404 {
			t.Errorf("%s: %+v", path, p)
		}
	}
	if a := h.call(h.alice, "GET", "/v1/balances", ""); a.status != 200 || strings.Contains(string(a.body), "reserved") {
		t.Errorf("balances: %d %s", a.status, a.body)
	}
}

func TestPagesHaveHeadersOfTheirOwn(t *testing.T) {
	h := open(t, func(c *api.Config) {
		c.Pages = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", "script-src 'self'")
			_, _ = fmt.Fprint(w, "page at "+r.URL.Path)
		})
	})
	for _, path := range []string{"/trade", "/trade/BTC-USDC", "/static/x/trade.js"} {
		a := h.call(reqsign.Credential{}, "GET", path, "")
		if a.status != 200 || string(a.body) != "page at "+path || a.header.Get("Content-Security-Policy") != "script-src 'self'" || a.header.Get("X-Frame-Options") != "" {
			t.Errorf("%s: %d %s %v", path, a.status, a.body, a.header)
		}
	}
	if a := h.call(reqsign.Credential{}, "POST", "/trade/BTC-USDC/orders", "a=b", "Content-Type", "application/x-www-form-urlencoded"); a.status != 200 {
		t.Errorf("form: %d", a.status)
	}
}
