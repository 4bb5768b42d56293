package api_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"strongroom/api"
	"strongroom/api/client"
	"strongroom/identity"
	"strongroom/identity/reqsign"
	"strongroom/internal/kv"
	"strongroom/web"
)

const followBalances = `{"op":"subscribe","channel":"balances"}`

func watchful(c *api.Config) { c.StreamCheck = time.Millisecond }

func TestStreamsEndWithTheirKey(t *testing.T) {
	h := open(t, quick, watchful)
	other := h.key(identity.Read)
	mine, others, anybody := dial(t, h, h.alice), dial(t, h, other), raw(t, h, nil)
	must(t, mine.Subscribe(t.Context(), client.Topic{Channel: "balances"}))
	must(t, others.Subscribe(t.Context(), client.Topic{Channel: "balances"}))
	next(t, mine)
	next(t, others)
	h.tell("deposit.seen")
	event, end := h.follow(t, "")
	defer end()
	event()
	// Who is frozen may still read.
	_, err := h.ids.SetCustomerState(t.Context(), h.customer.ID, identity.Frozen)
	must(t, err)
	for range 20 { // looks, and more
		must(t, others.Subscribe(t.Context(), client.Topic{Channel: "orders"}))
		next(t, others)
		must(t, others.Unsubscribe(t.Context(), client.Topic{Channel: "orders"}))
	}
	must(t, h.ids.RevokeKey(t.Context(), h.customer.ID, h.alice.Key))
	if end := closed(t, mine); end.Status != 1008 || end.Reason != "key revoked" {
		t.Errorf("closed with %+v", end)
	}
	if e := event(); e != nil {
		t.Errorf("events go on: %v", e)
	}
	if anybody.ask(t, `{"op":"ping"}`)["type"] != "pong" {
		t.Error("a stream of nobody ended too")
	}
	must(t, others.Subscribe(t.Context(), client.Topic{Channel: "orders"}))
	if m := next(t, others); m.Type != "snapshot" {
		t.Errorf("another key's stream: %s", m.Raw)
	}
	if m := h.call(reqsign.Credential{}, "GET", "/metrics", ""); !strings.Contains(string(m.body), `strongroom_streams_closed_total{reason="revoked"} 1`) {
		t.Errorf("figures: %s", m.body)
	}
}

// lodge is a house with the trade page.
type lodge struct {
	*house

	pages *web.Pages
}

func openLodge(t *testing.T, changes ...func(*api.Config)) *lodge {
	t.Helper()
	l := &lodge{}
	l.house = open(t, append([]func(*api.Config){quick, watchful, func(c *api.Config) {
		sessions, err := kv.NewMemory(kv.MemoryConfig{Clock: c.Clock})
		must(t, err)
		l.pages, err = web.New(web.Config{
			Orders: c.Trading.Orders, Log: c.Trading.Log, Data: c.Trading.Data, Transfers: c.Trading.Transfers, Catalog: c.Trading.Catalog,
			Customers: c.Customers, Sessions: sessions, Logger: slog.New(slog.DiscardHandler), Clock: c.Clock,
		})
		must(t, err)
		c.Pages, c.Session, c.SessionStands = l.pages, l.pages.Customer, l.pages.SessionStands
	}}, changes...)...)
	return l
}

// post sends a form of the page and returns the answer's status and cookies.
func (l *lodge) post(t *testing.T, path, cookie string, form url.Values) (int, []*http.Cookie) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.url+path, strings.NewReader(form.Encode()))
	must(t, err)
	req.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"}, "Cookie": {cookie}}
	res, err := http.DefaultTransport.RoundTrip(req)
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	return res.StatusCode, res.Cookies()
}

// enter begins a session, in place of the one before it where there was one, and returns
// its cookie.
func (l *lodge) enter(t *testing.T, before string) string {
	t.Helper()
	path, _, err := l.pages.Invite(t.Context(), l.customer.ID)
	must(t, err)
	status, cookies := l.post(t, "/trade/enter", before, url.Values{"code": {strings.TrimPrefix(path, "/trade/enter?code=")}})
	if status != http.StatusSeeOther || len(cookies) != 1 {
		t.Fatalf("enter: %d %v", status, cookies)
	}
	return cookies[0].Name + "=" + cookies[0].Value
}

