package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"strongroom/api"
	"strongroom/custody"
	"strongroom/identity"
	"strongroom/identity/reqsign"
)

const goodBody = `{"asset":"BTC","to":"addr1","amount":"0.05"}`

func TestOneCustomersWay(t *testing.T) {
	h := open(t)
	made := h.call(h.admin, "POST", "/v1/customers", `{"name":"Bob","reference":"b-1"}`)
	var bob api.Customer
	if err := json.Unmarshal(made.body, &bob); err != nil || made.status != 201 || bob.State != "active" {
		t.Fatalf("customer: %d %s", made.status, made.body)
	}
	if again := h.call(h.admin, "POST", "/v1/customers", `{"name":"Bob","reference":"b-1"}`); string(again.body) != string(made.body) {
		t.Errorf("same reference, other customer: %s", again.body)
	}
	key := h.call(h.admin, "POST", "/v1/customers/"+bob.ID+"/keys", `{"scheme":"hmac-sha256","scopes":["read","withdraw"],"allowedIps":["127.0.0.1","::1"]}`)
	var created api.CreatedKey
	if err := json.Unmarshal(key.body, &created); err != nil || key.status != 201 || created.Secret == "" {
		t.Fatalf("key: %d %s", key.status, key.body)
	}
	cred := reqsign.Credential{Key: created.Key.ID, Scheme: reqsign.HMAC, Secret: created.Secret}
	for _, path := range []string{"/v1/customer", "/v1/balances", "/v1/deposits", "/v1/withdrawals", "/v1/ledger/entries?asset=BTC", "/v1/chains", "/v1/assets", "/v1/assets/BTC"} {
		if a := h.call(cred, "GET", path, ""); a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := h.call(cred, "POST", "/v1/deposit-addresses", `{"asset":"BTC"}`); a.status != 200 || !strings.Contains(string(a.body), "addr-of-"+bob.ID) {
		t.Errorf("address: %d %s", a.status, a.body)
	}
	a := h.call(cred, "POST", "/v1/withdrawals", goodBody, "Idempotency-Key", "k1")
	var w api.Withdrawal
	if err := json.Unmarshal(a.body, &w); err != nil || a.status != 201 || w.State != "held" || w.Amount != "0.05" || w.Fee != "0.0002" {
		t.Fatalf("withdrawal: %d %s", a.status, a.body)
	}
	if a := h.call(cred, "GET", "/v1/withdrawals/"+w.ID, ""); a.status != 200 {
		t.Errorf("read: %d %s", a.status, a.body)
	}
	if a := h.call(h.alice, "GET", "/v1/withdrawals/"+w.ID, ""); a.status != 404 {
		t.Errorf("another customer sees it: %d %s", a.status, a.body)
	}
	if a := h.call(cred, "POST", "/v1/withdrawals/"+w.ID+"/cancel", ""); a.status != 200 || !strings.Contains(string(a.body), `"cancelled"`) {
		t.Errorf("cancel: %d %s", a.status, a.body)
	}
	if p := h.call(cred, "POST", "/v1/withdrawals/"+w.ID+"/cancel", "").problem(t); p.Status != 409 {
		t.Errorf("cancel again: %+v", p)
	}
	if a := h.call(h.admin, "PATCH", "/v1/customers/"+bob.ID, `{"state":"frozen"}`); a.status != 200 {
		t.Errorf("freeze: %d %s", a.status, a.body)
	}
	if p := h.call(cred, "POST", "/v1/withdrawals", goodBody, "Idempotency-Key", "k2").problem(t); p.Status != 403 {
		t.Errorf("frozen customer: %+v", p)
	}
	if a := h.call(h.admin, "DELETE", "/v1/customers/"+bob.ID+"/keys/"+cred.Key, ""); a.status != 204 {
		t.Errorf("revoke: %d %s", a.status, a.body)
	}
	if a := h.call(cred, "GET", "/v1/balances", ""); a.status != 401 {
		t.Errorf("revoked key: %d", a.status)
	}
	if a := h.call(h.admin, "GET", "/v1/customers/"+bob.ID+"/keys", ""); a.status != 200 || !strings.Contains(string(a.body), "revokedAt") || strings.Contains(string(a.body), created.Secret) {
		t.Errorf("keys: %d %s", a.status, a.body)
	}
}

// TestBadInputNamesFieldAndFix is the list of what a client gets wrong.
func TestBadInputNamesFieldAndFix(t *testing.T) {
	h := open(t)
	withdraw := func(body string, headers ...string) answer {
		return h.call(h.alice, "POST", "/v1/withdrawals", body, append([]string{"Idempotency-Key", fmt.Sprint("bad-", h.nonce.Load())}, headers...)...)
	}
	change := func(old, replacement string) answer { return withdraw(strings.Replace(goodBody, old, replacement, 1)) }
	cases := []struct {
		name   string
		answer answer
		status int
		code   string
		at     string
	}{
		{"exponent", change(`"0.05"`, `"1e-2"`), 422, "invalid-request", "body.amount"},
		{"sign", change(`"0.05"`, `"-1"`), 422, "invalid-request", "body.amount"},
		{"leading zero", change(`"0.05"`, `"00.05"`), 422, "invalid-request", "body.amount"},
		{"no whole", change(`"0.05"`, `".5"`), 422, "invalid-request", "body.amount"},
		{"huge exponent", change(`"0.05"`, `"1e10000"`), 422, "invalid-request", "body.amount"},
		{"amount as number", change(`"0.05"`, `0.05`), 422, "invalid-request", "body.amount"},
		{"amount null", change(`"0.05"`, `null`), 422, "invalid-request", "body.amount"},
		{"too many decimals", change(`"0.05"`, `"0.000000001"`), 422, "amount-not-allowed", "body.amount"},
		{"zero", change(`"0.05"`, `"0.00"`), 422, "amount-not-allowed", "body.amount"},
		{"dust", change(`"0.05"`, `"0.00000001"`), 422, "amount-not-allowed", "body.amount"},
		{"not enough", change(`"0.05"`, `"999999"`), 422, "insufficient-funds", "body.amount"},
		{"resembles a known address", change(`addr1`, `twin1`), 422, "destination-not-allowed", "body.to"},
		{"wrong checksum", change(`addr1`, `bad1`), 422, "destination-not-allowed", "body.to"},
		{"address not ASCII", change(`addr1`, `аddr1`), 422, "invalid-request", "body.to"},
		{"unknown asset", change(`BTC`, `XYZ`), 422, "asset-not-supported", "body.asset"},
		{"lower case asset", change(`BTC`, `btc`), 422, "invalid-request", "body.asset"},
		{"suspended asset", change(`BTC`, `OLD`), 422, "asset-not-supported", "body.asset"},
		{"missing member", withdraw(`{"asset":"BTC","to":"addr1"}`), 422, "invalid-request", "body.amount"},
		{"duplicate member", withdraw(`{"asset":"BTC","to":"addr1","amount":"0.05","amount":"5"}`), 400, "malformed-request", "body.amount"},
		{"unknown member", withdraw(`{"asset":"BTC","to":"addr1","amount":"0.05","fee":"0"}`), 400, "malformed-request", "body.fee"},
		{"case variant", change(`"amount"`, `"Amount"`), 400, "malformed-request", "body.Amount"},
		{"invalid UTF-8", change(`addr1`, "\xff"), 400, "malformed-request", "body"},
		{"two documents", withdraw(goodBody + goodBody), 400, "malformed-request", "body"},
		{"no body", withdraw(``, "Content-Type", "application/json"), 400, "malformed-request", "body"},
		{"deep", withdraw(strings.Repeat(`[`, 50)), 400, "malformed-request", "body[0][0][0][0][0][0][0][0]"},
		{"too large", withdraw(`{"asset":"` + strings.Repeat("x", 70_000) + `"}`), 413, "body-too-large", "body"},
		{"form", withdraw(goodBody, "Content-Type", "application/x-www-form-urlencoded"), 415, "unsupported-media-type", "header.Content-Type"},
		{"array", withdraw(`[]`), 422, "invalid-request", "body"},
		{"no key", h.call(h.alice, "POST", "/v1/withdrawals", goodBody), 422, "invalid-request", "header.Idempotency-Key"},
		{"long key", withdraw(goodBody, "Idempotency-Key", strings.Repeat("k", 256)), 422, "invalid-request", "header.Idempotency-Key"},
		{"key with space", withdraw(goodBody, "Idempotency-Key", "a b"), 422, "invalid-request", "header.Idempotency-Key"},
		{"limit", h.call(h.alice, "GET", "/v1/deposits?limit=1000", ""), 422, "invalid-request", "query.limit"},
		{"limit text", h.call(h.alice, "GET", "/v1/deposits?limit=x", ""), 422, "invalid-request", "query.limit"},
		{"cursor", h.call(h.alice, "GET", "/v1/deposits?cursor=abc", ""), 422, "invalid-request", "query.cursor"},
		{"unknown parameter", h.call(h.alice, "GET", "/v1/deposits?since=1", ""), 422, "invalid-request", "query.since"},
		{"id of another kind", h.call(h.alice, "GET", "/v1/deposits/wdr_1", ""), 422, "invalid-request", "path.id"},
		{"name", h.call(h.admin, "POST", "/v1/customers", `{"name":"a\u202eb"}`), 422, "invalid-request", "body.name"},
		{"reference of another", h.call(h.admin, "POST", "/v1/customers", `{"name":"Mallory","reference":"alice"}`), 409, "conflict", "body.reference"},
		{"scope", h.call(h.admin, "POST", "/v1/customers/"+h.customer.ID+"/keys", `{"scheme":"hmac-sha256","scopes":["admin"]}`), 422, "invalid-request", "body.scopes[0]"},
		{"network", h.call(h.admin, "POST", "/v1/customers/"+h.customer.ID+"/keys", `{"scheme":"hmac-sha256","scopes":["read"],"allowedIps":["x"]}`), 422, "invalid-request", "body.allowedIps[0]"},
	}
	for _, c := range cases {
		p := c.answer.problem(t)
		if p.Status != c.status || p.Type != "urn:strongroom:problem:"+c.code || len(p.Errors) == 0 {
			t.Errorf("%s: %d %s", c.name, c.status, c.answer.body)
			continue
		}
		if f := p.Errors[0]; f.Location != c.at || f.Fix == "" || f.Message == "" {
			t.Errorf("%s: names %q (%s), fix %q; want %q", c.name, f.Location, f.Message, f.Fix, c.at)
		}
	}
	if h.created != 0 {
		t.Errorf("%d withdrawals came of bad input", h.created)
	}
}

func TestSamePostAHundredTimesHasOneEffect(t *testing.T) {
	h := open(t)
	answers := make([]answer, 100)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = h.call(h.alice, "POST", "/v1/withdrawals", goodBody, "Idempotency-Key", "once") })
	}
	wg.Wait()
	replayed := 0
	for _, a := range answers {
		if a.status != 201 || string(a.body) != string(answers[0].body) {
			t.Fatalf("%d %s beside %s", a.status, a.body, answers[0].body)
		}
		if a.header.Get("Idempotency-Replayed") == "true" {
			replayed++
		}
	}
	if h.created != 1 || replayed != 99 {
		t.Errorf("%d withdrawals, %d replays", h.created, replayed)
	}
	// Spelled otherwise it is the same request; with another amount it is not.
	if a := h.call(h.alice, "POST", "/v1/withdrawals", `{ "amount":"0.050", "to":"addr1", "asset":"BTC" }`, "Idempotency-Key", "once"); string(a.body) != string(answers[0].body) {
		t.Errorf("other spelling: %d %s", a.status, a.body)
	}
	p := h.call(h.alice, "POST", "/v1/withdrawals", strings.Replace(goodBody, "0.05", "0.06", 1), "Idempotency-Key", "once").problem(t)
	if p.Status != 422 || p.Type != "urn:strongroom:problem:idempotency-key-reused" || p.Errors[0].Location != "header.Idempotency-Key" {
		t.Errorf("other body: %+v", p)
	}
}

