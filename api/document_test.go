package api_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"strongroom/api"
	"strongroom/identity/reqsign"
)

func itoa(n int) string { return strconv.Itoa(n) }

func shortHeartbeat(c *api.Config) { c.Heartbeat = 10 * time.Millisecond }

// document loads what the server publishes, as a client would.
func document(t *testing.T, h *house) (*openapi3.T, routers.Router) {
	t.Helper()
	a := h.call(reqsign.Credential{}, "GET", "/openapi.json", "")
	doc, err := openapi3.NewLoader().LoadFromData(a.body)
	must(t, err)
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatalf("document: %v", err)
	}
	doc.Servers = openapi3.Servers{{URL: h.url}}
	router, err := gorillamux.NewRouter(doc)
	must(t, err)
	return doc, router
}

func TestDocumentIsValidAndComplete(t *testing.T) {
	h := open(t)
	doc, _ := document(t, h)
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("version %s", doc.OpenAPI)
	}
	seen := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.OperationID == "" || seen[op.OperationID] || op.Summary == "" || len(op.Tags) != 1 {
				t.Errorf("%s %s is poorly described", method, path)
			}
			seen[op.OperationID] = true
			if r := op.Responses.Default(); r == nil || r.Value.Content["application/problem+json"] == nil {
				t.Errorf("%s %s does not document its problems", method, path)
			}
		}
	}
	if len(seen) < 38 {
		t.Errorf("%d operations", len(seen))
	}
}

func TestDocsPageIsSelfContained(t *testing.T) {
	h := open(t)
	page := h.call(reqsign.Credential{}, "GET", "/docs", "")
	for _, want := range []string{"create-withdrawal", "Idempotency-Key", "insufficient-funds", "STRONGROOM-REQUEST-1", "body", "href=\"/docs/docs.css\""} {
		if !bytes.Contains(page.body, []byte(want)) {
			t.Errorf("page lacks %s", want)
		}
	}
	for _, foreign := range []string{"http://", "https://", "<script", "style=", "onclick"} {
		if bytes.Contains(page.body, []byte(foreign)) {
			t.Errorf("page has %s", foreign)
		}
	}
	if policy := page.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; style-src 'self'") {
		t.Errorf("policy %q", policy)
	}
	if css := h.call(reqsign.Credential{}, "GET", "/docs/docs.css", ""); css.status != 200 || !strings.HasPrefix(css.header.Get("Content-Type"), "text/css") {
		t.Errorf("style: %d", css.status)
	}
}

func TestHealthAndFigures(t *testing.T) {
	h := open(t)
	h.call(h.alice, "GET", "/v1/balances", "")
	for path, want := range map[string]string{
		"/healthz": `"ok"`, "/readyz": `"ready"`,
		"/metrics": `strongroom_http_requests_total{method="GET",route="/v1/balances",status="200"} 1`,
	} {
		if a := h.call(reqsign.Credential{}, "GET", path, ""); a.status != 200 || !strings.Contains(string(a.body), want) {
			t.Errorf("%s: %d %.300s", path, a.status, a.body)
		}
	}
	if p := h.call(reqsign.Credential{}, "GET", "/v2/none", "").problem(t); p.Status != 404 {
		t.Errorf("no route: %+v", p)
	}
	if p := h.call(reqsign.Credential{}, "PUT", "/v1/balances", "").problem(t); p.Status != 405 {
		t.Errorf("no method: %+v", p)
	}
}

