package trade_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"strongroom/feed"
	"strongroom/identity"
	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/trading"
)

// market is BTC-USDC as the shard's events show it.
type market struct {
	feed *feed.Market

	mu     sync.Mutex
	closed map[feed.Interval][]feed.Candle
	fills  []trading.Fill // of the person, newest first
}

// follow keeps the market as the shard tells it.
func follow(t *testing.T, s *shard) *market {
	t.Helper()
	m := &market{feed: feed.NewMarket(nil, nil), closed: map[feed.Interval][]feed.Candle{}}
	c := s.client(t, "api")
	background(t, func(ctx context.Context) error { return m.hear(ctx, c) })
	updates := make(chan (<-chan trading.Update))
	background(t, func(ctx context.Context) error {
		list, err := s.desk.Watch(ctx, person)
		updates <- list
		if err != nil {
			return err
		}
		for u := range list {
			if u.Fill != nil {
				m.mu.Lock()
				m.fills = append([]trading.Fill{*u.Fill}, m.fills...)
				m.mu.Unlock()
			}
		}
		return nil
	})
	<-updates
	return m
}

func (m *market) hear(ctx context.Context, c *client.Client) error {
	seq := uint64(1)
	for batch, err := range c.Events(ctx, 0, seq) {
		if err != nil {
			return fmt.Errorf("follow the shard: %w", err)
		}
		var list []engine.Event
		for _, v := range batch.Events {
			if v.Seq >= seq && v.Market == 1 {
				list = append(list, v)
			}
			seq = max(seq, v.Seq+1)
		}
		m.mu.Lock()
		for _, closed := range m.feed.Take(list, nil) {
			m.closed[closed.Interval] = append(m.closed[closed.Interval], closed.Candle)
		}
		m.mu.Unlock()
	}
	return nil
}

// Feed implements trading.MarketData; the other markets have nothing to show.
func (m *market) Feed(name string) *feed.Market {
	if name == "BTC-USDC" {
		return m.feed
	}
	return nil
}

// Behind implements trading.MarketData.
func (m *market) Behind() (time.Duration, bool) { return 0, true }

// Candles implements trading.MarketData.
func (m *market) Candles(_ context.Context, name string, i feed.Interval, from, to time.Time, limit int) ([]feed.Candle, error) {
	if name != "BTC-USDC" {
		return nil, nil
	}
	now := m.feed.Whole()
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []feed.Candle
	for _, c := range m.closed[i] {
		if c.Start >= from.UnixNano() && c.Start < to.UnixNano() {
			out = append(out, c)
		}
	}
	for n, known := range feed.Intervals() {
		if known == i && n < len(now.Candles) && now.Candles[n].Trades > 0 && (len(out) == 0 || out[len(out)-1].Start < now.Candles[n].Start) {
			out = append(out, now.Candles[n])
		}
	}
	return out[max(0, len(out)-limit):], nil
}

// log is the person's fills as the desk told of them.
type log struct {
	trading.Log

	market *market
}

func (l log) Fills(_ context.Context, q trading.LogQuery) ([]trading.Fill, string, error) {
	l.market.mu.Lock()
	defer l.market.mu.Unlock()
	return l.market.fills[:min(len(l.market.fills), q.Limit)], "", nil
}

type people struct{}

func (people) Customer(_ context.Context, customer string) (identity.Customer, error) {
	return identity.Customer{ID: customer, State: identity.Active}, nil
}

type transfers = trading.Transfers

var errFunding = errors.New("funding is elsewhere")

// mover has no funding at all: each transfer's outcome is unknown.
type mover struct{ transfers }

func (mover) CreateTransfer(context.Context, trading.NewTransfer) (trading.Transfer, bool, error) {
	return trading.Transfer{}, false, errFunding
}

// crowd is a maker who quotes around a price that walks, and a taker.
type crowd struct {
	shard *shard
	dice  *rand.Rand
	mid   int64 // ticks
	ours  []string
}

const levels = 24

func newCrowd(s *shard) *crowd {
	return &crowd{shard: s, dice: rand.New(rand.NewPCG(7, 11)), mid: 6_000_000}
}

func (c *crowd) place(ctx context.Context, customer, side string, ticks, lots int64, kind string) error {
	m := c.shard.catalog.Market("BTC-USDC")
	o := trading.NewOrder{
		ClientID: "crowd-" + strconv.FormatInt(c.shard.orders.Add(1), 10), Market: m.Name, Side: side, Type: trading.TypeLimit,
		Price: m.Price(ticks), Quantity: m.Quantity(lots), TimeInForce: kind,
	}
	got, _, err := c.shard.desk.Place(ctx, customer, o)
	if err != nil {
		return fmt.Errorf("place %s %d at %d: %w", side, lots, ticks, err)
	}
	if got.State == trading.OrderOpen {
		c.ours = append(c.ours, got.ID)
	}
	return nil
}

// quote takes old quotes out and puts new ones around the price.
func (c *crowd) quote(ctx context.Context) error {
	old := c.ours
	c.ours = nil
	for i := range int64(levels) {
		away := 100 + 250*i + c.dice.Int64N(150)
		size := 400 + 300*i + c.dice.Int64N(5_000)
		if err := errors.Join(c.place(ctx, maker, "sell", c.mid+away, size, "gtc"), c.place(ctx, maker, "buy", c.mid-away, size, "gtc")); err != nil {
			return err
		}
	}
	for _, id := range old {
		var refusal *trading.Refusal
		if _, err := c.shard.desk.Cancel(ctx, maker, id); err != nil && !errors.As(err, &refusal) && !errors.Is(err, trading.ErrNotFound) {
			return fmt.Errorf("take quote out: %w", err)
		}
	}
	return nil
}

// take trades a little on a random side.
func (c *crowd) take(ctx context.Context) error {
	lots := 50 + c.dice.Int64N(1_500)
	if c.dice.IntN(2) == 0 {
		return c.place(ctx, taker, "buy", c.mid+2_000, lots, "ioc")
	}
	return c.place(ctx, taker, "sell", c.mid-2_000, lots, "ioc")
}

func (c *crowd) walk() { c.mid += c.dice.Int64N(9_001) - 4_480 }

// past lets the market live through the minutes before now.
func (c *crowd) past(t *testing.T, minutes int) {
	t.Helper()
	for left := minutes; left > 0; left-- {
		c.shard.behind.Store(int64(left) * int64(time.Minute))
		for range 2 {
			c.walk()
			if err := errors.Join(c.quote(t.Context()), c.take(t.Context()), c.take(t.Context())); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.shard.behind.Store(0)
}

// live goes on until ctx ends.
func (c *crowd) live(ctx context.Context) error {
	tick := time.NewTicker(400 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		var err error
		if n%3 == 0 {
			c.mid += c.dice.Int64N(301) - 150
			err = c.quote(ctx)
		}
		if err = errors.Join(err, c.take(ctx)); err != nil && ctx.Err() == nil {
			return err
		}
	}
}
