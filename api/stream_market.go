package api

import (
	"context"
	"time"

	"strongroom/feed"
	"strongroom/trading"
)

// head begins every message of a subscription.
type head struct {
	Type string `json:"type"`

	topic

	Seq  uint64     `json:"seq"`
	Prev *uint64    `json:"prev,omitempty"`
	Time *time.Time `json:"time,omitempty"`
}

type (
	bookMessage struct {
		head

		Bids []level `json:"bids"`
		Asks []level `json:"asks"`
	}
	tradesMessage struct {
		head

		Trades []Trade `json:"trades"`
	}
	tickerMessage struct {
		head
		Ticker

		State string     `json:"state"`
		Until *time.Time `json:"until,omitempty"`
	}
	candlesMessage struct {
		head

		Candles []Candle `json:"candles"`
	}
)

// teller tells one subscription what happens on a market.
type teller struct {
	topic  topic
	market *trading.Market
	live   *feed.Market
	data   trading.MarketData
	seq    uint64 // of the message before
	ticker tickerMessage
	candle feed.Candle // the newest that was told
}

// feedMarket reads a market at most so often, so that whoever is slow gets the newest.
func (k *socket) feedMarket(ctx context.Context, t topic) {
	cfg := k.s.cfg.Trading
	w := &teller{topic: t, market: cfg.Catalog.Market(t.Market), live: cfg.Data.Feed(t.Market), data: cfg.Data}
	if w.live == nil {
		k.send(ctx, "error", complain(t, "unavailable", "there is no data of this market yet", "subscribe again later"))
		return
	}
	reader, pause := w.live.Read(), time.NewTicker(k.s.cfg.StreamEvery)
	defer pause.Stop()
	for {
		m, err := reader.Next(ctx)
		if err != nil {
			return // the subscription ended
		}
		if message := w.message(ctx, &m); message != nil {
			if !k.send(ctx, t.Channel, message) {
				return
			}
			w.seq = m.Seq
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
	}
}

// head begins a message.
func (w *teller) head(m *feed.Message) head {
	h := head{Type: "update", topic: w.topic, Seq: m.Seq, Time: moment(m.Time)}
	if m.Whole {
		h.Type = "snapshot"
		return h
	}
	prev := w.seq
	h.Prev = &prev
	return h
}

// message is what a channel says of news; nil for nothing.
func (w *teller) message(ctx context.Context, m *feed.Message) any {
	switch w.topic.Channel {
	case channelBook:
		if !m.Whole && len(m.Bids)+len(m.Asks) == 0 {
			return nil
		}
		return bookMessage{head: w.head(m), Bids: levelsOf(w.market, m.Bids, 0), Asks: levelsOf(w.market, m.Asks, 0)}
	case channelTrades:
		if !m.Whole && len(m.Trades) == 0 {
			return nil
		}
		return tradesMessage{head: w.head(m), Trades: tradesOf(w.market, m.Trades)}
	case channelTicker:
		return w.tick(m)
	default:
		return w.candles(ctx, m)
	}
}

func (w *teller) tick(m *feed.Message) any {
	bid, ask := w.live.Best()
	now := tickerMessage{Ticker: tickerOf(w.market, &m.Day, bid, ask), State: trading.StateName(m.State), Until: moment(m.Until)}
	same := now.Ticker == w.ticker.Ticker && now.State == w.ticker.State && (now.Until == nil) == (w.ticker.Until == nil) &&
		(now.Until == nil || now.Until.Equal(*w.ticker.Until))
	if !m.Whole && same {
		return nil
	}
	w.ticker = now
	now.head = w.head(m)
	return now
}

// candles tells the newest candle, and those that ended since the message before.
func (w *teller) candles(ctx context.Context, m *feed.Message) any {
	interval := intervalNames()[w.topic.Interval]
	newest := w.newest(m, interval)
	if !m.Whole && newest == w.candle {
		return nil
	}
	out := candlesMessage{Candles: []Candle{}}
	if newest.Trades > 0 {
		out.Candles = candlesOf(w.market, append(w.finished(ctx, interval, newest), newest))
	}
	w.candle = newest
	out.head = w.head(m)
	return out
}

// maxFinished bounds candles that ended between two messages.
const maxFinished = 60

// finished are the candles from the one told last to before the newest. Where they cannot
// be read, or are older than what was told, they stay away: GET candles has them.
func (w *teller) finished(ctx context.Context, interval feed.Interval, newest feed.Candle) []feed.Candle {
	if w.candle.Trades == 0 || newest.Start <= w.candle.Start {
		return nil
	}
	from := max(w.candle.Start, newest.Start-maxFinished*int64(interval))
	list, err := w.data.Candles(ctx, w.market.Name, interval, time.Unix(0, from), time.Unix(0, newest.Start), maxFinished)
	if err != nil {
		return nil
	}
	out := make([]feed.Candle, 0, len(list))
	for _, c := range list {
		if c.Start >= from && c.Start < newest.Start && c.Seq >= w.candle.Seq {
			out = append(out, c)
		}
	}
	return out
}

// newest is a message's candle of an interval.
func (*teller) newest(m *feed.Message, interval feed.Interval) feed.Candle {
	for i, of := range feed.Intervals() {
		if of == interval && i < len(m.Candles) {
			return m.Candles[i]
		}
	}
	return feed.Candle{}
}
