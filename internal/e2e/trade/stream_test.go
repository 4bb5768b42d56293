package trade_test

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"strongroom/feed"
	"strongroom/feed/live"
	"strongroom/trading"
	"strongroom/web"
)

// door speaks the stream's messages to the page: what the API's stream says. It can be closed, to see what the page does without it.
type door struct {
	shard   *shard
	markets *live.Live
	pages   *web.Pages

	mu     sync.Mutex
	closed bool
	open   map[*websocket.Conn]bool
}

type wish struct {
	Op       string `json:"op"`
	Channel  string `json:"channel"`
	Market   string `json:"market"`
	Interval string `json:"interval"`
}

type object = map[string]any

// set closes the door and everything behind it, or opens it again.
func (d *door) set(closed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = closed
	for c := range d.open {
		if closed {
			go func() { _ = c.CloseNow() }()
		}
	}
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	closed := d.closed
	d.mu.Unlock()
	if closed {
		http.Error(w, "closed", http.StatusServiceUnavailable)
		return
	}
	customer, _ := d.pages.Customer(r)
	conn, err := websocket.Accept(w, r, nil) // compares the origin
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	d.mu.Lock()
	d.open[conn] = true
	d.mu.Unlock()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	running := map[wish]context.CancelFunc{}
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return
		}
		var want wish
		if json.Unmarshal(data, &want) != nil {
			return
		}
		key := want
		key.Op = ""
		switch want.Op {
		case "ping":
			say(ctx, conn, object{"type": "pong"})
		case "unsubscribe":
			if stop := running[key]; stop != nil {
				stop()
			}
		case "subscribe":
			one, stop := context.WithCancel(ctx)
			running[key] = stop
			go d.tell(one, conn, want, customer)
		}
	}
}

func say(ctx context.Context, conn *websocket.Conn, message object) {
	data, err := json.Marshal(message)
	if err == nil {
		_ = conn.Write(ctx, websocket.MessageText, data)
	}
}

func (d *door) tell(ctx context.Context, conn *websocket.Conn, want wish, customer string) {
	if want.Channel == "orders" || want.Channel == "balances" {
		if customer != "" {
			d.private(ctx, conn, want.Channel, customer)
		}
		return
	}
	m := d.shard.catalog.Market(want.Market)
	source := d.markets.Feed(want.Market)
	if source == nil {
		return
	}
	reader := source.Read()
	for {
		msg, err := reader.Next(ctx)
		if err != nil {
			return
		}
		out := object{"type": "update", "channel": want.Channel, "market": want.Market, "seq": msg.Seq, "prev": msg.Prev}
		if msg.Whole {
			out["type"] = "snapshot"
			delete(out, "prev")
		}
		fill(out, m, &msg, want)
		say(ctx, conn, out)
		select {
		case <-ctx.Done():
			return
		case <-time.After(100 * time.Millisecond): //nolint:forbidigo // as the API: at most ten a second
		}
	}
}

func fill(out object, m *trading.Market, msg *feed.Message, want wish) {
	switch want.Channel {
	case "book":
		out["bids"], out["asks"] = pairs(m, msg.Bids), pairs(m, msg.Asks)
	case "trades":
		list := []object{}
		for _, t := range msg.Trades {
			list = append(list, object{"seq": t.Seq, "time": time.Unix(0, t.Time).UTC(), "price": m.Price(t.Price), "quantity": m.Quantity(t.Qty), "side": trading.SideName(t.Taker)})
		}
		out["trades"] = list
	case "ticker":
		turnover, err := m.Turnover(msg.Day.Turnover, 1)
		if err != nil {
			return
		}
		day := msg.Day
		for name, ticks := range map[string]int64{"last": day.Close, "open": day.Open, "high": day.High, "low": day.Low} {
			out[name] = m.Price(ticks)
		}
		out["baseVolume"], out["quoteVolume"], out["state"] = m.Quantity(day.Volume), m.Quote.Format(turnover), trading.StateName(msg.State)
	case "candles":
		out["interval"] = want.Interval
		for i, interval := range feed.Intervals() {
			if time.Duration(interval) == length(want.Interval) && i < len(msg.Candles) {
				c := msg.Candles[i]
				out["candles"] = []object{{
					"start": time.Unix(0, c.Start).UTC(), "open": m.Price(c.Open), "high": m.Price(c.High), "low": m.Price(c.Low),
					"close": m.Price(c.Close), "volume": m.Quantity(c.Volume),
				}}
			}
		}
	}
}

func length(name string) time.Duration {
	if name == "1d" {
		return 24 * time.Hour
	}
	d, err := time.ParseDuration(name)
	if err != nil {
		return 0
	}
	return d
}

func pairs(m *trading.Market, levels []feed.Level) [][2]string {
	out := [][2]string{}
	for _, l := range levels {
		out = append(out, [2]string{m.Price(l.Price), m.Quantity(l.Qty)})
	}
	return out
}

func (d *door) private(ctx context.Context, conn *websocket.Conn, channel, customer string) {
	updates, err := d.shard.desk.Watch(ctx, customer)
	if err != nil {
		return
	}
	for u := range updates {
		say(ctx, conn, object{"type": "update", "channel": channel, "seq": u.Seq})
	}
}
