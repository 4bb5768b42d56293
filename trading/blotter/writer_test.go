package blotter_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/ledger"
	"strongroom/matching/chain"
	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/matching/engine/flow"
	"strongroom/matching/settle"
	"strongroom/trading/blotter"
)

const shard = 1

var errCut = errors.New("the stream broke")

func database(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	pool, err := pg.Open(tb.Context(), testenv.Postgres(tb, ledger.Migrations(), settle.Migrations(), blotter.Migrations()))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	return pool
}

// tape is what an engine said, cut, repeated and contradicted at random.
type tape struct {
	engine *engine.Engine
	events []engine.Event
	before []chain.Hash
	dice   *rand.Rand
	cut    func() bool
}

// record lets a real engine do anything that can be asked.
func record(tb testing.TB, seed uint64, steps int) *tape {
	tb.Helper()
	stream := flow.NewAny(seed, flow.All)
	e, err := engine.New(stream.Shard())
	if err != nil {
		tb.Fatal(err)
	}
	t := &tape{engine: e, dice: rand.New(rand.NewPCG(seed, 3)), cut: func() bool { return false }}
	for range steps {
		step := stream.Next()
		n := len(t.events)
		t.events = step.Do(e, t.events)
		stream.Saw(t.events[n:])
	}
	hash := chain.Hash{}
	for i := range t.events {
		t.before = append(t.before, hash)
		hash = hash.Next(&t.events[i])
	}
	return t
}

// epoch grows along the tape.
func epoch(at int) uint64 { return 1 + uint64(at/500) }

func (t *tape) Events(_ context.Context, _, seq uint64) iter.Seq2[client.Batch, error] {
	return func(yield func(client.Batch, error) bool) {
		at := max(int(seq)-1-t.dice.IntN(5), 0) // a batch may begin before
		for at < len(t.events) {
			n := min(1+t.dice.IntN(60), len(t.events)-at)
			if t.dice.IntN(8) == 0 && at > 0 { // again
				from := t.dice.IntN(at)
				if !yield(t.batch(from, min(n, at-from), epoch(at)), nil) {
					return
				}
			}
			if t.dice.IntN(8) == 0 && epoch(at) > 1 && at >= 500 { // a leader that is none any more
				forged := t.batch(at, n, epoch(at)-1)
				forged.Events = slices.Clone(forged.Events)
				forged.Events[0].Qty++
				if at%500 > 60 && !yield(forged, nil) {
					return
				}
			}
			if !yield(t.batch(at, n, epoch(at)), nil) {
				return
			}
			if at += n; t.cut() && at < len(t.events) {
				break
			}
		}
		yield(client.Batch{}, errCut)
	}
}

func (t *tape) batch(at, n int, epoch uint64) client.Batch {
	return client.Batch{Epoch: epoch, Before: t.before[at], Head: uint64(len(t.events)), Events: t.events[at : at+n]}
}

