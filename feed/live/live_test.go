package live_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strongroom/feed"
	"strongroom/feed/live"
	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/internal/kv"
	"strongroom/internal/mtls"
	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/matching/server"
	"strongroom/matching/wire"
	"strongroom/trading"
)

var _ trading.MarketData = (*live.Live)(nil)

// shard is a server in this process.
func shard(tb testing.TB) *client.Client {
	tb.Helper()
	certs := tb.TempDir()
	if err := mtls.EnsureDev(certs, "matching", "worker"); err != nil {
		tb.Fatal(err)
	}
	serve, err := mtls.ServerConfig(certs, "matching")
	if err != nil {
		tb.Fatal(err)
	}
	e, err := engine.New(engine.Config{Orders: 1 << 16, Accounts: 16, Assets: 2, Markets: 2, Keys: 1 << 16, Transfers: 1 << 8})
	if err != nil {
		tb.Fatal(err)
	}
	clock := time.Now //nolint:forbidigo // the shard's own
	metrics, err := server.NewMetrics(prometheus.NewRegistry())
	if err != nil {
		tb.Fatal(err)
	}
	machine := server.NewMachine(e, metrics, clock)
	memory := server.NewMemory(machine, 1, false)
	srv, err := server.New(server.Config{
		Machine: machine, Log: memory, TLS: serve, Peers: map[string]server.Rights{"worker": {Any: true, Operate: true, Events: true}},
		Logger: slog.New(slog.DiscardHandler), Clock: clock, Metrics: metrics,
	})
	if err != nil {
		tb.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ctx, l) }()
	dial, err := mtls.ClientConfig(certs, "worker", "matching")
	if err != nil {
		tb.Fatal(err)
	}
	c, err := client.New(client.Config{Addresses: []string{l.Addr().String()}, TLS: dial})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = c.Close()
		cancel()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
		memory.Close()
	})
	return c
}

// opened makes market 1 and gives accounts something to trade.
func opened(tb testing.TB, c *client.Client) *client.Session {
	tb.Helper()
	node, err := c.Leader(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	config := engine.MarketConfig{Base: 0, Quote: 1, LotUnits: 10, TickUnits: 1, MinQty: 1, MaxQty: 1 << 30, MaxSlippage: 100, MaxOrders: 1 << 16}
	if _, err := node.Configure(tb.Context(), &matchingv1.ConfigureRequest{Market: 1, Version: wire.Version, Config: wire.AppendConfig(nil, &config)}); err != nil {
		tb.Fatal(err)
	}
	s, err := c.Open(tb.Context(), client.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	list := []engine.Command{{Op: engine.OpState, Market: 1, State: engine.Open}}
	for a := engine.AccountID(1); a < 6; a++ {
		list = append(list, engine.Command{Op: engine.OpAccount, Account: a})
		for asset := range engine.AssetID(2) {
			list = append(list, engine.Command{Op: engine.OpCredit, Account: a, Asset: asset, Amount: engine.Amount{Lo: 1 << 50}, Key: engine.Key{Hi: uint64(a), Lo: uint64(asset) + 1}})
		}
	}
	do(tb, s, list)
	return s
}

func do(tb testing.TB, s *client.Session, list []engine.Command) {
	tb.Helper()
	if _, err := s.Do(tb.Context(), list...); err != nil {
		tb.Fatal(err)
	}
}

func orders(dice *rand.Rand, n int) []engine.Command {
	var out []engine.Command
	for range n {
		c := engine.Command{
			Op: engine.OpNew, Market: 1, Account: engine.AccountID(1 + dice.IntN(5)), Side: engine.Side(dice.IntN(2)),
			Price: 950 + dice.Int64N(100), Qty: 1 + dice.Int64N(20), Key: engine.Key{Hi: dice.Uint64() | 1, Lo: 9},
		}
		if dice.IntN(5) == 0 {
			c.Display = 1 + dice.Int64N(c.Qty)
		}
		out = append(out, c)
	}
	return out
}

// faulty breaks what the shard says now and then.
type faulty struct {
	*client.Client
	dice  *rand.Rand
	left  atomic.Int32 // faults that are still to come
	begun atomic.Int32
}

var errBroken = errors.New("broken")

func (f *faulty) Resting(ctx context.Context, markets ...engine.MarketID) (client.Resting, error) {
	f.begun.Add(1)
	return f.Client.Resting(ctx, markets...)
}

func (f *faulty) Events(ctx context.Context, epoch, seq uint64) iter.Seq2[client.Batch, error] {
	return func(yield func(client.Batch, error) bool) {
		for b, err := range f.Client.Events(ctx, epoch, seq) {
			if err == nil && f.dice.IntN(4) == 0 && f.left.Add(-1) >= 0 {
				switch f.dice.IntN(3) {
				case 0:
					b.Before[3]++
				case 1:
					continue // lost
				default:
					yield(client.Batch{}, errBroken)
					return
				}
			}
			if !yield(b, err) {
				return
			}
		}
	}
}

// past is what a store knows: nothing, before event next.
type past struct {
	next uint64
	list []feed.Candle
}

func (p past) Past(context.Context, []engine.MarketID) (map[engine.MarketID]feed.Past, uint64, error) {
	return nil, p.next, nil
}

func (p past) Range(context.Context, engine.MarketID, feed.Interval, time.Time, time.Time, int) ([]feed.Candle, error) {
	return slices.Clone(p.list), nil
}

func follow(tb testing.TB, shard live.Shard, store kv.Store, p past) *live.Live {
	tb.Helper()
	l, err := live.New(live.Config{
		Client: shard, Markets: map[string]engine.MarketID{"A-B": 1}, Candles: p, Store: store, Pause: time.Millisecond,
		Clock: time.Now, Logger: slog.New(slog.DiscardHandler), //nolint:forbidigo // the shard's is it too
	})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	})
	return l
}

