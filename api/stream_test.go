package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"strongroom/api"
	"strongroom/api/client"
	"strongroom/feed"
	"strongroom/identity/reqsign"
	"strongroom/matching/engine"
	"strongroom/money"
	"strongroom/trading"
)

func quick(c *api.Config) { c.StreamEvery = time.Millisecond }

// dial opens a stream; without a key it is anybody's.
func dial(t *testing.T, h *house, cred reqsign.Credential) *client.Stream {
	t.Helper()
	c, err := client.New(client.Config{URL: h.url, Credential: cred, Clock: realNow})
	must(t, err)
	s, err := c.Stream(t.Context())
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func next(t *testing.T, s *client.Stream) client.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	m, err := s.Next(ctx)
	must(t, err)
	return m
}

// closed reads until the stream is closed and returns how.
func closed(t *testing.T, s *client.Stream) *client.StreamClosed {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		_, err := s.Next(ctx)
		if end, ok := errors.AsType[*client.StreamClosed](err); ok {
			return end
		}
		must(t, err)
	}
}

func TestStreamTellsOfMarketsWithoutGaps(t *testing.T) {
	h := open(t, quick)
	s := dial(t, h, reqsign.Credential{})
	for _, channel := range []string{"book", "trades", "ticker"} {
		must(t, s.Subscribe(t.Context(), client.Topic{Channel: channel, Market: marketName}))
	}
	must(t, s.Subscribe(t.Context(), client.Topic{Channel: "candles", Market: marketName, Interval: "1m"}))
	seen := map[string]client.Message{}
	last := map[string]uint64{}
	for len(seen) < 4 {
		m := next(t, s)
		if m.Type != "snapshot" || m.Seq != 7 || m.Prev != nil {
			t.Fatalf("first of %s: %s", m.Channel, m.Raw)
		}
		seen[m.Channel], last[m.Channel] = m, m.Seq
	}
	var book api.Book
	b := seen["book"]
	must(t, b.Decode(&book))
	if len(book.Bids) != 2 || len(book.Asks) != 1 || book.Bids[0][0] != "59990" {
		t.Errorf("book: %s", b.Raw)
	}
	h.floor.trade(6_001_000)
	told := map[string]string{}
	for told["trades"] == "" || told["ticker"] == "" || told["candles"] == "" {
		m := next(t, s)
		if m.Type != "update" || m.Prev == nil || *m.Prev != last[m.Channel] || m.Seq <= last[m.Channel] {
			t.Fatalf("%s after %d", m.Raw, last[m.Channel])
		}
		last[m.Channel], told[m.Channel] = m.Seq, string(m.Raw)
	}
	for channel, want := range map[string]string{
		"trades": `"price":"60010","quantity":"0.0001","side":"buy"`, "ticker": `"last":"60010"`, "candles": `"interval":"1m"`,
	} {
		if !strings.Contains(told[channel], want) {
			t.Errorf("%s: %s", channel, told[channel])
		}
	}
	must(t, s.Unsubscribe(t.Context(), client.Topic{Channel: "book", Market: marketName}))
	must(t, s.Subscribe(t.Context(), client.Topic{Channel: "book", Market: marketName}))
	for {
		m := next(t, s)
		if m.Channel == "book" && m.Type == "snapshot" {
			must(t, m.Decode(&book))
			break
		}
	}
	if m := h.call(reqsign.Credential{}, "GET", "/metrics", ""); !strings.Contains(string(m.body), "strongroom_streams 1") || !strings.Contains(string(m.body), `strongroom_stream_messages_total{channel="trades"}`) {
		t.Errorf("figures: %s", m.body)
	}
}

func TestStreamOfAnAccountLosesNothingBetween(t *testing.T) {
	h := open(t, quick)
	cred := trader(h)
	h.call(cred, "POST", "/v1/orders", orderBody, "Idempotency-Key", "s-1") // seq 8
	// While balances are read more happens: some of it is in the snapshot already.
	h.floor.during = func() {
		h.floor.tell(trading.Update{Seq: h.floor.seq, Balances: []trading.Balance{{Asset: "BTC"}}})
		h.floor.tell(trading.Update{Seq: h.floor.seq + 1, Balances: []trading.Balance{{Asset: "BTC", Available: money.FromUint64(100)}}})
		h.floor.during = nil
	}
	s := dial(t, h, h.alice)
	must(t, s.Subscribe(t.Context(), client.Topic{Channel: "balances"}))
	m, u := next(t, s), next(t, s)
	if m.Type != "snapshot" || m.Seq != 8 || !strings.Contains(string(m.Raw), `"available":"1.5"`) || u.Seq != 9 || !strings.Contains(string(u.Raw), `"available":"0.000001"`) {
		t.Errorf("balances: %s, then %s", m.Raw, u.Raw)
	}
	must(t, s.Unsubscribe(t.Context(), client.Topic{Channel: "balances"}))
	must(t, s.Subscribe(t.Context(), client.Topic{Channel: "orders"}))
	var orders struct {
		Orders []api.Order
		Fills  []api.Fill
	}
	m = next(t, s)
	if must(t, m.Decode(&orders)); m.Type != "snapshot" || len(orders.Orders) != 1 || orders.Orders[0].ClientOrderID != "s-1" {
		t.Errorf("orders: %s", m.Raw)
	}
	h.call(cred, "POST", "/v1/orders", orderBody, "Idempotency-Key", "s-2") // seq 9
	m = next(t, s)
	if must(t, m.Decode(&orders)); m.Type != "update" || m.Seq != 9 || orders.Orders[0].ClientOrderID != "s-2" {
		t.Errorf("order: %s", m.Raw)
	}
	h.floor.say(trading.Update{Seq: 10, Fill: &trading.Fill{Seq: 10, Market: marketName, Price: "1", Fee: "0.1", Time: time.Unix(1, 0)}})
	if m = next(t, s); !strings.Contains(string(m.Raw), `"fills":[{"seq":10`) {
		t.Errorf("fill: %s", m.Raw)
	}
	h.floor.say(trading.Update{Seq: 12, Reset: true})
	if m = next(t, s); m.Type != "snapshot" {
		t.Errorf("after a loss: %s", m.Raw)
	}
	h.floor.hangUp()
	if end := closed(t, s); end.Status != 1008 || end.Reason != "slow reader" {
		t.Errorf("a slow reader was closed with %+v", end)
	}
}

