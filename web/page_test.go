package web_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"strongroom/identity"
	"strongroom/ledger"
	"strongroom/matching/engine"
	"strongroom/trading"
	"strongroom/web"
)

// budget is how much of our own and htmx a page may load, beside the chart library.
const budget = 100 << 10

func TestEveryAnswerHasThePolicy(t *testing.T) {
	h := open(t)
	h.login(t)
	for _, path := range []string{
		"/trade", "/trade/BTC-USDC", "/trade/NO-SUCH", "/trade/enter", "/trade/BTC-USDC/panel/orders", "/trade/BTC-USDC/cost",
		"/trade/BTC-USDC/candles?interval=1m", "/trade/BTC-USDC/age", "/static/none", "/trade/a/b/c/d",
	} {
		w := h.get(path)
		csp := w.Header().Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: no %s", path, part)
			}
		}
		if strings.Contains(csp, "unsafe") || w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cross-Origin-Opener-Policy") != "same-origin" || w.Header().Get("Referrer-Policy") != "same-origin" {
			t.Errorf("%s: %v", path, w.Header())
		}
		if strings.HasPrefix(path, "/trade") && w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s is kept: %s", path, w.Header().Get("Cache-Control"))
		}
	}
	page := h.get("/trade/BTC-USDC").Body.String()
	for _, inline := range []string{`<script>`, ` style="`, `<style`, ` onclick`, `javascript:`} {
		if strings.Contains(page, inline) {
			t.Errorf("the page has %s", inline)
		}
	}
	for _, source := range regexp.MustCompile(`(?:src|<link[^>]* href)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if w := h.get(source[1]); w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d", source[1], w.Code)
		}
	}
}

func TestFilesAreThoseOfThePinnedPackages(t *testing.T) {
	file, err := os.Open("vendor.sha256")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	want := map[string]string{}
	for s := bufio.NewScanner(file); s.Scan(); {
		sum, name, _ := strings.Cut(s.Text(), "  ")
		want[name] = sum
	}
	found, err := filepath.Glob("static/vendor/*")
	shared, failed := filepath.Glob("site/static/vendor/*")
	found, err = append(found, shared...), errors.Join(err, failed)
	if err != nil || len(found) != len(want) || len(want) == 0 {
		t.Fatalf("%d files, %d in the list, %v", len(found), len(want), err)
	}
	for name, sum := range want {
		data, err := os.ReadFile(name)
		if got := sha256.Sum256(data); err != nil || hex.EncodeToString(got[:]) != sum {
			t.Errorf("%s is not what the list says: run make web (%v)", name, err)
		}
	}
}

func TestThePageIsSmall(t *testing.T) {
	sum := int64(0)
	add := func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, "lightweight-charts") || strings.HasSuffix(path, "LICENSE") {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	}
	err := errors.Join(filepath.WalkDir("static", add), filepath.WalkDir("site/static", add))
	if err != nil || sum > budget {
		t.Errorf("%d bytes, at most %d; %v", sum, budget, err)
	}
}

// lively puts two orders into the market's book and one trade onto its tape.
func (h *house) lively() {
	h.screen.market.Take([]engine.Event{
		{Kind: engine.EventRested, Seq: 1, Order: 1, Side: engine.Sell, Price: 6_000_100, Qty: 5_000, Shown: 5_000},
		{Kind: engine.EventRested, Seq: 2, Order: 2, Side: engine.Buy, Price: 5_999_900, Qty: 700, Shown: 700},
		{Kind: engine.EventTrade, Seq: 3, Order: 3, Maker: 1, Side: engine.Buy, Price: 6_000_100, Qty: 1_000, Left: 4_000, Time: h.now.UnixNano()},
	}, nil)
}

func TestTheFirstPaintHasTheMarket(t *testing.T) {
	h := open(t)
	h.lively()
	page := h.get("/trade/BTC-USDC").Body.String()
	for _, text := range []string{
		`>60001.00</button></td><td>0.4000</td>`, `>59999.00</button></td><td>0.0700</td>`, `id="spread">2.00<`,
		`<tr class="buy"><td>60001.00</td><td>0.1000</td><td>05:06:07</td>`, `id="t-last" class="">60001.00<`,
	} {
		if !strings.Contains(page, text) {
			t.Errorf("the page lacks %s", text)
		}
	}
	cost := h.get("/trade/BTC-USDC/cost?side=buy&type=market&quantity=0.3").Body.String()
	if !strings.Contains(cost, "18000.3 USDC") || !strings.Contains(cost, "by the book as it is now") {
		t.Error(cost)
	}
}

func TestThePageIsCompleteWithoutScript(t *testing.T) {
	h := open(t)
	page := h.get("/trade/BTC-USDC").Body.String()
	for _, text := range []string{"BTC-USDC", "ETH-USDC", "LTC-BTC", "POST /v1/page-sessions", `data-price-decimals="2"`, `data-interval="15m"`, `data-interval="1d"`} {
		if !strings.Contains(page, text) {
			t.Errorf("the page lacks %s", text)
		}
	}
	if strings.Contains(page, `name="csrf"`) || strings.Contains(page, "Open orders") {
		t.Error("who is not logged in sees forms")
	}
	h.login(t)
	page = h.get("/trade/BTC-USDC").Body.String()
	for _, text := range []string{`name="csrf"`, "No open orders", "59999.5", "0.0003 BTC", "<td>1.5</td><td>0.25</td>", "to trading"} {
		if !strings.Contains(page, text) {
			t.Errorf("the page lacks %s", text)
		}
	}
	if w := h.get("/trade"); w.Code != http.StatusFound || w.Header().Get("Location") != "/trade/BTC-USDC" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestOrdersArePlacedOnceAndCancelled(t *testing.T) {
	h := open(t)
	h.login(t)
	form := h.order(t, "60000")
	w := h.post("/trade/BTC-USDC/orders", form, true)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "Placed: buy 0.5 BTC.") || strings.Contains(w.Body.String(), form.Get("clientId")) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w.Header().Get("Hx-Trigger") != "refresh" || strings.Contains(w.Body.String(), "<html") {
		t.Error("htmx is not answered with the form alone")
	}
	w = h.post("/trade/BTC-USDC/orders", form, true)
	if len(h.desk.orders) != 1 || !strings.Contains(w.Body.String(), "was placed before") {
		t.Errorf("%d orders: %s", len(h.desk.orders), w.Body)
	}
	list := h.get("/trade/BTC-USDC/panel/orders").Body.String()
	if !strings.Contains(list, `data-price="60000"`) || !strings.Contains(list, "orders/1/cancel") {
		t.Error(list)
	}
	cancel := url.Values{"csrf": form["csrf"]}
	if w := h.post("/trade/BTC-USDC/orders/1/cancel", url.Values{}, true); w.Code != http.StatusForbidden {
		t.Errorf("a cancel without the form's token: %d", w.Code)
	}
	if w := h.post("/trade/BTC-USDC/orders/1/cancel", cancel, true); !strings.Contains(w.Body.String(), "No open orders") {
		t.Error(w.Body)
	}
	if w := h.post("/trade/BTC-USDC/orders/1/cancel", cancel, true); !strings.Contains(w.Body.String(), "no such order") {
		t.Error(w.Body)
	}
}

func TestHiddenFieldsOfOtherTypesDoNotCount(t *testing.T) {
	h := open(t)
	h.login(t)
	for kind, want := range map[string]string{"market": "//", "stop": "/59000/gtc", "stop_limit": "60000/59000/gtc", "limit": "60000//gtc"} {
		form := h.order(t, "60000")
		form.Set("type", kind)
		form.Set("stopPrice", "59000")
		if w := h.post("/trade/BTC-USDC/orders", form, false); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<html") {
			t.Fatalf("%s: %d", kind, w.Code)
		}
		o := h.desk.orders[len(h.desk.orders)-1]
		tif := "gtc"
		if kind == "market" {
			tif = ""
		}
		if got := o.Price + "/" + o.StopPrice + "/" + tif; got != want || string(o.Type) != kind {
			t.Errorf("%s: %s", kind, got)
		}
	}
}

func TestRefusalsStandAtTheirField(t *testing.T) {
	h := open(t)
	h.login(t)
	form := h.order(t, "<b>1</b>")
	h.desk.refuse = &trading.Refusal{Code: "bad_price", Field: "price", Text: "the price <i> cannot be", Fix: "give a multiple of 0.01"}
	w := h.post("/trade/BTC-USDC/orders", form, true)
	page := w.Body.String()
	if !strings.Contains(page, `id="price-wrong">the price &lt;i&gt; cannot be; give a multiple of 0.01.`) || !strings.Contains(page, `aria-describedby="price-wrong"`) {
		t.Error(page)
	}
	if strings.Contains(page, "<b>") || !strings.Contains(page, "&lt;b&gt;1") || !strings.Contains(page, `value="0.5"`) {
		t.Errorf("what was typed is lost, or not escaped: %s", page)
	}
	if hidden(t, page, "clientId") == form.Get("clientId") {
		t.Error("a refused order keeps its id: it would be refused for ever")
	}
	if w := h.post("/trade/BTC-USDC/orders", form, false); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("without htmx: %d", w.Code)
	}
	h.desk.refuse = &trading.Refusal{Code: "insufficient", Text: "there is not enough", Fix: "transfer more"}
	if page := h.post("/trade/BTC-USDC/orders", form, true).Body.String(); !strings.Contains(page, `id="said">there is not enough; transfer more`) {
		t.Error(page)
	}
	h.desk.refuse = fmt.Errorf("send: %w", trading.ErrUnavailable)
	page = h.post("/trade/BTC-USDC/orders", form, true).Body.String()
	if !strings.Contains(page, "not known yet") || hidden(t, page, "clientId") != form.Get("clientId") {
		t.Errorf("an unknown outcome has to keep its id: %s", page)
	}
}

func TestWhoIsFrozenMayOnlyCancel(t *testing.T) {
	h := open(t)
	h.login(t)
	form := h.order(t, "60000")
	h.post("/trade/BTC-USDC/orders", form, true)
	h.people.state = identity.Frozen
	form.Set("clientId", "other")
	if w := h.post("/trade/BTC-USDC/orders", form, true); w.Code != http.StatusForbidden || len(h.desk.orders) != 1 {
		t.Errorf("%d, %d orders", w.Code, len(h.desk.orders))
	}
	if w := h.post("/trade/BTC-USDC/transfer", url.Values{"csrf": form["csrf"], "key": {"k"}, "asset": {"BTC"}, "amount": {"1"}, "direction": {"to_trading"}}, true); w.Code != http.StatusForbidden || len(h.mover.taken) != 0 {
		t.Errorf("%d", w.Code)
	}
	if h.post("/trade/BTC-USDC/orders/1/cancel", url.Values{"csrf": form["csrf"]}, true); len(h.desk.orders) != 0 {
		t.Error("a frozen customer cannot cancel")
	}
}

func TestTransfers(t *testing.T) {
	h := open(t)
	h.login(t)
	page := h.get("/trade/BTC-USDC").Body.String()
	form := url.Values{"csrf": {hidden(t, page, "csrf")}, "key": {hidden(t, page, "key")}, "asset": {"BTC"}, "amount": {"1.5"}, "direction": {"to_trading"}}
	if page := h.post("/trade/BTC-USDC/transfer", form, true).Body.String(); !strings.Contains(page, "1.5 BTC is on its way") {
		t.Error(page)
	}
	if n := h.mover.taken[0]; n.Customer != alice || n.Key != "page-"+form.Get("key") || n.Amount.String() != "150000000" || n.Direction != trading.ToTrading {
		t.Errorf("%+v", n)
	}
	for field, bad := range map[string]string{"amount": "1.000000001", "asset": "EUR", "direction": "out", "key": ""} {
		changed := url.Values{}
		maps.Copy(changed, form)
		changed.Set(field, bad)
		if w := h.post("/trade/BTC-USDC/transfer", changed, true); !strings.Contains(w.Body.String(), `class="wrong"`) {
			t.Errorf("%s %s: %s", field, bad, w.Body)
		}
	}
	h.mover.refuse = fmt.Errorf("book: %w", ledger.ErrInsufficient)
	if page := h.post("/trade/BTC-USDC/transfer", form, true).Body.String(); !strings.Contains(page, "not so much BTC") || len(h.mover.taken) != 1 || hidden(t, page, "key") == form.Get("key") {
		t.Error(page)
	}
	h.mover.refuse = errNone
	if page := h.post("/trade/BTC-USDC/transfer", form, true).Body.String(); !strings.Contains(page, "not known yet") || hidden(t, page, "key") != form.Get("key") {
		t.Error(page)
	}
}

func TestCostIsExactAndTheFeeThatOfTheFirstTier(t *testing.T) {
	h := open(t)
	for query, want := range map[string]string{
		"side=buy&type=limit&price=60000.01&quantity=0.5":                     "30000.005 USDC",
		"side=buy&type=limit&price=60000&quantity=0.0001":                     "0.00000015 BTC",
		"side=sell&type=limit&price=60000&quantity=0.5":                       "45 USDC",
		"side=sell&type=limit&price=60000&quantity=0.5&postOnly=yes":          "30 USDC",
		"side=sell&type=stop&stopPrice=50000&quantity=1":                      "50000 USDC",
		"side=buy&type=market&quantity=1":                                     "the book holds less than that",
		"side=buy&type=limit&price=60000.001&quantity=1":                      "Cost and fee are shown",
		"side=buy&type=limit&price=1&quantity=" + strings.Repeat("9", 30):     "Cost and fee are shown",
		"side=buy&type=limit&price=x&quantity=" + url.QueryEscape("<script>"): "Cost and fee are shown",
	} {
		if page := h.get("/trade/BTC-USDC/cost?" + query).Body.String(); !strings.Contains(page, want) {
			t.Errorf("%s: %s", query, page)
		}
	}
}

// tiers gives customers tiers, or fails.
type tiers struct {
	of  map[string]int
	err error
}

func (t *tiers) Tier(_ context.Context, customer string) (int, error) { return t.of[customer], t.err }

func TestTheFeeIsThatOfTheCustomersOwnTier(t *testing.T) {
	h := open(t)
	given := &tiers{of: map[string]int{"": 3}}
	h.cfg.Tiers = given
	var err error
	if h.pages, err = web.New(h.cfg); err != nil {
		t.Fatal(err)
	}
	shows := func(want string) {
		t.Helper()
		if page := h.get("/trade/BTC-USDC/cost?side=sell&type=limit&price=60000&quantity=0.5").Body.String(); !strings.Contains(page, want) {
			t.Errorf("no %s: %s", want, page)
		}
	}
	shows("45 USDC") // nobody has no tier
	h.login(t)
	for tier, want := range map[int]string{-1: "45 USDC", 0: "45 USDC", 1: "36 USDC", 2: "27 USDC", 3: "15 USDC", 7: "15 USDC", 100: "15 USDC"} {
		given.of[alice] = tier
		shows(want)
	}
	given.err = errNone
	shows("45 USDC")
}

func TestCandlesAndAge(t *testing.T) {
	h := open(t)
	if w := h.get("/trade/BTC-USDC/candles?interval=5m"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"open":"60000","high":"60001","low":"59999","close":"60000.5","volume":"1.2"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := h.get("/trade/BTC-USDC/candles?interval=7m"); w.Code != http.StatusBadRequest {
		t.Errorf("%d", w.Code)
	}
	h.screen.live = false
	if w := h.get("/trade/BTC-USDC/age"); w.Body.String() != `{"milliseconds":1500,"live":false}` {
		t.Error(w.Body)
	}
}
