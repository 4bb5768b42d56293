package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/identity/reqsign"
)

const testSecret = "a secret of enough bytes"

// fakeAPI checks each signature, keeps what it was asked, and answers as told.
func fakeAPI(t *testing.T, asked *[]string, answers map[string]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h, err := reqsign.ParseHeaders(r.Header)
		if err != nil {
			t.Errorf("headers: %v", err)
		}
		text, err := reqsign.Canonical(reqsign.Request{
			Method: r.Method, Path: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery,
			BodySHA256: sha256.Sum256(body), TimestampMS: h.TimestampMS, Nonce: h.Nonce,
		})
		if err != nil || !reqsign.Verify(reqsign.HMAC, []byte(testSecret), text, h.Signature) {
			t.Errorf("%s %s is not signed (%v)", r.Method, r.URL, err)
		}
		line := strings.TrimSpace(h.Key + " " + r.Method + " " + r.URL.String() + " " + r.Header.Get("Idempotency-Key") + string(body))
		*asked = append(*asked, line)
		answer, ok := answers[r.Method+" "+r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			answer = `{"detail":"no such thing","status":404}`
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func writeKey(t *testing.T, file, key string) {
	t.Helper()
	if err := writeCredential(file, reqsign.Credential{Key: key, Scheme: reqsign.HMAC, Secret: testSecret}); err != nil {
		t.Fatal(err)
	}
}

func TestClientCommandsSignWhatTheySay(t *testing.T) {
	dir := t.TempDir()
	writeKey(t, adminFile(dir), "key_admin")
	writeKey(t, customerFile(dir), "key_customer")
	var asked []string
	url := fakeAPI(t, &asked, map[string]string{
		"GET /v1/balances": `{"items":[]}`, "GET /v1/deposits": `{"items":[]}`, "POST /v1/withdrawals": `{"id":"wdr_1"}`, "GET /v1/customers": `{"items":[]}`,
		"POST /v1/customers":            `{"id":"cus_9"}`,
		"POST /v1/customers/cus_9/keys": `{"key":{"id":"key_9"},"secret":"shown once, to be kept"}`,
	})
	command := func(args ...string) (int, string) {
		var out, errOut bytes.Buffer
		code := run(context.Background(), append(args, "--dir="+dir, "--api-url="+url), &out, &errOut)
		return code, out.String() + errOut.String()
	}
	file := filepath.Join(dir, "bob.json")
	for _, c := range []struct {
		args       []string
		code       int
		says, asks string
	}{
		{[]string{"balances"}, 0, `"items"`, "key_customer GET /v1/balances"},
		{[]string{"call", "get", "/v1/customers?limit=1", "--admin"}, 0, `"items"`, "key_admin GET /v1/customers?limit=1"},
		{[]string{"withdraw", "BTC", "0.1", "addr", "--idempotency-key=k"}, 0, "idempotency key k", `key_customer POST /v1/withdrawals k{"amount":"0.1","asset":"BTC","to":"addr"}`},
		{[]string{"withdraw", "BTC", "0.1", "addr", "--idempotency-key=k", "--confirm-destination"}, 0, "wdr_1", `key_customer POST /v1/withdrawals k{"amount":"0.1","asset":"BTC","to":"addr","confirmDestination":true}`},
		{[]string{"deposits"}, 0, `"items"`, "key_customer GET /v1/deposits"},
		{[]string{"deposits", "list"}, 0, `"items"`, "key_customer GET /v1/deposits"},
		{[]string{"call", "POST", "/v1/withdrawals", "-d", `{"a":1}`, "--idempotency-key=z"}, 0, "wdr_1", `key_customer POST /v1/withdrawals z{"a":1}`},
		{[]string{"call", "GET", "/v1/none"}, 1, "no such thing", "key_customer GET /v1/none"},
		{[]string{"call", "GET", "none"}, 2, "does not start with /", ""},
		{[]string{"balances", "--key=" + filepath.Join(dir, "absent.json")}, 2, "no key in", ""},
		{[]string{"customers", "create", "Bob", "--out=" + file}, 0, "cus_9", `key_admin POST /v1/customers/cus_9/keys {"scheme":"hmac-sha256","scopes":["read","withdraw","trade"]}`},
		{[]string{"customers", "create", "Bob", "--out=" + file}, 2, "exists already", ""},
	} {
		asked = nil
		code, text := command(c.args...)
		last := ""
		if len(asked) > 0 {
			last = asked[len(asked)-1]
		}
		if code != c.code || !strings.Contains(text, c.says) || last != c.asks {
			t.Errorf("%v: exit %d, said %q, asked %q; want %d, %q, %q", c.args, code, text, last, c.code, c.says, c.asks)
		}
	}
	raw, err := os.ReadFile(file)
	var kept reqsign.Credential
	if err != nil || json.Unmarshal(raw, &kept) != nil || kept.Secret != "shown once, to be kept" || kept.Customer != "cus_9" {
		t.Errorf("kept %s, %v", raw, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info, err)
	}
}