func TestStreamAnswersWhatItCannotDo(t *testing.T) {
	h := open(t, quick)
	s := raw(t, h, nil)
	for _, c := range []struct{ frame, code string }{
		{`{"op":"leap"}`, "unknown_op"},
		{`{"op":"subscribe","channel":"weather"}`, "unknown_channel"},
		{`{"op":"subscribe","channel":"book","market":"X-Y"}`, "unknown_market"},
		{`{"op":"subscribe","channel":"candles","market":"BTC-USDC","interval":"2m"}`, "bad_interval"},
		{`{"op":"subscribe","channel":"book","market":"BTC-USDC","interval":"1m"}`, "superfluous_member"},
		{`{"op":"subscribe","channel":"orders","market":"BTC-USDC"}`, "superfluous_member"},
		{`{"op":"subscribe","channel":"orders"}`, "unauthenticated"},
		{`{"op":"unsubscribe","channel":"book","market":"BTC-USDC"}`, "not_subscribed"},
		{`{"op":"ping","channel":"book"}`, "superfluous_member"},
	} {
		a := s.ask(t, c.frame)
		if a["type"] != "error" || a["code"] != c.code || a["fix"] == "" || a["text"] == "" {
			t.Errorf("%s: %v", c.frame, a)
		}
	}
	if a := s.ask(t, `{"op":"ping"}`); a["type"] != "pong" {
		t.Errorf("ping: %v", a)
	}
	for frame, status := range map[string]websocket.StatusCode{
		`{"op":"ping","op":"ping"}`: 1007, `{"op":1}`: 1007, `{"op":null}`: 1007, `[]`: 1007, `{"op":"ping","x":"y"}`: 1007, `{`: 1007,
		`{"op":"` + strings.Repeat("x", 5000) + `"}`: 1009,
	} {
		s := raw(t, h, nil)
		must(t, s.Write(t.Context(), websocket.MessageText, []byte(frame)))
		if got := s.end(t); got != status {
			t.Errorf("%.40s: closed with %d", frame, got)
		}
	}
	b := raw(t, h, nil)
	must(t, b.Write(t.Context(), websocket.MessageBinary, []byte(`{"op":"ping"}`)))
	if got := b.end(t); got != 1003 {
		t.Errorf("binary: %d", got)
	}
	f := raw(t, h, nil)
	go func() {
		for range 200 {
			if f.Write(t.Context(), websocket.MessageText, []byte(`{"op":"ping"}`)) != nil {
				return
			}
		}
	}()
	if got := f.end(t); got != 1008 {
		t.Errorf("flood: %d", got)
	}
}

