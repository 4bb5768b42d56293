package web_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"strongroom/identity"
	"strongroom/internal/kv"
	"strongroom/web"
)

func TestLinksAreOfOneUseAndAMinute(t *testing.T) {
	h := open(t)
	path, expires, err := h.pages.Invite(t.Context(), alice)
	if err != nil || !expires.Equal(h.now.Add(time.Minute)) {
		t.Fatal(expires, err)
	}
	code := strings.TrimPrefix(path, "/trade/enter?code=")
	for key := range h.store.values {
		if strings.Contains(key, code) {
			t.Error("a code is kept as it is")
		}
	}
	// A preview looks at the link and uses nothing up.
	if w := h.get(path); w.Code != http.StatusOK || w.Header().Get("Set-Cookie") != "" || !strings.Contains(w.Body.String(), code) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	form := url.Values{"code": {code}}
	if w := h.post("/trade/enter", form, false); w.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := h.post("/trade/enter", form, false); w.Code != http.StatusGone {
		t.Errorf("a link is used twice: %d", w.Code)
	}
	path, _, err = h.pages.Invite(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(time.Minute)
	if w := h.post("/trade/enter", url.Values{"code": {path[strings.Index(path, "=")+1:]}}, false); w.Code != http.StatusGone {
		t.Errorf("an old link is taken: %d", w.Code)
	}
	if _, _, err := h.pages.Invite(t.Context(), "cus_nobody"); !errors.Is(err, identity.ErrNotFound) {
		t.Error(err)
	}
	if w := h.get("/trade/enter"); w.Code != http.StatusBadRequest {
		t.Errorf("a link without its code: %d", w.Code)
	}
}

// TestLinksOpenOneBrowserAcrossProcesses uses each link in several processes at once, which
// share a Redis.
func TestLinksOpenOneBrowserAcrossProcesses(t *testing.T) {
	h := open(t)
	server := miniredis.RunT(t)
	var processes [4]*web.Pages
	for i := range processes {
		sessions, err := kv.Open("redis://"+server.Addr(), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = sessions.Close() }()
		h.cfg.Sessions = sessions
		if processes[i], err = web.New(h.cfg); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		path, _, err := processes[0].Invite(t.Context(), alice)
		if err != nil {
			t.Fatal(err)
		}
		form := url.Values{"code": {path[strings.Index(path, "=")+1:]}}.Encode()
		var all sync.WaitGroup
		var in, out atomic.Int32
		for _, p := range processes {
			all.Go(func() {
				r := httptest.NewRequest(http.MethodPost, "/trade/enter", strings.NewReader(form))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set("Sec-Fetch-Site", "same-origin")
				w := httptest.NewRecorder()
				p.ServeHTTP(w, r)
				switch w.Code {
				case http.StatusSeeOther:
					in.Add(1)
				case http.StatusGone:
					out.Add(1)
				}
			})
		}
		all.Wait()
		if in.Load() != 1 || out.Load() != 3 {
			t.Fatalf("%d browsers are in, %d are not", in.Load(), out.Load())
		}
	}
}

// TestALinkIsNotOldWhereSessionsAreAway asks for patience, not for a new link.
func TestALinkIsNotOldWhereSessionsAreAway(t *testing.T) {
	h := open(t)
	path, _, err := h.pages.Invite(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"code": {path[strings.Index(path, "=")+1:]}}
	h.store.broken = kv.ErrUnavailable
	if w := h.post("/trade/enter", form, false); w.Code != http.StatusServiceUnavailable {
		t.Errorf("sessions are away: %d", w.Code)
	}
	h.store.broken = nil
	if w := h.post("/trade/enter", form, false); w.Code != http.StatusSeeOther {
		t.Errorf("they are back: %d", w.Code)
	}
}

func TestCookiesOfSessions(t *testing.T) {
	h := open(t)
	h.login(t)
	c := h.cookie
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.MaxAge != 12*3600 || c.Secure {
		t.Errorf("%+v", c)
	}
	path, _, err := h.pages.Invite(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/trade/enter", strings.NewReader(url.Values{"code": {path[strings.Index(path, "=")+1:]}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "https://trade.example.com")
	r.Host = "trade.example.com"
	w := httptest.NewRecorder()
	h.pages.ServeHTTP(w, r)
	if list := w.Result().Cookies(); len(list) != 1 || !list[0].Secure {
		t.Errorf("%d: %+v", w.Code, list)
	}
}

// logged tells whether the browser's session is somebody's; door and guard say the same.
func (h *house) logged() bool {
	r := httptest.NewRequest(http.MethodGet, "/v1/stream", nil)
	if h.cookie != nil {
		r.AddCookie(h.cookie)
	}
	customer, ok := h.pages.Customer(r)
	stands, err := h.pages.SessionStands(r)
	if ok != stands || err != nil {
		h.contradictions++
	}
	return ok && customer == alice
}

func TestSessionsEnd(t *testing.T) {
	h := open(t)
	if h.logged() {
		t.Error("nobody is somebody")
	}
	h.login(t)
	began := h.now
	for h.now.Sub(began) < 11*time.Hour {
		h.now = h.now.Add(59 * time.Minute)
		if h.get("/trade/BTC-USDC"); !h.logged() {
			t.Fatalf("a session that is used ends after %s", h.now.Sub(began))
		}
	}
	h.now = began.Add(12 * time.Hour)
	if h.logged() {
		t.Error("a session outlives its twelve hours")
	}
	h.login(t)
	for range 60 { // an open page asks for this by itself
		h.now = h.now.Add(time.Minute)
		h.get("/trade/BTC-USDC/age")
		h.get("/trade/BTC-USDC/panel/orders")
		h.logged()
	}
	if h.logged() {
		t.Error("an idle session goes on")
	}
	h.login(t)
	before := h.cookie
	h.login(t)
	old := h.cookie
	h.cookie = before
	if h.logged() {
		t.Error("who enters again leaves a session behind")
	}
	h.cookie = old
	csrf := hidden(t, h.get("/trade/BTC-USDC").Body.String(), "csrf")
	if w := h.post("/trade/leave", url.Values{"csrf": {"x"}}, false); w.Code != http.StatusForbidden || !h.logged() {
		t.Errorf("leaving without the form's token: %d", w.Code)
	}
	if w := h.post("/trade/leave", url.Values{"csrf": {csrf}}, false); w.Code != http.StatusSeeOther || h.cookie != nil {
		t.Errorf("leaving: %d", w.Code)
	}
	h.cookie = old
	if h.logged() {
		t.Error("a session that was left goes on")
	}
	h.cookie = &http.Cookie{Name: old.Name, Value: "made-up"}
	if h.logged() {
		t.Error("a made-up token is a session")
	}
	if h.contradictions > 0 {
		t.Errorf("%d times the stream's door and guard disagree", h.contradictions)
	}
	h.cookie = old
	h.store.broken = kv.ErrUnavailable
	r := httptest.NewRequest(http.MethodGet, "/v1/stream", nil)
	r.AddCookie(old)
	if stands, err := h.pages.SessionStands(r); stands || !errors.Is(err, kv.ErrUnavailable) {
		t.Errorf("where sessions are away, one %t, %v", stands, err)
	}
}

// TestALeftSessionDoesNotComeBack leaves while another request of the session is on its way.
func TestALeftSessionDoesNotComeBack(t *testing.T) {
	h := open(t)
	h.login(t)
	h.now = h.now.Add(2 * time.Minute) // its use is written again
	h.store.between = func() { clear(h.store.values) }
	if w := h.get("/trade/BTC-USDC"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "log in") {
		t.Errorf("the other request is the customer's: %d", w.Code)
	}
	if h.logged() || len(h.store.values) != 0 {
		t.Error("the session is back")
	}
}

func TestFormsOfOtherSitesAndSessions(t *testing.T) {
	h := open(t)
	h.login(t)
	form := h.order(t, "60000")
	for name, change := range map[string]func(*http.Request){
		"another site":      func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"a sibling site":    func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"typed":             func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "none") },
		"another origin":    func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"no origin":         func(*http.Request) {},
		"an opaque origin":  func(r *http.Request) { r.Header.Set("Origin", "null") },
		"an origin of none": func(r *http.Request) { r.Header.Set("Origin", "::") },
	} {
		r := httptest.NewRequest(http.MethodPost, "/trade/BTC-USDC/orders", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		change(r)
		if w := h.do(r); w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	form.Set("csrf", "another")
	if w := h.post("/trade/BTC-USDC/orders", form, true); w.Code != http.StatusForbidden {
		t.Errorf("another session's form: %d", w.Code)
	}
	if len(h.desk.orders) != 0 {
		t.Errorf("an order was placed: %+v", h.desk.orders)
	}
	h.cookie = nil
	if w := h.post("/trade/BTC-USDC/orders", form, true); w.Header().Get("Hx-Refresh") != "true" {
		t.Errorf("a session that is over: %d, %v", w.Code, w.Header())
	}
	if w := h.post("/trade/BTC-USDC/orders", form, false); w.Code != http.StatusUnauthorized {
		t.Errorf("a session that is over: %d", w.Code)
	}
}
