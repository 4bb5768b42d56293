package api

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"

	"strongroom/api/strictjson"
)

// Channels of the stream.
const (
	channelBook      = "book"
	channelTrades    = "trades"
	channelTicker    = "ticker"
	channelCandles   = "candles"
	channelOrders    = "orders"
	channelBalances  = "balances"
	channelTransfers = "transfers"
)

// frame is what a client sends.
type frame struct {
	Op       string `json:"op"`
	Channel  string `json:"channel,omitempty"`
	Market   string `json:"market,omitempty"`
	Interval string `json:"interval,omitempty"`
}

// topic is what a subscription is of.
type topic struct {
	Channel  string `json:"channel,omitempty"`
	Market   string `json:"market,omitempty"`
	Interval string `json:"interval,omitempty"`
}

// private tells whether only the account's owner hears of it.
func (t topic) private() bool {
	return t.Channel == channelOrders || t.Channel == channelBalances || t.Channel == channelTransfers
}

// complaint is what is wrong with a frame.
type complaint struct {
	Type string `json:"type"`

	topic

	Code string `json:"code"`
	Text string `json:"text"`
	Fix  string `json:"fix"`
}

func complain(t topic, code, text, fix string) *complaint {
	return &complaint{Type: "error", topic: t, Code: code, Text: text, Fix: fix}
}

// parseFrame reads a client's frame. An error is of one that cannot be read: it is no one
// JSON object of the members that there are, each once, all texts.
func parseFrame(data []byte) (frame, error) {
	var f frame
	if err := strictjson.Check(data, strictjson.ShapeOf(reflect.TypeFor[frame]())); err != nil {
		return f, err
	}
	var members map[string]*string
	if err := json.Unmarshal(data, &members); err != nil || members == nil {
		return f, errors.New("it is not an object of texts")
	}
	for name, to := range map[string]*string{"op": &f.Op, "channel": &f.Channel, "market": &f.Market, "interval": &f.Interval} {
		text, ok := members[name]
		if !ok {
			continue
		}
		if text == nil {
			return frame{}, errors.New(name + " is null")
		}
		*to = *text
	}
	return f, nil
}

// check says what is wrong with what a frame asks for, nil for nothing.
func (f frame) check(hasMarket func(string) bool) *complaint {
	t := topic{f.Channel, f.Market, f.Interval}
	switch f.Op {
	case "ping":
		if t != (topic{}) {
			return complain(topic{}, "superfluous_member", "a ping has no other members", `send {"op":"ping"}`)
		}
		return nil
	case "subscribe", "unsubscribe":
	default:
		return complain(topic{}, "unknown_op", "there is no such op", "use subscribe, unsubscribe or ping")
	}
	switch {
	case t.private() && (f.Market != "" || f.Interval != ""):
		return complain(topic{}, "superfluous_member", "this channel is of the whole account", "leave market and interval out")
	case t.private():
		return nil
	}
	return f.checkMarket(hasMarket)
}

// checkMarket says what is wrong with a subscription of a market.
func (f frame) checkMarket(hasMarket func(string) bool) *complaint {
	switch {
	case !slices.Contains([]string{channelBook, channelTrades, channelTicker, channelCandles}, f.Channel):
		return complain(topic{}, "unknown_channel", "there is no such channel", "use book, trades, ticker, candles, orders, balances or transfers")
	case !hasMarket(f.Market):
		return complain(topic{}, "unknown_market", "there is no such market", "use one that GET /v1/markets lists")
	case f.Channel == channelCandles && intervalNames()[f.Interval] == 0:
		return complain(topic{}, "bad_interval", "candles have no such interval", "use 1s, 1m, 5m, 15m, 1h, 4h or 1d")
	case f.Channel != channelCandles && f.Interval != "":
		return complain(topic{}, "superfluous_member", "this channel has no interval", "leave interval out")
	}
	return nil
}
