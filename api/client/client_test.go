package client_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"strongroom/api/client"
	"strongroom/identity/reqsign"
)

func newClient(t *testing.T, handle http.HandlerFunc) *client.Client {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	c, err := client.New(client.Config{
		URL: server.URL + "/", Clock: func() time.Time { return time.UnixMilli(1_700_000_000_000) },
		Credential: reqsign.Credential{Key: "key_1", Scheme: reqsign.HMAC, Secret: strings.Repeat("s", 40)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRequestsAreSignedAndAnswersDecoded(t *testing.T) {
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		headers, err := reqsign.ParseHeaders(r.Header)
		if err != nil || headers.Key != "key_1" || headers.TimestampMS != 1_700_000_000_000 {
			t.Errorf("headers %+v: %v", headers, err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != `{"a":1}` || r.Header.Get("Idempotency-Key") != "k" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("body %s, headers %v, %v", body, r.Header, err)
		}
		_, _ = io.WriteString(w, `{"b":2}`)
	})
	var out struct{ B int }
	err := c.Do(t.Context(), http.MethodPost, "/v1/x?y=z", json.RawMessage(`{"a":1}`), &out, client.IdempotencyKey("k"))
	if err != nil || out.B != 2 {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestARefusalIsAProblemInOneLine(t *testing.T) {
	c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"type":"urn:x","status":422,"detail":"too small","errors":[{"location":"body.amount","message":"is zero","fix":"send more"}]}`)
	})
	err := c.Do(t.Context(), http.MethodGet, "/v1/x", nil, nil)
	p, ok := errors.AsType[*client.Problem](err)
	if !ok || p.Status != 422 || err.Error() != "too small (422); body.amount is zero: send more" {
		t.Errorf("%v", err)
	}
}

func TestAnAnswerThatIsNoProblemStillSaysItsStatus(t *testing.T) {
	c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "<html>")
	})
	if err := c.Do(t.Context(), http.MethodGet, "/v1/x", nil, nil); err == nil || err.Error() != "Bad Gateway (502)" {
		t.Errorf("%v", err)
	}
}
