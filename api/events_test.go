package api_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"
)

// follow opens a stream and returns a function that reads the next event's lines.
func (h *house) follow(t *testing.T, after string) (next func() map[string]string, end func()) {
	t.Helper()
	var headers []string
	if after != "" {
		headers = []string{"Last-Event-ID", after}
	}
	res, err := http.DefaultClient.Do(h.request(h.alice, "GET", "/v1/events", "", headers...)) //nolint:bodyclose // end closes it
	must(t, err)
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("stream: %d %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(res.Body)
	return func() map[string]string {
		event := map[string]string{}
		for lines.Scan() {
			name, value, ok := strings.Cut(lines.Text(), ": ")
			if ok && name != "" && name != "retry" {
				event[name] = value
			}
			if lines.Text() == "" && len(event) > 0 {
				return event
			}
		}
		return nil
	}, func() { _ = res.Body.Close() }
}

func TestStreamResumesAfterTheLastEventSeen(t *testing.T) {
	h := open(t)
	h.tell("deposit.seen")
	h.tell("deposit.credited")
	next, end := h.follow(t, "")
	if e := next(); e["id"] != "1" || e["event"] != "deposit.seen" || !strings.Contains(e["data"], `"data":{"n":1}`) {
		t.Fatalf("first: %v", e)
	}
	if e := next(); e["id"] != "2" {
		t.Fatalf("second: %v", e)
	}
	h.tell("deposit.withdrawable") // while it is open
	if e := next(); e["id"] != "3" {
		t.Fatalf("live: %v", e)
	}
	end()
	for range 250 { // more than a page, while nobody listens
		h.tell("withdrawal.confirming")
	}
	next, end = h.follow(t, "3")
	defer end()
	for want := 4; want <= 253; want++ {
		if e := next(); e["id"] != itoa(want) {
			t.Fatalf("after the break: %v, want %d", e, want)
		}
	}
}

func TestStreamsAreBoundedPerKey(t *testing.T) {
	h := open(t)
	for range 4 {
		_, end := h.follow(t, "")
		defer end()
	}
	if p := h.call(h.alice, "GET", "/v1/events", "").problem(t); p.Status != 503 {
		t.Errorf("fifth stream: %+v", p)
	}
	if p := h.call(h.alice, "GET", "/v1/events", "", "Last-Event-ID", "-1").problem(t); p.Errors[0].Location != "header.Last-Event-ID" {
		t.Errorf("bad place: %+v", p)
	}
	if p := h.call(h.alice, "GET", "/v1/events?a=1", "").problem(t); p.Status != 422 {
		t.Errorf("parameters: %+v", p)
	}
}

func TestSilentStreamsShowThatTheyAreThere(t *testing.T) {
	h := open(t, shortHeartbeat)
	res, err := http.DefaultClient.Do(h.request(h.alice, "GET", "/v1/events", ""))
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewScanner(res.Body)
	deadline := time.AfterFunc(5*time.Second, func() { _ = res.Body.Close() })
	defer deadline.Stop()
	for lines.Scan() {
		if lines.Text() == ": here" {
			return
		}
	}
	t.Error("no sign of life")
}