// reached reads what a market tells until it is what the shard shows, woken by
// its messages alone.
func reached(t *testing.T, c *client.Client, m *feed.Market) {
	t.Helper()
	node, err := c.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	depth, err := node.Depth(t.Context(), &matchingv1.DepthRequest{Market: 1, Levels: 1000})
	if err != nil {
		t.Fatal(err)
	}
	await(t, m, func(now *feed.Message) bool {
		return same(now.Bids, depth.GetBids()) && same(now.Asks, depth.GetAsks()) && uint32(now.State) == depth.GetState()
	})
}

// await waits until a market is as it is to be.
func await(t *testing.T, m *feed.Market, is func(*feed.Message) bool) feed.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for reader := m.Read(); ; {
		if _, err := reader.Next(ctx); err != nil {
			t.Fatalf("it does not come about: %+v", m.Whole())
		}
		if now := m.Whole(); is(&now) {
			return now
		}
	}
}

func same(got []feed.Level, want []*matchingv1.Level) bool {
	return slices.EqualFunc(got, want, func(x feed.Level, y *matchingv1.Level) bool { return x.Price == y.GetPrice() && x.Qty == y.GetQty() })
}

// TestBooksAreRightWhileOrdersFlowAndStreamsBreak begins anywhere, breaks the stream
// again and again, and compares with the engine after each burst.
func TestBooksAreRightWhileOrdersFlowAndStreamsBreak(t *testing.T) {
	c := shard(t)
	s := opened(t, c)
	dice := rand.New(rand.NewPCG(1, 2))
	do(t, s, orders(dice, 300))
	f := &faulty{Client: c, dice: rand.New(rand.NewPCG(3, 4))}
	f.left.Store(20)
	l := follow(t, f, nil, past{next: 1})
	plain := follow(t, c, nil, past{next: 1})
	for range 30 {
		for range 5 {
			do(t, s, orders(dice, 20))
		}
		reached(t, c, l.Feed("A-B"))
		reached(t, c, plain.Feed("A-B"))
	}
	if f.begun.Load() < 5 {
		t.Errorf("begun %d times: nothing broke", f.begun.Load())
	}
	left := f.left.Swap(0) // nothing breaks any more: candles catch up too
	do(t, s, orders(dice, 20))
	reached(t, c, plain.Feed("A-B"))
	want := plain.Feed("A-B").Whole()
	got := await(t, l.Feed("A-B"), func(m *feed.Message) bool { return m.Seq == want.Seq && m.Day == want.Day })
	if left > 10 {
		t.Errorf("%d faults are left", left)
	}
	if got.Day != want.Day || !slices.Equal(got.Candles, want.Candles) || !slices.Equal(got.Trades, want.Trades) || got.Day.Trades == 0 {
		t.Errorf("%+v instead of %+v", got.Day, want.Day)
	}
	if age, live := l.Behind(); !live || age > time.Minute {
		t.Errorf("%s behind, live %t", age, live)
	}
}

