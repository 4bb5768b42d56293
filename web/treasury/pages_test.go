package treasurypages

import (
	"bufio"
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"strongroom/treasury"
	"strongroom/treasury/consent"
)

func TestEveryAnswerHasThePolicy(t *testing.T) {
	h := open(t)
	h.waiting("rqs_1", "customer:cus_1")
	h.login("ada")
	for _, path := range []string{"/treasury", "/treasury/enter", "/treasury/requests", "/treasury/requests/rqs_1", "/treasury/requests/rqs_9", "/treasury/people", "/treasury/freeze", "/treasury/none", "/treasury/static/none", "/treasury/storybook"} {
		w := h.get(path)
		csp := w.Header().Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: no %s", path, part)
			}
		}
		if strings.Contains(csp, "unsafe") || w.Header().Get("X-Frame-Options") != "DENY" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, w.Header())
		}
		body := w.Body.String()
		for _, inline := range []string{"<script>", ` style="`, "<style", " onclick", "javascript:"} {
			if strings.Contains(body, inline) {
				t.Errorf("%s has %s", path, inline)
			}
		}
		for _, source := range regexp.MustCompile(`(?:src|<link[^>]* href)="([^"]*)"`).FindAllStringSubmatch(body, -1) {
			if w := h.get(source[1]); w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
				t.Errorf("%s: %d", source[1], w.Code)
			}
		}
	}
}

func TestNobodyGetsInWithoutAPasskey(t *testing.T) {
	h := open(t)
	for _, path := range []string{"/treasury/requests", "/treasury/people", "/treasury/policies/1", "/treasury/freeze"} {
		if w := h.get(path); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/treasury/enter?next="+url.QueryEscape(path) {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Location"))
		}
	}
	h.says(h.get("/treasury/events"), http.StatusUnauthorized, "not logged in")
	h.says(h.post("/treasury/requests/rqs_1/sign", url.Values{"csrf": {"x"}}), http.StatusUnauthorized, "not logged in")

	form := h.loginForm("ada")
	again := url.Values{}
	maps.Copy(again, form)
	foreign := h.loginForm("ada")
	foreign.Set("nonce", h.nonce())
	h.says(h.post("/treasury/enter", foreign), http.StatusForbidden, "challenge is of another")
	stranger := h.loginForm("ada")
	stranger.Set("credential", "AAAA")
	h.says(h.post("/treasury/enter", stranger), http.StatusForbidden, "nobody's in the roster")
	broken := h.loginForm("ada")
	broken.Set("signature", "?")
	h.says(h.post("/treasury/enter", broken), http.StatusForbidden, "signature is not base64url")
	late := h.loginForm("ada")
	h.pass(nonceLife)
	h.says(h.post("/treasury/enter", late), http.StatusForbidden, "older than five minutes")
	h.says(h.post("/treasury/enter", form), http.StatusForbidden, "older than five minutes")
	form = h.loginForm("ada")
	for k := range form {
		again[k] = form[k]
	}
	if w := h.post("/treasury/enter", form); w.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", w.Code, text(w))
	}
	h.says(h.post("/treasury/enter", again), http.StatusForbidden, "used before")
}

func TestAClonedPasskeyDoesNotGetIn(t *testing.T) {
	h := open(t)
	h.uses = []treasury.KeyUse{{Person: "ada", Key: "ada-key", Count: 7}}
	h.says(h.post("/treasury/enter", h.loginForm("ada")), http.StatusForbidden, "copy of the passkey")
	h.says(h.post("/treasury/enter", h.loginForm("bob")), http.StatusSeeOther, "")
}

func TestNobodyGetsInByAnExpiredRoster(t *testing.T) {
	h := open(t)
	h.pass(49 * time.Hour)
	h.says(h.post("/treasury/enter", h.loginForm("ada")), http.StatusForbidden, "the roster has expired")
}

func TestSessionsEnd(t *testing.T) {
	for name, end := range map[string]func(h *house){
		"left":          func(h *house) { h.post("/treasury/leave", url.Values{}) },
		"idle":          func(h *house) { h.pass(time.Hour) },
		"off the list":  func(h *house) { h.roster.Persons = h.roster.Persons[1:] },
		"another token": func(h *house) { h.cookies["strongroom_treasury"] = "x" },
		"too long": func(h *house) {
			for range 14 {
				h.pass(55 * time.Minute)
				h.get("/treasury/people")
			}
		},
	} {
		h := open(t)
		h.login("ada")
		if w := h.get("/treasury/people"); w.Code != http.StatusOK {
			t.Errorf("%s: %d before", name, w.Code)
		}
		end(h)
		if w := h.get("/treasury/people"); w.Code != http.StatusSeeOther {
			t.Errorf("%s: %d after", name, w.Code)
		}
	}
}

