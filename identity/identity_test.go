package identity_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/identity"
	"strongroom/identity/reqsign"
	"strongroom/internal/pg"
	"strongroom/internal/testenv"
)

// house is a store on a fresh database with a clock that tests move.
type house struct {
	*identity.Store
	pool *pgxpool.Pool
	now  time.Time
}

func open(t *testing.T) *house {
	t.Helper()
	pool, err := pg.Open(t.Context(), testenv.Postgres(t, identity.Migrations()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	sealer, err := identity.SealerFromFile(filepath.Join(t.TempDir(), "secrets", "seal.key"))
	if err != nil {
		t.Fatal(err)
	}
	h := &house{pool: pool, now: time.Unix(1_700_000_000, 0)}
	h.Store, err = identity.New(identity.Config{Pool: pool, Sealer: sealer, Clock: func() time.Time { return h.now }})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) customer(t *testing.T) identity.Customer {
	t.Helper()
	c, _, err := h.CreateCustomer(t.Context(), "Ada Lovelace", "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// sign returns a request signed by cred at the given time.
func sign(t *testing.T, cred reqsign.Credential, at time.Time, nonce string) identity.Request {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://127.0.0.1/v1/withdrawals?a=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"asset":"BTC"}`)
	if err := cred.SignHTTP(req, body, at, nonce); err != nil {
		t.Fatal(err)
	}
	return identity.Request{
		Header: req.Header, Method: req.Method, Path: req.URL.EscapedPath(), RawQuery: req.URL.RawQuery,
		BodySHA256: sha256.Sum256(body), Remote: netip.MustParseAddr("127.0.0.1"),
	}
}

func TestEveryWayToForgeARequestIsRefused(t *testing.T) {
	h := open(t)
	c := h.customer(t)
	key, cred, err := h.CreateKey(t.Context(), identity.NewKey{Customer: c.ID, Scheme: reqsign.HMAC, Scopes: []identity.Scope{identity.Read}})
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		spoil func(*identity.Request)
		at    time.Duration
		want  error
	}{
		"method":       {spoil: func(r *identity.Request) { r.Method = "GET" }, want: identity.ErrSignature},
		"path":         {spoil: func(r *identity.Request) { r.Path = "/v1/customers" }, want: identity.ErrSignature},
		"query":        {spoil: func(r *identity.Request) { r.RawQuery = "a=2" }, want: identity.ErrSignature},
		"query twice":  {spoil: func(r *identity.Request) { r.RawQuery = "a=1&a=1" }, want: reqsign.ErrQuery},
		"body":         {spoil: func(r *identity.Request) { r.BodySHA256[3] ^= 4 }, want: identity.ErrSignature},
		"timestamp":    {spoil: func(r *identity.Request) { r.Header.Set(reqsign.HeaderTimestamp, "1700000000001") }, want: identity.ErrSignature},
		"other nonce":  {spoil: func(r *identity.Request) { r.Header.Set(reqsign.HeaderNonce, "another-nonce") }, want: identity.ErrSignature},
		"other key":    {spoil: func(r *identity.Request) { r.Header.Set(reqsign.HeaderKey, "key_none") }, want: identity.ErrSignature},
		"no signature": {spoil: func(r *identity.Request) { r.Header.Del(reqsign.HeaderSignature) }, want: reqsign.ErrHeaders},
		"too old":      {at: -31 * time.Second, want: identity.ErrStale},
		"too new":      {at: 31 * time.Second, want: identity.ErrStale},
	}
	for name, test := range cases {
		r := sign(t, cred, h.now.Add(test.at), "nonce-for-forgery")
		if test.spoil != nil {
			test.spoil(&r)
		}
		if _, err := h.Authenticate(t.Context(), r); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	// None of the forgeries spent the nonce.
	r := sign(t, cred, h.now.Add(-30*time.Second), "nonce-for-forgery")
	p, err := h.Authenticate(t.Context(), r)
	if err != nil || p.Customer != c.ID || p.Key != key.ID || !p.Has(identity.Read) || p.Has(identity.Withdraw) {
		t.Fatalf("good request: %+v, %v", p, err)
	}
	if _, err := h.Authenticate(t.Context(), r); !errors.Is(err, identity.ErrReplay) {
		t.Errorf("replay: %v", err)
	}
	if now, err := h.Principal(t.Context(), key.ID); err != nil || !reflect.DeepEqual(now, p) {
		t.Errorf("who has the key: %+v, %v", now, err)
	}
	if err := h.RevokeKey(t.Context(), c.ID, key.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Principal(t.Context(), key.ID); !errors.Is(err, identity.ErrRevoked) {
		t.Errorf("who has a revoked key: %v", err)
	}
	if _, err := h.Principal(t.Context(), "key_none"); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("who has no key: %v", err)
	}
	if _, err := h.Authenticate(t.Context(), sign(t, cred, h.now, "nonce-0002")); !errors.Is(err, identity.ErrRevoked) {
		t.Errorf("revoked: %v", err)
	}
}

func TestEd25519KeyAndItsNetworks(t *testing.T) {
	h := open(t)
	c := h.customer(t)
	seed := bytes.Repeat([]byte{9}, ed25519.SeedSize)
	key, cred, err := h.CreateKey(t.Context(), identity.NewKey{
		Customer: c.ID, Scheme: reqsign.Ed25519, Scopes: []identity.Scope{identity.Read, identity.Withdraw},
		PublicKey:  ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey),
		AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")},
	})
	if err != nil || cred.Secret != "" {
		t.Fatalf("%+v, %v", cred, err)
	}
	cred.Secret = base64.StdEncoding.EncodeToString(seed)
	for ip, want := range map[string]error{"10.1.2.3": nil, "::ffff:10.1.2.4": nil, "::1": nil, "127.0.0.1": identity.ErrAddress, "11.0.0.1": identity.ErrAddress} {
		r := sign(t, cred, h.now, "nonce-"+base64.RawURLEncoding.EncodeToString([]byte(ip)))
		r.Remote = netip.MustParseAddr(ip)
		if _, err := h.Authenticate(t.Context(), r); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", ip, err, want)
		}
	}
	keys, err := h.Keys(t.Context(), c.ID, "", 10)
	if err != nil || len(keys) != 1 || keys[0].ID != key.ID || len(keys[0].AllowedIPs) != 2 {
		t.Errorf("%+v, %v", keys, err)
	}
}

func TestOneOfManyEqualRequestsIsTaken(t *testing.T) {
	h := open(t)
	c := h.customer(t)
	_, cred, err := h.CreateKey(t.Context(), identity.NewKey{Customer: c.ID, Scheme: reqsign.HMAC, Scopes: []identity.Scope{identity.Read}})
	if err != nil {
		t.Fatal(err)
	}
	r := sign(t, cred, h.now, "nonce-raced")
	var taken, replayed atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			switch _, err := h.Authenticate(t.Context(), r); {
			case err == nil:
				taken.Add(1)
			case errors.Is(err, identity.ErrReplay):
				replayed.Add(1)
			}
		})
	}
	wg.Wait()
	if taken.Load() != 1 || replayed.Load() != 49 {
		t.Errorf("%d taken, %d replays", taken.Load(), replayed.Load())
	}
	if n, err := h.PurgeNonces(t.Context()); n != 0 || err != nil {
		t.Errorf("purged %d within the window, %v", n, err)
	}
	h.now = h.now.Add(61 * time.Second)
	if n, err := h.PurgeNonces(t.Context()); n != 1 || err != nil {
		t.Errorf("purged %d after it, %v", n, err)
	}
}