func TestForgedAndReplayedRequestsAreRefused(t *testing.T) {
	h := open(t)
	base := func() *http.Request { return h.request(h.alice, "GET", "/v1/deposits?limit=5", "") }
	for name, c := range map[string]struct {
		spoil  func(*http.Request)
		status int
		code   string
	}{
		"method":      {func(r *http.Request) { r.Method = "POST" }, 405, "method-not-allowed"},
		"path":        {func(r *http.Request) { r.URL.Path = "/v1/withdrawals" }, 401, "signature-refused"},
		"query":       {func(r *http.Request) { r.URL.RawQuery = "limit=6" }, 401, "signature-refused"},
		"twice":       {func(r *http.Request) { r.URL.RawQuery = "limit=5&limit=6" }, 400, "malformed-request"},
		"timestamp":   {func(r *http.Request) { r.Header.Set(reqsign.HeaderTimestamp, "1700000000000") }, 401, "signature-refused"},
		"nonce":       {func(r *http.Request) { r.Header.Set(reqsign.HeaderNonce, "another-one") }, 401, "signature-refused"},
		"unsigned":    {func(r *http.Request) { r.Header.Del(reqsign.HeaderSignature) }, 401, "signature-required"},
		"unknown key": {func(r *http.Request) { r.Header.Set(reqsign.HeaderKey, "key_0") }, 401, "signature-refused"},
	} {
		req := base()
		c.spoil(req)
		if p := h.send(req).problem(t); p.Status != c.status || p.Type != "urn:strongroom:problem:"+c.code {
			t.Errorf("%s: %+v", name, p)
		}
	}
	body := h.request(h.alice, "POST", "/v1/withdrawals", goodBody, "Idempotency-Key", "x")
	other := h.request(reqsign.Credential{}, "POST", "/v1/withdrawals", strings.Replace(goodBody, "addr1", "addr2", 1))
	other.Header = body.Header
	if p := h.send(other).problem(t); p.Status != 401 {
		t.Errorf("swapped body: %+v", p)
	}
	req := base()
	if a := h.send(req.Clone(t.Context())); a.status != 200 {
		t.Fatalf("good request: %d %s", a.status, a.body)
	}
	if p := h.send(req).problem(t); p.Type != "urn:strongroom:problem:request-replayed" {
		t.Errorf("replay: %+v", p)
	}
	reader := h.key(identity.Read)
	for _, c := range []struct {
		cred               reqsign.Credential
		method, path, body string
	}{
		{reader, "POST", "/v1/withdrawals", goodBody},
		{h.alice, "GET", "/v1/customers", ""},
		{h.admin, "GET", "/v1/balances", ""},
		{h.admin, "GET", "/v1/events", ""},
		{h.alice, "POST", "/v1/customers", `{"name":"x"}`},
	} {
		if p := h.call(c.cred, c.method, c.path, c.body, "Idempotency-Key", "s").problem(t); p.Status != 403 || !strings.Contains(p.Detail, "scope") {
			t.Errorf("%s %s without the scope: %+v", c.method, c.path, p)
		}
	}
	h.clock.Store(int64(time.Minute)) // the server is a minute ahead of this signature
	late := h.request(reqsign.Credential{}, "GET", "/v1/deposits", "")
	must(t, h.alice.SignHTTP(late, nil, realNow(), "nonce-late-1"))
	if p := h.send(late).problem(t); p.Status != 401 || p.Errors[0].Location != "header."+reqsign.HeaderTimestamp {
		t.Errorf("stale: %+v", p)
	}
	if h.created != 0 {
		t.Error("a forged request withdrew")
	}
}

