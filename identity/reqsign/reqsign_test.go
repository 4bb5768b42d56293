package reqsign_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strongroom/identity/reqsign"
)

func sample() reqsign.Request {
	return reqsign.Request{
		Method: "POST", Path: "/v1/withdrawals", RawQuery: "b=2&a=1", BodySHA256: sha256.Sum256([]byte(`{"a":1}`)),
		TimestampMS: 1_700_000_000_000, Nonce: "nonce-0001",
	}
}

func TestCanonicalFormIsFixed(t *testing.T) {
	got, err := reqsign.Canonical(sample())
	if err != nil {
		t.Fatal(err)
	}
	want := "STRONGROOM-REQUEST-1\nPOST\n/v1/withdrawals\na=1&b=2\n" +
		"015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862\n1700000000000\nnonce-0001"
	if got != want {
		t.Errorf("canonical form changed:\n%s\nwant\n%s", got, want)
	}
}

func TestAnyChangeBreaksTheSignature(t *testing.T) {
	seed := bytes.Repeat([]byte{7}, ed25519.SeedSize)
	public := []byte(ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey))
	keys := map[reqsign.Scheme][2][]byte{
		reqsign.HMAC:    {[]byte("a secret of enough bytes"), []byte("a secret of enough bytes")},
		reqsign.Ed25519: {seed, public},
	}
	changes := map[string]func(*reqsign.Request){
		"method":    func(r *reqsign.Request) { r.Method = "GET" },
		"path":      func(r *reqsign.Request) { r.Path += "/x" },
		"query":     func(r *reqsign.Request) { r.RawQuery = "a=1&b=3" },
		"body":      func(r *reqsign.Request) { r.BodySHA256[0] ^= 1 },
		"timestamp": func(r *reqsign.Request) { r.TimestampMS++ },
		"nonce":     func(r *reqsign.Request) { r.Nonce += "x" },
	}
	for scheme, pair := range keys {
		text, _ := reqsign.Canonical(sample())
		sig, err := reqsign.Sign(scheme, pair[0], text)
		if err != nil || !reqsign.Verify(scheme, pair[1], text, sig) {
			t.Fatalf("%s: own signature refused (%v)", scheme, err)
		}
		for part, change := range changes {
			r := sample()
			change(&r)
			text, _ := reqsign.Canonical(r)
			if reqsign.Verify(scheme, pair[1], text, sig) {
				t.Errorf("%s: a changed %s passes", scheme, part)
			}
		}
		for i := range sig {
			bad := bytes.Clone(sig)
			bad[i] ^= 1
			if reqsign.Verify(scheme, pair[1], text, bad) {
				t.Errorf("%s: signature with byte %d flipped passes", scheme, i)
			}
		}
	}
}

func TestQueryHasOneFormWhateverItsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		params := rapid.MapOfN(rapid.String(), rapid.String(), 0, 6).Draw(t, "params")
		var parts []string
		values := url.Values{}
		for k, v := range params {
			values.Set(k, v)
			parts = append(parts, url.QueryEscape(k)+"="+url.QueryEscape(v))
		}
		a, errA := reqsign.CanonicalQuery(strings.Join(parts, "&"))
		b, errB := reqsign.CanonicalQuery(values.Encode())
		if errA != nil || errB != nil || a != b {
			t.Fatalf("%q (%v) and %q (%v)", a, errA, b, errB)
		}
		again, err := reqsign.CanonicalQuery(a)
		if err != nil || again != a {
			t.Fatalf("canonical form of %q is %q (%v)", a, again, err)
		}
	})
	for _, bad := range []string{"a=1&a=2", "a=%zz", "a=1;b=2", strings.Repeat("a", 5000)} {
		if _, err := reqsign.CanonicalQuery(bad); !errors.Is(err, reqsign.ErrQuery) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}