// TestRandomRequestsGetDocumentedAnswers sends mutated requests to each operation:
// no answer is a fault of ours, each matches the document, each error is a problem.
func TestRandomRequestsGetDocumentedAnswers(t *testing.T) {
	requests := 3000
	if testing.Short() {
		requests = 500
	}
	h := open(t)
	doc, router := document(t, h)
	r := rand.New(rand.NewPCG(1, 2))
	type target struct {
		method, path string
		op           *openapi3.Operation
	}
	var targets []target
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if path != "/v1/events" { // a stream has no end to wait for
				targets = append(targets, target{method, path, op})
			}
		}
	}
	slices.SortFunc(targets, func(a, b target) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	statuses := map[int]int{}
	for range requests {
		x := targets[r.IntN(len(targets))]
		cred := h.alice
		if strings.HasPrefix(x.path, "/v1/customers") {
			cred = h.admin
		}
		if r.IntN(8) == 0 {
			cred = []reqsign.Credential{h.alice, h.admin, {}}[r.IntN(3)]
		}
		req := h.randomRequest(r, cred, x.method, x.path, x.op)
		validation := req.Clone(context.Background())
		a := h.send(req)
		statuses[a.status]++
		if a.status >= 500 {
			t.Fatalf("%s %s: %d %s", req.Method, req.URL, a.status, a.body)
		}
		if a.status >= 400 {
			a.problem(t)
		}
		route, params, err := router.FindRoute(validation)
		if err != nil {
			continue // mutated into another path
		}
		input := &openapi3filter.ResponseValidationInput{
			RequestValidationInput: &openapi3filter.RequestValidationInput{Request: validation, PathParams: params, Route: route},
			Status:                 a.status, Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)),
		}
		if err := openapi3filter.ValidateResponse(t.Context(), input); err != nil && a.status != http.StatusNotFound && a.status != http.StatusMethodNotAllowed {
			t.Fatalf("%s %s: %d %s\n%v", req.Method, req.URL, a.status, a.body, err)
		}
	}
	if statuses[200] == 0 || statuses[201] == 0 || statuses[422] == 0 || statuses[400] == 0 {
		t.Errorf("the mutations are lopsided: %v", statuses)
	}
	t.Logf("%d requests: %v", requests, statuses)
}

// randomRequest fills an operation with good and bad values.
func (h *house) randomRequest(r *rand.Rand, cred reqsign.Credential, method, path string, op *openapi3.Operation) *http.Request {
	odd := []string{"", "0", "-1", "x", "null", "é", "\x00", "' OR 1=1 --", strings.Repeat("9", 100), "1e9", "../..", "%", "\u202e", "{}", "[", `"`}
	pick := func(good ...string) string {
		if r.IntN(4) > 0 {
			return good[r.IntN(len(good))]
		}
		return odd[r.IntN(len(odd))]
	}
	good := map[string][]string{
		"customer": {h.customer.ID}, "code": {"BTC", "OLD", "NONE"}, "id": {h.deposits[0].ID, "wdr_00000000000000000000000000000000"},
		"key": {"key_00000000000000000000000000000000"}, "limit": {"1", "200"}, "cursor": {""}, "asset": {"BTC", "NONE"}, "account": {"funding", "maturing"},
		"market": {marketName}, "interval": {"1m"}, "depth": {"1"}, "side": {"buy"}, "state": {"open", "closed"}, "orderId": {"100"}, "from": {"2026-01-01T00:00:00Z"}, "to": {"2026-01-02T00:00:00Z"},
	}
	query := url.Values{}
	for _, p := range op.Parameters {
		switch p.Value.In {
		case "path":
			path = strings.Replace(path, "{"+p.Value.Name+"}", url.PathEscape(pick(good[p.Value.Name]...)), 1)
		case "query":
			if r.IntN(3) > 0 {
				query.Set(p.Value.Name, pick(good[p.Value.Name]...))
			}
		}
	}
	if r.IntN(10) == 0 {
		query.Set(pick("extra"), "1")
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	body := ""
	if op.RequestBody != nil || r.IntN(20) == 0 {
		body = pick(`{"asset":"`+pick("BTC", "OLD")+`","to":"`+pick("addr1")+`","amount":"`+pick("0.001", "0.05", "7")+`"}`,
			`{"name":"`+pick("Zoë")+`"}`, orderBody, `{"price":"`+pick("1.5", "1.001")+`"}`, `{"asset":"BTC","amount":"0.1","direction":"`+pick("to_trading")+`"}`, `{"depositsToTrading":true}`,
			`{"asset":"BTC"}`, `{"state":"active"}`, `{"scheme":"hmac-sha256","scopes":["`+pick("read")+`"],"extra":1}`,
			`{"scheme":"ed25519","publicKey":"`+pick("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")+`","scopes":["read"]}`)
		if r.IntN(10) == 0 && body != "" {
			at := r.IntN(len(body))
			body = body[:at] + string([]byte{byte(r.IntN(256))}) + body[at+1:]
		}
	}
	headers := []string{"Idempotency-Key", fmt.Sprint("fuzz-", r.IntN(1000))}
	if r.IntN(5) == 0 {
		headers = append(headers, "Accept", "text/html;q=1")
	}
	return h.request(cred, method, path, body, headers...)
}