func TestPagesFollowEachOther(t *testing.T) {
	h := open(t)
	var seen []string
	cursor := ""
	for range 10 {
		a := h.call(h.alice, "GET", "/v1/deposits?limit=2&cursor="+cursor, "")
		var page struct {
			Items      []api.Deposit `json:"items"`
			NextCursor string        `json:"nextCursor"`
		}
		if err := json.Unmarshal(a.body, &page); err != nil || a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		for _, d := range page.Items {
			seen = append(seen, d.ID)
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
		if p := h.call(h.alice, "GET", "/v1/withdrawals?cursor="+cursor, "").problem(t); p.Errors[0].Location != "query.cursor" {
			t.Errorf("cursor of another list: %+v", p)
		}
	}
	if len(seen) != 5 {
		t.Errorf("saw %v", seen)
	}
	for range 3 {
		_, _, err := h.ids.CreateCustomer(t.Context(), "More", "")
		must(t, err)
	}
	a := h.call(h.admin, "GET", "/v1/customers?limit=3", "")
	var page struct {
		Items      []api.Customer `json:"items"`
		NextCursor string         `json:"nextCursor"`
	}
	must(t, json.Unmarshal(a.body, &page))
	a = h.call(h.admin, "GET", "/v1/customers?limit=3&cursor="+page.NextCursor, "")
	must(t, json.Unmarshal(a.body, &page))
	if len(page.Items) != 1 {
		t.Errorf("second page of four customers: %s", a.body)
	}
}

func TestWhatIsDownIsSaidAndNothingIsHalfDone(t *testing.T) {
	h := open(t, func(c *api.Config) { c.Unavailable = func(err error) bool { return err.Error() == "database: gone" } })
	down := errors.New("engine: gone")
	h.gate.Store(&down)
	p := h.call(h.alice, "POST", "/v1/withdrawals", goodBody, "Idempotency-Key", "g").problem(t)
	if p.Status != 503 || strings.Contains(p.Detail, "gone") || h.created != 0 {
		t.Errorf("gate closed: %+v, %d withdrawals", p, h.created)
	}
	a := h.call(reqsign.Credential{}, "GET", "/readyz", "")
	if a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("not ready: %d %v", a.status, a.header)
	}
	h.gate.Store(nil)
	for text, want := range map[string]int{"database: gone": 503, "something else": 500} {
		h.broken = errors.New(text)
		a := h.call(h.alice, "POST", "/v1/withdrawals", goodBody, "Idempotency-Key", "h"+text[:3])
		if p := a.problem(t); p.Status != want || strings.Contains(string(a.body), text) || (want == 503) != (a.header.Get("Retry-After") != "") {
			t.Errorf("%s: %+v", text, p)
		}
		if !strings.Contains(h.log.String(), text) {
			t.Errorf("%s is not in the log", text)
		}
		if p := h.call(h.alice, "GET", "/v1/events", "").problem(t); p.Status != want {
			t.Errorf("stream with %s: %+v", text, p)
		}
	}
	h.broken = fmt.Errorf("bitcoin-regtest: %w", custody.ErrChainHalted)
	a = h.call(h.alice, "POST", "/v1/withdrawals", goodBody, "Idempotency-Key", "i")
	if p := a.problem(t); p.Status != 503 || p.Type != "urn:strongroom:problem:chain-halted" || a.header.Get("Retry-After") == "" {
		t.Errorf("halted chain: %+v", p)
	}
	h.broken = nil
	if a := h.call(reqsign.Credential{}, "GET", "/readyz", ""); a.status != 200 {
		t.Errorf("ready: %d %s", a.status, a.body)
	}
	if a := h.call(h.alice, "POST", "/v1/withdrawals", goodBody, "Idempotency-Key", "g"); a.status != 201 {
		t.Errorf("asked again: %d %s", a.status, a.body)
	}
}