// page opens a session's stream and hears of the account.
func (l *lodge) page(t *testing.T, cookie string) socket {
	t.Helper()
	s := raw(t, l.house, http.Header{"Cookie": {cookie}, "Origin": {l.url}})
	if a := s.ask(t, followBalances); a["type"] != "snapshot" {
		t.Fatalf("by session: %v", a)
	}
	return s
}

func (l *lodge) pass(d time.Duration) { l.clock.Add(int64(d)) }

// use loads the page and returns what its forms carry.
func (l *lodge) use(t *testing.T, cookie string) (csrf string) {
	t.Helper()
	a := l.call(reqsign.Credential{}, "GET", "/trade/BTC-USDC", "", "Cookie", cookie)
	_, rest, found := strings.Cut(string(a.body), `name="csrf" value="`)
	if !found {
		t.Fatalf("no form in the page: %d %s", a.status, a.body)
	}
	csrf, _, _ = strings.Cut(rest, `"`)
	return csrf
}

// TestStreamsEndWithTheirSession has the page's own sessions and a clock moved by hand.
func TestStreamsEndWithTheirSession(t *testing.T) {
	for name, over := range map[string]func(l *lodge, cookie string){
		"left": func(l *lodge, cookie string) {
			if status, _ := l.post(l.t, "/trade/leave", cookie, url.Values{"csrf": {l.use(l.t, cookie)}}); status != http.StatusSeeOther {
				l.t.Fatalf("leave: %d", status)
			}
		},
		"another began": func(l *lodge, cookie string) { l.enter(l.t, cookie) },
		"idle":          func(l *lodge, _ string) { l.pass(time.Hour) },
		"old": func(l *lodge, cookie string) {
			for range 12 {
				l.pass(55 * time.Minute)
				l.use(l.t, cookie)
			}
			l.pass(40 * time.Minute) // twelve hours
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := openLodge(t)
			cookie := l.enter(t, "")
			s := l.page(t, cookie)
			for range 20 { // looks, and more
				l.pass(time.Minute)
				if s.ask(t, `{"op":"ping"}`)["type"] != "pong" {
					t.Fatal("the stream ends before its session")
				}
			}
			stays := l.page(t, l.enter(t, ""))
			l.use(t, cookie)
			over(l, cookie)
			if status, reason := s.why(t); status != 1008 || reason != "session ended" {
				t.Errorf("closed with %d %q", status, reason)
			}
			if name != "left" && name != "another began" {
				return // time is over for all
			}
			if stays.ask(t, `{"op":"ping"}`)["type"] != "pong" {
				t.Error("another session's stream ended too")
			}
		})
	}
}

// TestAStreamBearsDoubtForAWhile has sessions that cannot be asked about: sometimes, then
// always.
func TestAStreamBearsDoubtForAWhile(t *testing.T) {
	var looks atomic.Int64
	var away atomic.Bool
	many := make(chan struct{})
	h := open(t, quick, watchful, func(c *api.Config) {
		c.Session = func(r *http.Request) (string, bool) {
			_, err := r.Cookie("page")
			return "cus_page", err == nil
		}
		c.SessionStands = func(*http.Request) (bool, error) {
			n := looks.Add(1)
			if n == 60 {
				close(many)
			}
			if n%3 != 0 || away.Load() {
				return false, errors.New("nobody answers")
			}
			return true, nil
		}
	})
	s := raw(t, h, http.Header{"Cookie": {"page=1"}, "Origin": {h.url}})
	<-many
	if s.ask(t, `{"op":"ping"}`)["type"] != "pong" {
		t.Error("a stream ends with a moment's doubt")
	}
	away.Store(true)
	before := looks.Load()
	if status, reason := s.why(t); status != 1013 || !strings.Contains(reason, "come back") {
		t.Errorf("closed with %d %q", status, reason)
	}
	if n := looks.Load() - before; n > 6 {
		t.Errorf("%d looks more", n)
	}
}