func TestHeadersAreReadStrictly(t *testing.T) {
	good := func() http.Header {
		h := http.Header{}
		h.Set(reqsign.HeaderKey, "key_1")
		h.Set(reqsign.HeaderTimestamp, "1700000000000")
		h.Set(reqsign.HeaderNonce, "nonce-0001")
		h.Set(reqsign.HeaderSignature, base64.StdEncoding.EncodeToString(make([]byte, 32)))
		return h
	}
	if _, err := reqsign.ParseHeaders(good()); err != nil {
		t.Fatal(err)
	}
	bad := map[string]func(http.Header){
		reqsign.HeaderKey:       func(h http.Header) { h.Del(reqsign.HeaderKey) },
		reqsign.HeaderTimestamp: func(h http.Header) { h.Set(reqsign.HeaderTimestamp, "0170") },
		reqsign.HeaderNonce:     func(h http.Header) { h.Add(reqsign.HeaderNonce, "nonce-0002") },
		reqsign.HeaderSignature: func(h http.Header) { h.Set(reqsign.HeaderSignature, "AAAB=") },
	}
	for header, spoil := range bad {
		h := good()
		spoil(h)
		var named *reqsign.HeaderError
		if _, err := reqsign.ParseHeaders(h); !errors.Is(err, reqsign.ErrHeaders) || !errors.As(err, &named) || named.Header != header {
			t.Errorf("%s: %v", header, err)
		}
	}
}

func TestSignedRequestVerifies(t *testing.T) {
	req, _ := http.NewRequest(http.MethodPost, "http://127.0.0.1/v1/a%20b?z=1&a=%20", nil)
	body := []byte("{}")
	c := reqsign.Credential{Key: "key_1", Scheme: reqsign.HMAC, Secret: "0123456789abcdef"}
	if err := c.SignHTTP(req, body, time.UnixMilli(1_700_000_000_000), "nonce-0001"); err != nil {
		t.Fatal(err)
	}
	h, err := reqsign.ParseHeaders(req.Header)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := reqsign.Canonical(reqsign.Request{
		Method: "POST", Path: "/v1/a%20b", RawQuery: "a=+&z=1",
		BodySHA256: sha256.Sum256(body), TimestampMS: h.TimestampMS, Nonce: h.Nonce,
	})
	if !reqsign.Verify(c.Scheme, []byte(c.Secret), text, h.Signature) {
		t.Error("signature does not verify")
	}
	if strings.Contains(c.LogValue().String(), c.Secret) {
		t.Error("a log line would carry the secret")
	}
}

// FuzzRequest: whatever the headers and query hold, parsing neither panics nor
// accepts what would be read differently a second time.
func FuzzRequest(f *testing.F) {
	f.Add("key_1", "1700000000000", "nonce-0001", "AAAA", "a=1&b=2")
	f.Add("", "-1", "n", "=", "a=%")
	f.Fuzz(func(t *testing.T, key, stamp, nonce, sig, query string) {
		h := http.Header{
			http.CanonicalHeaderKey(reqsign.HeaderKey): {key}, http.CanonicalHeaderKey(reqsign.HeaderTimestamp): {stamp},
			http.CanonicalHeaderKey(reqsign.HeaderNonce): {nonce}, http.CanonicalHeaderKey(reqsign.HeaderSignature): {sig},
		}
		parsed, err := reqsign.ParseHeaders(h)
		if err == nil && base64.StdEncoding.EncodeToString(parsed.Signature) != sig {
			t.Fatalf("signature %q has two spellings", sig)
		}
		if err == nil && strings.ContainsAny(parsed.Key+parsed.Nonce, "\n\r ") {
			t.Fatalf("separator accepted in %q %q", parsed.Key, parsed.Nonce)
		}
		canonical, err := reqsign.CanonicalQuery(query)
		if err != nil {
			return
		}
		again, err := reqsign.CanonicalQuery(canonical)
		if strings.ContainsAny(canonical, "\n\r ") || (err == nil && again != canonical) {
			t.Fatalf("query %q: %q, then %q (%v)", query, canonical, again, err)
		}
	})
}
