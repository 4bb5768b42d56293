package api

import (
	"context"
	"slices"
	"time"

	"strongroom/feed"
	"strongroom/trading"
)

func (s *Server) getBook(_ context.Context, in *bookInput) (*bookOutput, error) {
	m, live, err := s.live(in.Market)
	if err != nil {
		return nil, err
	}
	now, depth := live.Whole(), bounded(in.Depth, defaultDepth, maxDepth)
	return &bookOutput{Book{
		Market: m.Name, Seq: now.Seq, Time: moment(now.Time), Bids: levelsOf(m, now.Bids, depth), Asks: levelsOf(m, now.Asks, depth),
	}}, nil
}

// bounded is a number of a query; the framework has checked its bounds.
func bounded(n, missing, most int) int {
	if n < 1 || n > most {
		return missing
	}
	return n
}

// levelsOf writes up to depth levels; all of them where depth is zero.
func levelsOf(m *trading.Market, list []feed.Level, depth int) []level {
	if depth > 0 && len(list) > depth {
		list = list[:depth]
	}
	out := make([]level, len(list))
	for i, l := range list {
		out[i] = level{m.Price(l.Price), m.Quantity(l.Qty)}
	}
	return out
}

func (s *Server) listTrades(_ context.Context, in *tradesInput) (*tradesOutput, error) {
	m, live, err := s.live(in.Market)
	if err != nil {
		return nil, err
	}
	list := live.Whole().Trades
	if limit := bounded(in.Limit, defaultPage, maxPage); len(list) > limit {
		list = list[len(list)-limit:]
	}
	out := &tradesOutput{}
	out.Body.Items = tradesOf(m, list)
	slices.Reverse(out.Body.Items)
	return out, nil
}

func tradesOf(m *trading.Market, list []feed.Trade) []Trade {
	out := make([]Trade, len(list))
	for i, t := range list {
		out[i] = Trade{
			Seq: t.Seq, Time: time.Unix(0, t.Time).UTC(), Price: m.Price(t.Price), Quantity: m.Quantity(t.Qty), Side: trading.SideName(t.Taker),
		}
	}
	return out
}

// intervalNames are the intervals of candles as they are written.
func intervalNames() map[string]feed.Interval {
	return map[string]feed.Interval{
		"1s": feed.Interval(time.Second), "1m": feed.Interval(time.Minute), "5m": feed.Interval(5 * time.Minute), "15m": feed.Interval(15 * time.Minute),
		"1h": feed.Interval(time.Hour), "4h": feed.Interval(4 * time.Hour), "1d": feed.Interval(24 * time.Hour),
	}
}

func (s *Server) listCandles(ctx context.Context, in *candlesInput) (*candlesOutput, error) {
	m, err := s.market(in.Market)
	if err != nil {
		return nil, err
	}
	interval, limit := intervalNames()[in.Interval], bounded(in.Limit, defaultCandles, maxCandles)
	from, to := in.From, in.To
	if to.IsZero() {
		to = s.now()
	}
	if from.IsZero() {
		from = to.Add(-time.Duration(interval) * time.Duration(limit))
	}
	if !from.Before(to) {
		return nil, newProblem(codeInvalid, "query.from: is not before to", FieldProblem{"query.from", "is not before to", "send an earlier time, or leave it out"})
	}
	list, err := s.cfg.Trading.Data.Candles(ctx, m.Name, interval, from, to, limit)
	if err != nil {
		return nil, err
	}
	out := &candlesOutput{}
	out.Body.Items = candlesOf(m, list)
	return out, nil
}

func candlesOf(m *trading.Market, list []feed.Candle) []Candle {
	out := make([]Candle, len(list))
	for i := range list {
		c := &list[i]
		out[i] = Candle{
			Start: time.Unix(0, c.Start).UTC(), Open: m.Price(c.Open), High: m.Price(c.High), Low: m.Price(c.Low), Close: m.Price(c.Close),
			Volume: m.Quantity(c.Volume), Turnover: turnover(m, c.Turnover), Trades: c.Trades,
		}
	}
	return out
}