func TestFormsAreOfTheSession(t *testing.T) {
	h := open(t)
	r := h.waiting("rqs_1", "customer:cus_1")
	h.login("ada")
	form := h.word("ada", r.Hash, consent.Approval{Verdict: consent.Approve})
	form.Set("csrf", "made-up")
	h.says(h.post("/treasury/requests/rqs_1/sign", form), http.StatusForbidden, "not of this session")
	for _, headers := range []map[string]string{{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://elsewhere"}, {}} {
		form.Set("csrf", h.csrf)
		post := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/treasury/requests/rqs_1/sign", strings.NewReader(form.Encode()))
		post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for k, v := range headers {
			post.Header.Set(k, v)
		}
		h.says(h.do(post), http.StatusForbidden, "another site")
	}
	if len(h.said) > 0 {
		t.Error("a word was taken")
	}
}

func TestAWordIsOfWhoeverIsLoggedIn(t *testing.T) {
	h := open(t)
	r := h.waiting("rqs_1", "customer:cus_1")
	h.login("ada")
	sign := func(form url.Values) *httptest.ResponseRecorder { return h.post("/treasury/requests/rqs_1/sign", form) }
	h.says(sign(h.word("bob", r.Hash, consent.Approval{Verdict: consent.Approve})), http.StatusForbidden, "not yours")
	form := h.word("ada", r.Hash, consent.Approval{Verdict: consent.Approve})
	form.Set("at", "soon")
	h.says(sign(form), http.StatusForbidden, "at is not a time")
	form = h.word("ada", r.Hash, consent.Approval{Verdict: consent.Approve})
	form.Set("verdict", "deny")
	form.Set("reason", "no")
	h.says(sign(form), http.StatusForbidden, "challenge is of another")
	other := h.waiting("rqs_2", "customer:cus_2")
	h.says(sign(h.word("ada", other.Hash, consent.Approval{Verdict: consent.Approve})), http.StatusForbidden, "challenge is of another")
	if len(h.said) > 0 {
		t.Fatal("a word was taken")
	}
	if w := sign(h.word("ada", r.Hash, consent.Approval{Verdict: consent.Deny, Reason: "it was not them"})); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/treasury/requests/rqs_1" {
		t.Fatalf("%d %s", w.Code, text(w))
	}
	if a := h.said[0]; a.Person != "ada" || a.Key != "ada-key" || a.Verdict != consent.Deny || a.Reason != "it was not them" {
		t.Errorf("said %+v", a)
	}
}

func TestQueuesAskForWhatTheyShow(t *testing.T) {
	h := open(t)
	h.waiting("rqs_1", "customer:cus_1")
	h.login("ada")
	h.asked = nil
	for _, path := range []string{"", "?view=mine", "?view=all&after=x", "?view=expiring"} {
		h.says(h.get("/treasury/requests"+path), http.StatusOK, "Withdrawal of 0.15 BTC")
	}
	waits := []treasury.State{treasury.Waiting}
	want := []treasury.Filter{{Person: "ada", States: waits}, {Person: "ada", States: waits}, {After: "x"}, {States: waits, Before: h.now.Add(soon)}}
	for i, f := range h.asked {
		if f.Person != want[i].Person || f.After != want[i].After || !f.Before.Equal(want[i].Before) || !slices.Equal(f.States, want[i].States) {
			t.Errorf("%d: %+v, want %+v", i, f, want[i])
		}
	}
	h.failure = treasury.ErrTampered
	h.says(h.get("/treasury/requests"), http.StatusInternalServerError, "Tell an officer")
	h.failure = errors.New("database is gone")
	h.says(h.get("/treasury/requests"), http.StatusServiceUnavailable, "Try again in a moment")
}