func TestCustomersAndTheirNames(t *testing.T) {
	h := open(t)
	first, repeated, err := h.CreateCustomer(t.Context(), "Zoë", "crm-1")
	if err != nil || repeated {
		t.Fatal(err)
	}
	again, repeated, err := h.CreateCustomer(t.Context(), "Zoë", "crm-1")
	if err != nil || !repeated || again != first {
		t.Errorf("%+v, then %+v (%v)", first, again, err)
	}
	if _, _, err := h.CreateCustomer(t.Context(), "Zoe", "crm-1"); !errors.Is(err, identity.ErrConflict) {
		t.Errorf("other name under the reference: %v", err)
	}
	for _, bad := range []string{"", " x", "x ", "Zoe\u0308", "a\u202eb", "a\u200bb", "a\x00b", "a\nb", string(make([]byte, 200))} {
		if _, _, err := h.CreateCustomer(t.Context(), bad, ""); !errors.Is(err, identity.ErrInvalid) {
			t.Errorf("name %q: %v", bad, err)
		}
	}
	if _, _, err := h.CreateCustomer(t.Context(), "x", "with space"); !errors.Is(err, identity.ErrInvalid) {
		t.Errorf("reference: %v", err)
	}
	second := h.customer(t)
	list, err := h.Customers(t.Context(), first.ID, 10)
	if err != nil || len(list) != 1 || list[0] != second {
		t.Errorf("page after the first: %+v, %v", list, err)
	}
	frozen, err := h.SetCustomerState(t.Context(), first.ID, identity.Frozen)
	if err != nil || frozen.State != identity.Frozen {
		t.Errorf("%+v, %v", frozen, err)
	}
	if _, err := h.SetCustomerState(t.Context(), "cus_none", identity.Frozen); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("state of nobody: %v", err)
	}
}