func TestWhatNobodyKeepsIsLeftOut(t *testing.T) {
	c := shard(t)
	s := opened(t, c)
	dice := rand.New(rand.NewPCG(5, 6))
	do(t, s, orders(dice, 100))
	l := follow(t, unkept{c}, nil, past{next: 1})
	reached(t, c, l.Feed("A-B"))
	do(t, s, orders(dice, 100))
	reached(t, c, l.Feed("A-B"))
	if l.Feed("A-B").Whole().Day.Trades == 0 || l.Feed("B-A") != nil {
		t.Error("no trade came")
	}
}

// unkept has no event of before.
type unkept struct{ *client.Client }

func (u unkept) Events(ctx context.Context, epoch, seq uint64) iter.Seq2[client.Batch, error] {
	if seq == 1 {
		return func(yield func(client.Batch, error) bool) { yield(client.Batch{}, client.ErrNotKept) }
	}
	return u.Client.Events(ctx, epoch, seq)
}

func TestSnapshotsAndCandlesForOtherProcesses(t *testing.T) {
	c := shard(t)
	s := opened(t, c)
	store, err := kv.Open("", "", time.Now) //nolint:forbidigo // the store's own
	if err != nil {
		t.Fatal(err)
	}
	l := follow(t, c, store, past{next: 1})
	reached(t, c, l.Feed("A-B"))
	do(t, s, orders(rand.New(rand.NewPCG(8, 8)), 200))
	reached(t, c, l.Feed("A-B"))
	other, err := live.New(live.Config{
		Client: c, Markets: map[string]engine.MarketID{"A-B": 1}, Candles: past{next: 1}, Store: store,
		Clock: time.Now, Logger: slog.New(slog.DiscardHandler), //nolint:forbidigo // never asked
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Snapshot(t.Context(), "A-B"); !errors.Is(err, kv.ErrMissing) {
		t.Error(err)
	}
	if err := l.KeepAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	want, err := l.Snapshot(t.Context(), "A-B")
	if err != nil {
		t.Fatal(err)
	}
	got, err := other.Snapshot(t.Context(), "A-B")
	if err != nil || !got.Whole || got.Seq != want.Seq || !slices.Equal(got.Bids, want.Bids) || !slices.Equal(got.Trades, want.Trades) || got.Day != want.Day {
		t.Errorf("%+v instead of %+v, %v", got, want, err)
	}
	list, err := l.Candles(t.Context(), "A-B", feed.Interval(24*time.Hour), time.Unix(0, 0), time.Unix(4e9, 0), 10)
	if err != nil || len(list) == 0 || list[len(list)-1] != want.Candles[6] {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := l.Candles(t.Context(), "X", feed.Interval(time.Hour), time.Unix(0, 0), time.Unix(4e9, 0), 10); !errors.Is(err, live.ErrUnknown) {
		t.Error(err)
	}
}