func TestWhoMaySayWhat(t *testing.T) {
	h := open(t)
	for _, tc := range []struct {
		person, requester, why string
		approve, deny          bool
	}{
		{"ada", "customer:cus_1", "", true, true},
		{"ada", "ada", "You asked for this", false, false},
		{"eve", "customer:cus_1", "in no group that is asked", false, false},
	} {
		r := h.waiting("rqs_1", tc.requester)
		approve, deny, why := may(h.roster.Person(tc.person), &r)
		if approve != tc.approve || deny != tc.deny || !strings.Contains(why, tc.why) {
			t.Errorf("%+v: %t %t %q", tc, approve, deny, why)
		}
	}
	r := h.waiting("rqs_1", "customer:cus_1")
	r.Signed = []treasury.Signed{{Approval: consent.Approval{Person: "ada", Verdict: consent.Approve}}}
	if _, _, why := may(h.roster.Person("ada"), &r); why != "You agreed to this." {
		t.Error(why)
	}
	if list := bars(h.roster, &r); len(list) != 1 || list[0] != (bar{Group: "treasury", Have: 1, Need: 2}) {
		t.Errorf("bars %+v", list)
	}
	r.Requirement = consent.Requirement{Group: "board", Count: 1}
	officer := h.roster.Person("ada")
	r.Signed = nil
	if approve, deny, _ := may(officer, &r); approve || !deny {
		t.Error("an officer may say no to anything, and agree to nothing unasked")
	}
}

func TestWhatIsNotSignedTakesAFreshLogin(t *testing.T) {
	h := open(t)
	h.login("ada")
	h.pass(StepUp + time.Second)
	for _, path := range []string{"/treasury/unfreeze", "/treasury/addresses", "/treasury/policies", "/treasury/policies/1/propose", "/treasury/policies/1/drop", "/treasury/requests/rqs_1/cancel"} {
		h.says(h.post(path, url.Values{}), http.StatusForbidden, "Show your passkey again")
	}
}

func TestOfficersFreeze(t *testing.T) {
	h := open(t)
	freeze := func(person string, at time.Time) *httptest.ResponseRecorder {
		f := consent.Freeze{Environment: "production", Person: person, Reason: "odd payments", At: at.Unix()}
		form := h.asserted(person, f.Message())
		form.Set("reason", f.Reason)
		form.Set("at", int64Text(f.At))
		return h.post("/treasury/freeze", form)
	}
	h.login("bob")
	h.says(freeze("bob", h.now), http.StatusForbidden, "only officers freeze")
	h.login("ada")
	h.says(freeze("ada", h.now.Add(-consent.FreezeLife-time.Second)), http.StatusForbidden, "")
	if len(h.freezes) > 0 {
		t.Fatal("it is frozen")
	}
	if w := freeze("ada", h.now); w.Code != http.StatusSeeOther || len(h.freezes) != 1 {
		t.Fatalf("%d %s", w.Code, text(w))
	}
	h.says(h.get("/treasury/requests"), http.StatusOK, "ada stopped all signing: odd payments")
	h.failure = errors.New("no route")
	h.pages.look(t.Context())
	h.failure = nil
	h.says(h.get("/treasury/requests"), http.StatusOK, "The signer does not answer")
}

func TestBrowsersHearOfChanges(t *testing.T) {
	h := open(t)
	h.login("ada")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { h.pages.Run(ctx); close(done) }()
	site := httptest.NewServer(h.pages)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, site.URL+"/treasury/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: "strongroom_treasury", Value: h.cookies["strongroom_treasury"]})
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() && lines.Text() != ": hello" {
	}
	h.changes <- "rqs_7"
	var heard string
	for lines.Scan() {
		if heard = lines.Text(); heard == "data: rqs_7" {
			break
		}
	}
	if heard != "data: rqs_7" {
		t.Errorf("heard %q", heard)
	}
	stop()
	close(h.changes)
	<-done
	site.CloseClientConnections()
	site.Close()
}

func TestNextIsOurs(t *testing.T) {
	for next, want := range map[string]string{
		"/treasury/requests/rqs_1?view=all": "/treasury/requests/rqs_1?view=all", "": "/treasury/requests", "https://elsewhere/treasury/": "/treasury/requests",
		"//elsewhere/treasury/x": "/treasury/requests", `/treasury/\elsewhere`: "/treasury/requests", "/treasury/../trade": "/treasury/requests", "javascript:alert(1)": "/treasury/requests",
	} {
		if got := local(next); got != want {
			t.Errorf("%s: %s, want %s", next, got, want)
		}
	}
}