func TestKeysOfWrongFormNameTheirField(t *testing.T) {
	h := open(t)
	c := h.customer(t)
	good := identity.NewKey{Customer: c.ID, Scheme: reqsign.HMAC, Scopes: []identity.Scope{identity.Read}}
	for field, spoil := range map[string]func(*identity.NewKey){
		"scopes":     func(n *identity.NewKey) { n.Scopes = []identity.Scope{identity.Admin} },
		"scheme":     func(n *identity.NewKey) { n.Scheme = "rsa" },
		"publicKey":  func(n *identity.NewKey) { n.Scheme = reqsign.Ed25519; n.PublicKey = []byte("short") },
		"label":      func(n *identity.NewKey) { n.Label = "a\u200bb" },
		"allowedIps": func(n *identity.NewKey) { n.AllowedIPs = make([]netip.Prefix, 33) },
	} {
		n := good
		spoil(&n)
		var named *identity.FieldError
		if _, _, err := h.CreateKey(t.Context(), n); !errors.As(err, &named) || named.Field != field || named.Fix == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
	good.Customer = "cus_00000000000000000000000000000000"
	if _, _, err := h.CreateKey(t.Context(), good); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("key of nobody: %v", err)
	}
	good.Customer = c.ID
	for range 50 {
		if _, _, err := h.CreateKey(t.Context(), good); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := h.CreateKey(t.Context(), good); !errors.Is(err, identity.ErrInvalid) {
		t.Errorf("key 51: %v", err)
	}
}

func TestSecretsRestEncryptedAndBoundToTheirKey(t *testing.T) {
	h := open(t)
	c := h.customer(t)
	n := identity.NewKey{Customer: c.ID, Scheme: reqsign.HMAC, Scopes: []identity.Scope{identity.Read}}
	one, cred, err := h.CreateKey(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	two, _, err := h.CreateKey(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	var sealed []byte
	if err := h.pool.QueryRow(t.Context(), `SELECT verifier FROM identity.api_key WHERE id = $1`, one.ID).Scan(&sealed); err != nil || bytes.Contains(sealed, []byte(cred.Secret)) {
		t.Fatalf("secret in clear, or %v", err)
	}
	// A database administrator copies the known secret's row over another key.
	if _, err := h.pool.Exec(t.Context(), `UPDATE identity.api_key SET verifier = $1 WHERE id = $2`, sealed, two.ID); err != nil {
		t.Fatal(err)
	}
	cred.Key = two.ID
	if p, err := h.Authenticate(t.Context(), sign(t, cred, h.now, "nonce-swap")); err == nil {
		t.Errorf("a swapped secret signs for %+v", p)
	}
}

func TestOperatorIsMadeOnce(t *testing.T) {
	h := open(t)
	path := filepath.Join(t.TempDir(), "deep", "admin.json")
	var creds [4]reqsign.Credential
	var wg sync.WaitGroup
	for i := range creds {
		wg.Go(func() {
			var err error
			if creds[i], err = h.BootstrapOperator(t.Context(), path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, c := range creds {
		if c != creds[0] {
			t.Fatalf("%v and %v", c.Key, creds[0].Key)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("credential file: %v, %v", info.Mode(), err)
	}
	p, err := h.Authenticate(t.Context(), sign(t, creds[0], h.now, "nonce-0001"))
	if err != nil || !p.Has(identity.Admin) || p.Customer != "" {
		t.Errorf("%+v, %v", p, err)
	}
	if err := os.WriteFile(path, []byte(`{"key":"x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.BootstrapOperator(t.Context(), path); !errors.Is(err, identity.ErrInvalid) {
		t.Errorf("spoiled file: %v", err)
	}
}
