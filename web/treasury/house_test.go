package treasurypages

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"strongroom/internal/kv"
	"strongroom/treasury"
	"strongroom/treasury/consent"
	"strongroom/treasury/consent/softkey"
	"strongroom/treasury/intent"
	"strongroom/treasury/vault"
)

const origin = "http://localhost:18082"

// house is a treasury in memory, its pages, and a browser of one person.
type house struct {
	t     *testing.T
	pages *Pages
	keys  map[string]*softkey.Key

	mu      sync.Mutex
	now     time.Time
	roster  *consent.Roster
	list    map[string]treasury.Request
	asked   []treasury.Filter
	said    []consent.Approval
	freezes []consent.Freeze
	uses    []treasury.KeyUse
	changes chan string
	is      Frozen
	failure error // of whoever is asked next

	cookies map[string]string
	csrf    string
}

type noRequests struct{ treasury.Requests }

// desk is the house's requests and people.
type desk struct {
	noRequests
	h *house
}

func (d desk) Request(_ context.Context, id string) (treasury.Request, error) {
	d.h.mu.Lock()
	defer d.h.mu.Unlock()
	r, ok := d.h.list[id]
	if !ok {
		return r, treasury.ErrUnknown
	}
	return r, d.h.failure
}

func (d desk) List(_ context.Context, f treasury.Filter) (treasury.Page, error) {
	d.h.mu.Lock()
	defer d.h.mu.Unlock()
	d.h.asked = append(d.h.asked, f)
	var page treasury.Page
	for _, r := range d.h.list {
		page.Requests = append(page.Requests, r)
	}
	page.Total = len(page.Requests)
	return page, d.h.failure
}

func (d desk) Sign(_ context.Context, id string, a consent.Approval) (treasury.Request, error) {
	d.h.mu.Lock()
	defer d.h.mu.Unlock()
	r := d.h.list[id]
	if _, err := d.h.roster.Verify(&r.Intent, &a); err != nil {
		return r, err
	}
	d.h.said = append(d.h.said, a)
	return r, nil
}

func (d desk) Changes(context.Context) (<-chan string, error) { return d.h.changes, nil }

func (d desk) Roster(context.Context) (*consent.Roster, treasury.RosterRow, error) {
	d.h.mu.Lock()
	defer d.h.mu.Unlock()
	return d.h.roster, treasury.RosterRow{Version: 1, Document: made("roster")}, nil
}

func (d desk) PublishRoster(context.Context, []byte) (treasury.RosterRow, error) {
	return treasury.RosterRow{}, treasury.ErrUnknown
}

func (d desk) KeyUses(context.Context) ([]treasury.KeyUse, error) { return d.h.uses, nil }

// Freeze and Frozen are the signer's.
func (d desk) Freeze(_ context.Context, f consent.Freeze) error {
	d.h.mu.Lock()
	defer d.h.mu.Unlock()
	d.h.freezes = append(d.h.freezes, f)
	d.h.is = Frozen{Person: f.Person, Reason: f.Reason, At: f.At, Document: made("freeze")}
	return nil
}

func (d desk) Frozen(context.Context) (Frozen, error) {
	d.h.mu.Lock()
	defer d.h.mu.Unlock()
	return d.h.is, d.h.failure
}