func TestStreamDoors(t *testing.T) {
	h := open(t, quick, func(c *api.Config) {
		c.Session = func(r *http.Request) (string, bool) {
			_, err := r.Cookie("page")
			return "cus_page", err == nil
		}
		c.SessionStands = func(*http.Request) (bool, error) { return true, nil }
	})
	if p := h.call(reqsign.Credential{}, "GET", "/v1/stream", "").problem(t); p.Status != 426 || p.Errors[0].Location != "header.Upgrade" {
		t.Errorf("no upgrade: %+v", p)
	}
	subscribe := `{"op":"subscribe","channel":"balances"}`
	own := raw(t, h, http.Header{"Cookie": {"page=1"}, "Origin": {h.url}})
	if a := own.ask(t, subscribe); a["type"] != "snapshot" {
		t.Errorf("by session: %v", a)
	}
	anybody := raw(t, h, http.Header{"Origin": {"https://elsewhere.example"}})
	if a := anybody.ask(t, subscribe); a["code"] != "unauthenticated" {
		t.Errorf("from elsewhere: %v", a)
	}
	for _, origin := range []string{"https://elsewhere.example", "null", ""} {
		_, answer, err := websocket.Dial(t.Context(), h.url+"/v1/stream", &websocket.DialOptions{HTTPHeader: http.Header{"Cookie": {"page=1"}, "Origin": {origin}}}) //nolint:bodyclose // the dialer has read and closed it
		if err == nil || answer.StatusCode != http.StatusForbidden {
			t.Errorf("a session from %q: %v %v", origin, err, answer)
		}
	}
	c, err := client.New(client.Config{URL: h.url, Credential: reqsign.Credential{Key: h.alice.Key, Scheme: h.alice.Scheme, Secret: strings.Repeat("s", 43)}, Clock: realNow})
	must(t, err)
	_, err = c.Stream(t.Context())
	if p, ok := errors.AsType[*client.Problem](err); !ok || p.Status != 401 {
		t.Errorf("forged: %v", err)
	}
	open := 0
	for range 40 {
		conn, _, err := websocket.Dial(t.Context(), h.url+"/v1/stream", nil) //nolint:bodyclose // the dialer has read and closed it
		if err != nil {
			break
		}
		defer func() { _ = conn.CloseNow() }()
		open++
	}
	if open < 20 || open > 32 {
		t.Errorf("%d streams of one address", open)
	}
}

// TestStreamSendsAwayWhoDoesNotRead fills a reader's buffers and looks on; it hears why
// once it reads again in time, and others are served meanwhile.
func TestStreamSendsAwayWhoDoesNotRead(t *testing.T) {
	h := open(t, quick, func(c *api.Config) { c.StreamPatience = 300 * time.Millisecond })
	wide := feed.Standing{Seq: 9, State: engine.Open}
	for i := range int64(30_000) {
		wide.Orders = append(wide.Orders, feed.Order{ID: engine.OrderID(i + 1), Side: engine.Buy, Price: 1_000_000 + i, Shown: 1 + i})
	}
	h.floor.feed.Begin(&wide)
	slow := rawBy(t, h, nil, narrow())
	must(t, slow.Write(t.Context(), websocket.MessageText, []byte(`{"op":"subscribe","channel":"book","market":"BTC-USDC"}`)))
	other := raw(t, h, nil)
	for end := realNow().Add(2 * time.Minute); !strings.Contains(string(h.call(reqsign.Credential{}, "GET", "/metrics", "").body), `strongroom_streams_closed_total{reason="slow_reader"} 1`); {
		if realNow().After(end) {
			t.Fatal("a reader that does not read is still there")
		}
		wide.Seq++
		h.floor.feed.Begin(&wide)         // each is told as a whole book
		time.Sleep(20 * time.Millisecond) //nolint:forbidigo // the server fills a real connection
	}
	if other.ask(t, `{"op":"ping"}`)["type"] != "pong" {
		t.Error("others wait for it")
	}
}

func TestStreamsEndWithTheServer(t *testing.T) {
	h := open(t, quick)
	ctx, stop := context.WithCancel(t.Context())
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	must(t, err)
	served := make(chan error, 1)
	go func() { served <- h.server.Serve(ctx, l) }()
	h.url = "http://" + l.Addr().String()
	s := dial(t, h, h.alice)
	must(t, s.Subscribe(t.Context(), client.Topic{Channel: "balances"}))
	next(t, s)
	stop()
	if end := closed(t, s); end.Status != 1001 {
		t.Errorf("closed with %+v", end)
	}
	must(t, <-served)
}

// socket is a stream without the client's manners.
type socket struct{ *websocket.Conn }

func raw(t *testing.T, h *house, header http.Header) socket {
	t.Helper()
	return rawBy(t, h, header, nil)
}

// narrow makes connections that take little before somebody reads.
func narrow() *http.Client {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return conn, conn.(*net.TCPConn).SetReadBuffer(4096)
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial}}
}

func rawBy(t *testing.T, h *house, header http.Header, by *http.Client) socket {
	t.Helper()
	conn, answer, err := websocket.Dial(t.Context(), h.url+"/v1/stream", &websocket.DialOptions{HTTPHeader: header, HTTPClient: by}) //nolint:bodyclose // the dialer has read and closed it
	if err != nil {
		t.Fatalf("open stream: %v %v", err, answer)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return socket{conn}
}

func (s socket) ask(t *testing.T, frame string) map[string]any {
	t.Helper()
	must(t, s.Write(t.Context(), websocket.MessageText, []byte(frame)))
	_, data, err := s.Read(t.Context())
	must(t, err)
	var out map[string]any
	must(t, json.Unmarshal(data, &out))
	return out
}

func (s socket) end(t *testing.T) websocket.StatusCode {
	t.Helper()
	status, _ := s.why(t)
	return status
}

// why reads until the stream is closed and returns how.
func (s socket) why(t *testing.T) (status websocket.StatusCode, reason string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		if _, _, err := s.Read(ctx); err != nil {
			closed, _ := errors.AsType[websocket.CloseError](err)
			return websocket.CloseStatus(err), closed.Reason
		}
	}
}
