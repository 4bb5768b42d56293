package trade_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"strongroom/feed"
	"strongroom/feed/live"
	"strongroom/identity"
	"strongroom/matching/engine"
	"strongroom/trading"
)

// unkept is no store of candles: what the market's readers see is what was traded since
// the shard began.
type unkept struct{}

func (unkept) Past(context.Context, []engine.MarketID) (map[engine.MarketID]feed.Past, uint64, error) {
	return nil, 1, nil
}

func (unkept) Range(context.Context, engine.MarketID, feed.Interval, time.Time, time.Time, int) ([]feed.Candle, error) {
	return nil, nil
}

// follow keeps the markets as the shard tells of them.
func follow(t *testing.T, s *shard) *live.Live {
	t.Helper()
	ids := map[string]engine.MarketID{}
	for _, m := range s.catalog.All() {
		ids[m.Name] = m.ID
	}
	l, err := live.New(live.Config{Client: s.client(t, "api"), Markets: ids, Candles: unkept{}, Clock: s.clock, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	background(t, l.Run)
	return l
}

// log is the person's fills as the desk told of them, newest first.
type log struct {
	trading.Log

	mu    sync.Mutex
	fills []trading.Fill
}

// keep listens to the desk from now on.
func keep(t *testing.T, s *shard) *log {
	t.Helper()
	l := &log{}
	began := make(chan struct{})
	background(t, func(ctx context.Context) error {
		updates, err := s.desk.Watch(ctx, person)
		close(began)
		if err != nil {
			return err
		}
		for u := range updates {
			if u.Fill != nil {
				l.mu.Lock()
				l.fills = append([]trading.Fill{*u.Fill}, l.fills...)
				l.mu.Unlock()
			}
		}
		return nil
	})
	<-began
	return l
}

func (l *log) Fills(_ context.Context, q trading.LogQuery) ([]trading.Fill, string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fills[:min(len(l.fills), q.Limit)], "", nil
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