type (
	vaults      = treasury.Vaults
	addresses   = treasury.Addresses
	noVaults    struct{ vaults }
	noAddresses struct{ addresses }
	noPolicies  struct{ treasury.Policies }
)

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func open(t *testing.T) *house {
	t.Helper()
	h := &house{
		t: t, now: time.Date(2027, 3, 1, 9, 30, 0, 0, time.UTC), keys: map[string]*softkey.Key{}, list: map[string]treasury.Request{}, changes: make(chan string, 8),
		cookies: map[string]string{},
	}
	h.roster = &consent.Roster{Environment: "production", Version: 1, Created: h.now.Unix(), Expires: h.now.Add(48 * time.Hour).Unix(), RPID: "localhost", Origins: []string{origin}, Officers: consent.Officers{K: 2}}
	for _, p := range []consent.Person{{ID: "ada", Name: "Ada", Groups: []string{"treasury"}, Officer: true}, {ID: "bob", Name: "Bob", Groups: []string{"treasury"}}, {ID: "eve", Name: "Eve", Groups: []string{"support"}}} {
		key, err := softkey.NewPasskey(p.ID+"-key", "localhost", origin)
		if err != nil {
			t.Fatal(err)
		}
		h.keys[p.ID] = key
		p.Keys = []consent.Key{key.Public()}
		h.roster.Persons = append(h.roster.Persons, p)
	}
	kept, err := kv.NewMemory(kv.MemoryConfig{Clock: h.clock})
	if err != nil {
		t.Fatal(err)
	}
	d := desk{h: h}
	h.pages, err = New(Config{
		Environment: "production", Requests: d, Vaults: noVaults{}, Addresses: noAddresses{}, Policies: noPolicies{}, People: d, Switch: d, Assets: madeAsset,
		Terms: func(string) vault.Terms { return vault.Terms{} }, Canonical: func(_, address string) (string, error) { return address, nil },
		Sessions: kept, Storybook: true, Logger: slog.New(slog.DiscardHandler), Clock: h.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// waiting adds a request that two of treasury are asked about.
func (h *house) waiting(id, requester string) treasury.Request {
	h.t.Helper()
	r := h.pages.fixtures().requests()[1]
	r.ID, r.Signed, r.Intent.ID, r.Intent.Requester, r.Requirement = id, nil, id, requester, consent.Requirement{Group: "treasury", Count: 2}
	var err error
	if r.Hash, err = r.Intent.Hash(); err != nil {
		h.t.Fatal(err)
	}
	h.list[id] = r
	return r
}

func (h *house) do(r *http.Request) *httptest.ResponseRecorder {
	h.t.Helper()
	for name, value := range h.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	h.pages.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		h.cookies[c.Name] = c.Value
	}
	if found := regexp.MustCompile(`data-csrf="([^"]*)"`).FindStringSubmatch(w.Body.String()); found != nil && found[1] != "" {
		h.csrf = html.UnescapeString(found[1])
	}
	return w
}

func (h *house) get(path string) *httptest.ResponseRecorder {
	return h.do(httptest.NewRequestWithContext(h.t.Context(), http.MethodGet, path, nil))
}

// post sends a form of ours.
func (h *house) post(path string, form url.Values) *httptest.ResponseRecorder {
	if !form.Has("csrf") {
		form.Set("csrf", h.csrf)
	}
	r := httptest.NewRequestWithContext(h.t.Context(), http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return h.do(r)
}

// asserted is what a person's passkey and browser make of a message.
func (h *house) asserted(person string, message []byte) url.Values {
	h.t.Helper()
	payload, signature, err := h.keys[person].Assert(sha256.Sum256(message))
	if err != nil {
		h.t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString
	return url.Values{"credential": {text(h.keys[person].Public().Credential)}, "payload": {string(payload)}, "signature": {text(signature)}}
}

// nonce loads the page that asks for a passkey.
func (h *house) nonce() string {
	h.t.Helper()
	found := regexp.MustCompile(`data-nonce="([^"]+)"`).FindStringSubmatch(h.get("/treasury/enter").Body.String())
	if found == nil {
		h.t.Fatal("no nonce")
	}
	return found[1]
}

func (h *house) loginForm(person string) url.Values {
	nonce := h.nonce()
	form := h.asserted(person, []byte("strongroom login 1\nproduction\n"+nonce))
	form.Set("nonce", nonce)
	return form
}

func (h *house) login(person string) {
	h.t.Helper()
	if w := h.post("/treasury/enter", h.loginForm(person)); w.Code != http.StatusSeeOther {
		h.t.Fatalf("login: %d %s", w.Code, text(w))
	}
	h.get("/treasury/requests")
}

// word is a person's word as the page's script makes it.
func (h *house) word(person string, hash intent.Hash, a consent.Approval) url.Values {
	a.Person, a.At = person, h.clock().Unix()
	form := h.asserted(person, consent.Message(hash, &a))
	form.Set("verdict", string(a.Verdict))
	form.Set("reason", a.Reason)
	form.Set("at", strconv.FormatInt(a.At, 10))
	return form
}

// text is what a page says, without markup.
func text(w *httptest.ResponseRecorder) string {
	s := regexp.MustCompile(`(?s)<[^>]*>`).ReplaceAllString(w.Body.String(), " ")
	return html.UnescapeString(strings.Join(strings.Fields(s), " "))
}

func (h *house) says(w *httptest.ResponseRecorder, status int, want string) {
	h.t.Helper()
	if w.Code != status || !strings.Contains(text(w), want) {
		h.t.Errorf("%d, want %d with %q: %s", w.Code, status, want, text(w))
	}
}