func writer(tb testing.TB, pool *pgxpool.Pool, events blotter.Events, most int, now time.Time) *blotter.Writer {
	tb.Helper()
	w, err := blotter.NewWriter(blotter.WriterConfig{
		Pool: pool, Shard: shard, Events: events, Waiting: nobody{}, Clock: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler), Most: most,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

// plainOrder is an order as one pass over the events tells it, event by event.
type plainOrder struct {
	ID, Sibling      engine.OrderID
	Account          engine.AccountID
	Market           engine.MarketID
	Key              engine.Key
	Side             engine.Side
	Type             engine.Type
	State, Price     int64
	Left, Filled     int64
	Turnover, Fee    string
	Code             engine.Code
	Created, Updated int64
	Seq, Last        uint64
	turnover, fee    *big.Int
}

func plain(events []engine.Event) map[engine.OrderID]*plainOrder {
	all := map[engine.OrderID]*plainOrder{}
	for i := range events {
		v := &events[i]
		ids := []engine.OrderID{v.Order}
		switch v.Kind { //nolint:exhaustive // all others change no order
		case engine.EventAccepted:
			o := all[v.Order]
			if o == nil {
				o = &plainOrder{ID: v.Order, Account: v.Account, Market: v.Market, Key: v.Key, Side: v.Side, Type: v.Type, Created: v.Time, Seq: v.Seq, State: 2, turnover: new(big.Int), fee: new(big.Int)}
				if v.Type == engine.Stop || v.Type == engine.StopLimit || v.Type == engine.Trailing || v.Type == engine.Peg {
					o.State = 1
				}
				all[v.Order] = o
				if i > 0 && events[i-1].Kind == engine.EventAccepted && events[i-1].Type == engine.OCO && events[i-1].Account == v.Account {
					twin := all[events[i-1].Order]
					twin.Sibling, o.Sibling = o.ID, twin.ID
					ids = append(ids, twin.ID)
				}
			}
			o.Price, o.Left = v.Price, v.Qty
		case engine.EventTrade:
			all[v.Order].trade(v, v.TakerLeft, v.Amount)
			all[v.Maker].trade(v, v.Left, v.Balance)
			ids = append(ids, v.Maker)
		case engine.EventRested, engine.EventReplaced:
			all[v.Order].Left, all[v.Order].State = v.Qty, 1
			if v.Price > 0 {
				all[v.Order].Price, all[v.Order].State = v.Price, 2
			}
		case engine.EventReduced:
			all[v.Order].Left = v.Qty
		case engine.EventTriggered:
			all[v.Order].Price, all[v.Order].Left, all[v.Order].State = v.Price, v.Qty, 2
		case engine.EventCancelled:
			all[v.Order].Left, all[v.Order].State, all[v.Order].Code = v.Qty, 4, v.Code
		default:
			continue
		}
		for _, id := range ids {
			all[id].Updated, all[id].Last = v.Time, v.Seq
		}
	}
	for _, o := range all {
		o.Turnover, o.Fee = o.turnover.String(), o.fee.String()
		o.turnover, o.fee = nil, nil
	}
	return all
}

func (o *plainOrder) trade(v *engine.Event, left int64, fee engine.Amount) {
	o.turnover.Add(o.turnover, new(big.Int).Mul(big.NewInt(v.Price), big.NewInt(v.Qty)))
	o.fee.Add(o.fee, settle.UnitsOf(fee).Big())
	o.Filled += v.Qty
	if o.Left = left; left == 0 {
		o.State = 3
	}
}

// compare holds the rows against one pass.
func compare(t *testing.T, pool *pgxpool.Pool, events []engine.Event) int {
	t.Helper()
	rows, err := pool.Query(t.Context(), `SELECT id, sibling, account, market, key_hi, key_lo, side, type, state, price, left_lots, filled,
		turnover::text, fee::text, code, created, updated, seq, last_seq FROM blotter.orders WHERE shard = $1`, shard)
	if err != nil {
		t.Fatal(err)
	}
	want := plain(events)
	var got plainOrder
	var id, sibling, hi, lo int64
	n := 0
	_, err = pgx.ForEachRow(rows, []any{
		&id, &sibling, &got.Account, &got.Market, &hi, &lo, &got.Side, &got.Type, &got.State, &got.Price, &got.Left, &got.Filled,
		&got.Turnover, &got.Fee, &got.Code, &got.Created, &got.Updated, &got.Seq, &got.Last,
	}, func() error {
		got.ID, got.Sibling, got.Key = engine.OrderID(id), engine.OrderID(sibling), engine.Key{Hi: uint64(hi), Lo: uint64(lo)}
		n++
		if o := want[got.ID]; o == nil || *o != got {
			return fmt.Errorf("order is %+v, not %+v", got, o)
		}
		return nil
	})
	if err != nil || n != len(want) {
		t.Fatalf("%d orders of %d: %v", n, len(want), err)
	}
	return n
}

func next(t *testing.T, pool *pgxpool.Pool) int {
	t.Helper()
	var n int
	if err := pool.QueryRow(t.Context(), `SELECT coalesce(max(next_seq), 1) FROM blotter.cursor WHERE shard = $1`, shard).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestCutsAndKillsChangeNothing stops writers at random places, with a last word and in
// the middle of a transaction, and compares with one pass and with the engine.
func TestCutsAndKillsChangeNothing(t *testing.T) {
	for seed := range uint64(6) {
		pool, tape := database(t), record(t, seed*4, 2500)
		runs, kills := 0, 0
		for next(t, pool) <= len(tape.events) {
			ctx, kill := context.WithCancel(t.Context())
			stop, killed := tape.dice.IntN(25), runs%3 == 2
			if runs%3 == 1 {
				ctx, kill = context.WithTimeout(t.Context(), time.Duration(tape.dice.Int64N(int64(30*time.Millisecond))))
			}
			tape.cut = func() bool {
				if stop--; stop < 0 && killed {
					kill()
				}
				return stop < 0
			}
			err := writer(t, pool, tape, 1+tape.dice.IntN(400), time.Unix(0, 0)).Follow(ctx)
			dead := ctx.Err() != nil
			kill()
			if dead && err != nil && !errors.Is(err, errCut) {
				kills++
			} else if !errors.Is(err, errCut) && !errors.Is(err, blotter.ErrContended) { // the server may end what a killed one began
				t.Fatal(err)
			}
			if runs++; runs > 2000 {
				t.Fatal("it does not come to an end")
			}
			compare(t, pool, tape.events[:next(t, pool)-1])
		}
		n := compare(t, pool, tape.events)
		if kills == 0 || n < 100 {
			t.Errorf("%d kills, %d orders", kills, n)
		}
		t.Logf("%d events, %d orders, %d runs, %d of them killed, %d wait as in the engine", len(tape.events), n, runs, kills, waits(t, pool, tape.engine))
	}
}

// waits compares those that wait with the engine's.
func waits(t *testing.T, pool *pgxpool.Pool, e *engine.Engine) int {
	t.Helper()
	var rows []engine.OrderRow
	for account := range engine.AccountID(64) {
		rows = e.Orders(account, rows)
	}
	var n int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM blotter.orders WHERE state < 3`).Scan(&n); err != nil || n != len(rows) {
		t.Fatalf("%d orders wait, in the engine %d, %v", n, len(rows), err)
	}
	for i := range rows {
		r := &rows[i]
		var left, sibling, price int64
		err := pool.QueryRow(t.Context(), `SELECT left_lots, sibling, price FROM blotter.orders WHERE shard = $1 AND id = $2`, shard, int64(r.Order)).Scan(&left, &sibling, &price)
		if err != nil || left != r.Qty || engine.OrderID(sibling) != r.Sibling || r.Price != 0 && price != r.Price {
			t.Fatalf("%+v has %d at %d, sibling %d, %v", r, left, price, sibling, err)
		}
	}
	return n
}

type batches []client.Batch

func (b batches) Events(context.Context, uint64, uint64) iter.Seq2[client.Batch, error] {
	return func(yield func(client.Batch, error) bool) {
		for _, one := range b {
			if !yield(one, nil) {
				return
			}
		}
		yield(client.Batch{}, errCut)
	}
}

func TestGapsForksAndSecondWritersAreErrors(t *testing.T) {
	pool, tape := database(t), record(t, 4, 300)
	if err := writer(t, pool, batches{tape.batch(0, 20, 1), tape.batch(25, 10, 1)}, 1000, time.Unix(0, 0)).Follow(t.Context()); !errors.Is(err, blotter.ErrGap) {
		t.Error(err)
	}
	compare(t, pool, tape.events[:20])
	other := tape.batch(15, 10, 2)
	other.Events = slices.Clone(other.Events)
	other.Events[0].Time++ // known, and not so
	if err := writer(t, pool, batches{other}, 1000, time.Unix(0, 0)).Follow(t.Context()); !errors.Is(err, blotter.ErrForked) {
		t.Error(err)
	}
	inner := func(yield func(client.Batch, error) bool) {
		if err := writer(t, pool, batches{tape.batch(20, 40, 1)}, 1000, time.Unix(0, 0)).Follow(t.Context()); !errors.Is(err, errCut) {
			t.Error(err)
		}
		yield(tape.batch(20, 10, 1), nil)
	}
	if err := writer(t, pool, lazy(inner), 1000, time.Unix(0, 0)).Follow(t.Context()); !errors.Is(err, blotter.ErrContended) {
		t.Error(err)
	}
	compare(t, pool, tape.events[:60])
}

type lazy iter.Seq2[client.Batch, error]

func (l lazy) Events(context.Context, uint64, uint64) iter.Seq2[client.Batch, error] {
	return iter.Seq2[client.Batch, error](l)
}

func TestOrdersInVainAreForgotten(t *testing.T) {
	pool, tape := database(t), record(t, 8, 1500)
	last := time.Unix(0, tape.events[len(tape.events)-1].Time)
	if err := writer(t, pool, tape, 1000, last).Follow(t.Context()); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	all := plain(tape.events)
	now := last.Add(15 * 24 * time.Hour)
	if err := writer(t, pool, batches{tape.batch(0, 1, 1)}, 1000, now).Follow(t.Context()); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	want := 0
	for _, o := range all {
		if o.State != 4 || o.Filled > 0 || o.Updated >= now.Add(-30*24*time.Hour).UnixNano() {
			want++
		}
	}
	var n int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM blotter.orders`).Scan(&n); err != nil || n != want {
		t.Errorf("%d orders are kept, want %d of %d, %v", n, want, len(all), err)
	}
}
