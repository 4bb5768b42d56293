package candledb_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/feed"
	"strongroom/feed/candledb"
	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/matching/settle"
)

const shard = 1

var errCut = errors.New("the stream broke")

// tape is a shard that was: its events, cut as it likes.
type tape struct {
	events []engine.Event
	dice   *rand.Rand
	first  uint64 // what is kept
	cut    func(seq uint64) bool
}

func newTape(seed uint64, n int) *tape {
	dice := rand.New(rand.NewPCG(seed, 3))
	t := &tape{dice: dice, first: 1, cut: func(uint64) bool { return false }}
	now := int64(1_700_000_000_123_456_789)
	for i := range n {
		now += dice.Int64N(int64(3 * time.Second))
		v := engine.Event{Seq: uint64(i + 1), Time: now, Kind: engine.EventTrade, Market: engine.MarketID(1 + dice.IntN(2)), Price: 1 + dice.Int64N(1000), Qty: 1 + dice.Int64N(50)}
		if dice.IntN(3) == 0 {
			v.Kind, v.Price, v.Qty = engine.EventRested, 7, 7
		}
		t.events = append(t.events, v)
	}
	return t
}

func (t *tape) Events(_ context.Context, epoch, seq uint64) iter.Seq2[client.Batch, error] {
	return func(yield func(client.Batch, error) bool) {
		if seq < t.first {
			yield(client.Batch{}, client.ErrNotKept)
			return
		}
		at := max(int(seq)-1-t.dice.IntN(5), 0) // a batch may begin before
		for at < len(t.events) {
			n := min(1+t.dice.IntN(20), len(t.events)-at)
			if !yield(client.Batch{Epoch: max(epoch, 1), Events: t.events[at : at+n]}, nil) {
				return
			}
			if at += n; t.cut(uint64(at)) {
				break
			}
		}
		yield(client.Batch{}, errCut)
	}
}

func house(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	pool, err := pg.Open(context.Background(), testenv.Postgres(tb, candledb.Migrations(), settle.Migrations()))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	return pool
}

func writer(tb testing.TB, pool *pgxpool.Pool, t *tape, most int) *candledb.Writer {
	tb.Helper()
	w, err := candledb.NewWriter(candledb.WriterConfig{
		Pool: pool, Shard: shard, Events: t, Clock: func() time.Time { return time.Unix(1_700_000_000, 0) },
		Logger: slog.New(slog.DiscardHandler), Every: time.Hour, Most: most,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

// plain makes the candles of a market in one pass.
func plain(events []engine.Event, market engine.MarketID, interval feed.Interval) (out []feed.Candle) {
	c := feed.NewCandles(nil)
	var closed []feed.Closed
	for i := range events {
		if v := &events[i]; v.Market == market && v.Kind == engine.EventTrade {
			closed = c.Trade(v, closed)
		}
	}
	for _, one := range closed {
		if one.Interval == interval {
			out = append(out, one.Candle)
		}
	}
	if open := c.Open(interval); open.Trades > 0 {
		out = append(out, open)
	}
	return out
}

func compare(t *testing.T, pool *pgxpool.Pool, events []engine.Event) {
	t.Helper()
	store := candledb.NewStore(pool, shard)
	for _, market := range []engine.MarketID{1, 2} {
		for _, interval := range feed.Intervals() {
			got, err := store.Range(t.Context(), market, interval, time.Unix(0, 0), time.Unix(4_000_000_000, 0), candledb.MaxCandles)
			if want := plain(events, market, interval); err != nil || !slices.Equal(got, want) {
				t.Fatalf("market %d, %s: %d candles, want %d, %v", market, time.Duration(interval), len(got), len(want), err)
			}
		}
	}
}

// TestCutsAndKillsChangeNothing stops writers at random places, some with their last
// words and some without, and compares with one pass.
func TestCutsAndKillsChangeNothing(t *testing.T) {
	for seed := range uint64(4) {
		pool, tape := house(t), newTape(seed, 2000)
		for runs := 0; ; runs++ {
			ctx, kill := context.WithCancel(t.Context())
			stop, killed := tape.dice.IntN(15), runs%3 == 2
			tape.cut = func(seq uint64) bool {
				if stop--; stop < 0 && killed {
					kill()
				}
				return stop < 0 && seq < uint64(len(tape.events))
			}
			err := writer(t, pool, tape, 1+tape.dice.IntN(100)).Follow(ctx)
			kill()
			if !errors.Is(err, errCut) && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			_, next, err := candledb.NewStore(pool, shard).Past(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, pool, tape.events[:next-1])
			if next == uint64(len(tape.events))+1 {
				break
			}
			if runs > 2000 {
				t.Fatal("it does not come to an end")
			}
		}
	}
}

func TestTwoWritersAreNotInEachOthersWay(t *testing.T) {
	pool, one := house(t), newTape(9, 300)
	other := newTape(9, 300)
	inner := writer(t, pool, other, 1000)
	one.cut = func(seq uint64) bool {
		if seq > 100 && inner != nil {
			if err := inner.Follow(t.Context()); !errors.Is(err, errCut) {
				t.Error(err)
			}
			inner = nil
		}
		return false
	}
	if err := writer(t, pool, one, 1000).Follow(t.Context()); !errors.Is(err, candledb.ErrContended) {
		t.Error(err)
	}
	compare(t, pool, one.events)
}

func TestAGapIsAnError(t *testing.T) {
	tape := newTape(1, 50)
	tape.events = append(tape.events[:20:20], tape.events[25:]...)
	if err := writer(t, house(t), tape, 10).Follow(t.Context()); !errors.Is(err, candledb.ErrGap) {
		t.Error(err)
	}
}

// settled puts trades into the rows of settlement.
func settled(t *testing.T, pool *pgxpool.Pool, events []engine.Event) {
	t.Helper()
	for i := range events {
		v := &events[i]
		if v.Kind != engine.EventTrade {
			continue
		}
		if _, err := pool.Exec(t.Context(), `INSERT INTO trading.trade (shard, seq, market, price, qty, taker_side, taker_order, taker_account, taker_fee, maker_order, maker_account, maker_fee, time)
			VALUES ($1, $2, $3, $4, $5, 1, 1, 1, 0, 2, 2, 0, $6)`, shard, int64(v.Seq), int32(v.Market), v.Price, v.Qty, v.Time); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pool.Exec(t.Context(), `INSERT INTO trading.shard (id, next_seq) VALUES ($1, $2)`, shard, len(events)+1); err != nil {
		t.Fatal(err)
	}
}

func TestWhatNoNodeKeepsIsTakenFromSettlement(t *testing.T) {
	pool, tape := house(t), newTape(5, 1000)
	tape.cut = func(seq uint64) bool { return seq > 200 }
	if err := writer(t, pool, tape, 50).Follow(t.Context()); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	tape.first, tape.cut = 700, func(uint64) bool { return false }
	w := writer(t, pool, tape, 64)
	if err := w.Follow(t.Context()); !errors.Is(err, client.ErrNotKept) {
		t.Fatal(err)
	}
	settled(t, pool, tape.events[:800])
	if err := w.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	compare(t, pool, tape.events[:800])
	if err := w.Follow(t.Context()); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	compare(t, pool, tape.events)
	past, next, err := candledb.NewStore(pool, shard).Past(t.Context(), []engine.MarketID{1, 2, 3})
	if err != nil || next != 1001 || len(past[3].Trades) != 0 || past[3].Candles[0].Trades != 0 {
		t.Fatalf("%d, %+v, %v", next, past[3], err)
	}
	p := past[1]
	day := plain(tape.events, 1, feed.Interval(24*time.Hour))
	if len(p.Trades) != feed.RecentTrades || p.Candles[6] != day[len(day)-1] || p.Trades[0].Seq >= p.Trades[1].Seq || p.Trades[0].Taker != engine.Sell {
		t.Errorf("%d trades, %+v", len(p.Trades), p.Candles[6])
	}
	if minutes := plain(tape.events, 1, feed.Interval(time.Minute)); !slices.Equal(p.Minutes, minutes) {
		t.Errorf("%d minutes of %d", len(p.Minutes), len(minutes))
	}
}

func TestOldSecondsAreForgotten(t *testing.T) {
	pool, tape := house(t), newTape(6, 100)
	if err := writer(t, pool, tape, 1000).Follow(t.Context()); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	w, err := candledb.NewWriter(candledb.WriterConfig{
		Pool: pool, Shard: shard, Events: tape, Clock: func() time.Time { return time.Unix(1_700_000_000, 0).Add(4 * 24 * time.Hour) },
		Logger: slog.New(slog.DiscardHandler), Every: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Follow(t.Context()); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	store := candledb.NewStore(pool, shard)
	for interval, want := range map[feed.Interval]int{
		feed.Interval(time.Second): 1, feed.Interval(time.Minute): len(plain(tape.events, 1, feed.Interval(time.Minute))),
	} {
		got, err := store.Range(t.Context(), 1, interval, time.Unix(0, 0), time.Unix(4_000_000_000, 0), 1000)
		if err != nil || len(got) != want {
			t.Errorf("%s: %d candles, want %d, %v", time.Duration(interval), len(got), want, err)
		}
	}
}
