package blotter_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/chain"
	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/matching/engine/flow"
	"strongroom/trading"
	"strongroom/trading/blotter"
)

// lapse is a shard of which no node has events up to books.Seq, and what it has waiting:
// the books at that moment, each account's orders some steps later.
type lapse struct {
	*tape
	books  client.Resting
	orders map[engine.AccountID][]*matchingv1.Order
	asked  int
}

func (l *lapse) Resting(context.Context, ...engine.MarketID) (client.Resting, error) {
	l.asked++
	return l.books, nil
}

func (l *lapse) Leader(context.Context) (matchingv1.MatchingClient, error) {
	return leading{orders: l.orders}, nil
}

// leading is a node that is asked for orders alone.
type leading struct {
	matchingv1.MatchingClient
	orders map[engine.AccountID][]*matchingv1.Order
}

func (n leading) Orders(_ context.Context, r *matchingv1.OrdersRequest, _ ...grpc.CallOption) (*matchingv1.OrdersResponse, error) {
	return &matchingv1.OrdersResponse{Orders: n.orders[engine.AccountID(r.GetAccount())]}, nil
}

func (l *lapse) Events(ctx context.Context, epoch, seq uint64) iter.Seq2[client.Batch, error] {
	if seq <= l.books.Seq {
		return func(yield func(client.Batch, error) bool) {
			yield(client.Batch{}, fmt.Errorf("%w: event %d", client.ErrNotKept, seq))
		}
	}
	return l.tape.Events(ctx, epoch, seq)
}

// lapsed lets an engine do steps, reads its books after some of them and its orders
// after some more.
func lapsed(tb testing.TB, seed uint64, books, orders, steps int) *lapse {
	tb.Helper()
	stream := flow.NewAny(seed, flow.All)
	e, err := engine.New(stream.Shard())
	if err != nil {
		tb.Fatal(err)
	}
	l := &lapse{
		tape:   &tape{engine: e, dice: rand.New(rand.NewPCG(seed, 3)), cut: func() bool { return false }},
		orders: map[engine.AccountID][]*matchingv1.Order{},
	}
	for at := range steps {
		step := stream.Next()
		n := len(l.events)
		l.events = step.Do(e, l.events)
		stream.Saw(l.events[n:])
		if at == books {
			l.read()
		}
		if at != orders {
			continue
		}
		for account := range engine.AccountID(64) {
			for _, r := range e.Orders(account, nil) {
				l.orders[account] = append(l.orders[account], told(&r))
			}
		}
	}
	hash := chain.Hash{}
	for i := range l.events {
		l.before = append(l.before, hash)
		hash = hash.Next(&l.events[i])
	}
	l.books.Hash = l.before[l.books.Seq]
	return l
}

// read takes what the books show.
func (l *lapse) read() {
	last := &l.events[len(l.events)-1]
	l.books = client.Resting{Seq: last.Seq, Epoch: epoch(len(l.events) - 1), Time: last.Time}
	at := map[engine.MarketID]int{}
	for account := range engine.AccountID(64) {
		for _, r := range l.engine.Orders(account, nil) {
			if r.Shown == 0 {
				continue
			}
			i, ok := at[r.Market]
			if !ok {
				i = len(l.books.Markets)
				at[r.Market] = i
				l.books.Markets = append(l.books.Markets, client.RestingMarket{Market: r.Market})
			}
			m := &l.books.Markets[i]
			m.Orders = append(m.Orders, client.RestingOrder{Order: r.Order, Side: r.Side, Price: r.Price, Shown: r.Shown})
		}
	}
}

// told is a row as a node tells it.
func told(r *engine.OrderRow) *matchingv1.Order {
	o := &matchingv1.Order{
		Order: uint64(r.Order), Market: uint32(r.Market), Side: uint32(r.Side), Type: uint32(r.Type), Price: r.Price, Limit: r.Limit,
		Trigger: r.Trigger, Qty: r.Qty, Shown: r.Shown, ExpiresNs: r.Expires, Sibling: uint64(r.Sibling),
	}
	if r.Key != (engine.Key{}) {
		o.ClientId = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, r.Key.Hi), r.Key.Lo)
	}
	return o
}

// settledTo has accounts, trades and the cursor of settlement, up to an event.
func settledTo(tb testing.TB, pool *pgxpool.Pool, events []engine.Event) {
	tb.Helper()
	s := &shop{t: nil, pool: pool}
	for account := range engine.AccountID(64) {
		_, err := pool.Exec(tb.Context(), `INSERT INTO trading.account (no, customer) VALUES ($1, $2) ON CONFLICT DO NOTHING`, int64(account), customer(account))
		if err != nil {
			tb.Fatal(err)
		}
	}
	if t, ok := tb.(*testing.T); ok {
		s.t = t
	}
	s.settled(events)
	_, err := pool.Exec(tb.Context(), `INSERT INTO trading.shard (id, next_seq) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET next_seq = EXCLUDED.next_seq`, shard, int64(len(events)+1))
	if err != nil {
		tb.Fatal(err)
	}
}

func (l *lapse) writer(tb testing.TB, pool *pgxpool.Pool, logger *slog.Logger) *blotter.Writer {
	tb.Helper()
	w, err := blotter.NewWriter(blotter.WriterConfig{
		Pool: pool, Shard: shard, Events: l, Waiting: l, Clock: func() time.Time { return time.Unix(0, 1) }, Logger: logger,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

// TestHistoryGoesOnBehindEventsThatNobodyKeeps writes some events, loses many, and goes
// on: all that waits in the end waits in the engine, and no fill is wrong or twice.
func TestHistoryGoesOnBehindEventsThatNobodyKeeps(t *testing.T) {
	rows := 0
	for seed := range uint64(8) {
		pool, l := database(t), lapsed(t, seed*4+1, 1500, 1500+int(seed%4)*20, 2500)
		known := 400
		if seed%3 == 2 {
			known = 0 // nothing was ever written
		} else if err := writer(t, pool, batches{l.batch(0, known, 1)}, 1000, time.Unix(0, 0)).Follow(t.Context()); !errors.Is(err, errCut) {
			t.Fatal(err)
		}
		settledTo(t, pool, l.events[:l.books.Seq])
		var said strings.Builder
		w := l.writer(t, pool, slog.New(slog.NewTextHandler(&said, nil)))
		for range 2 { // over the gap, then on
			if err := w.Follow(t.Context()); err != nil && !errors.Is(err, errCut) {
				t.Fatal(err)
			}
		}
		if n := next(t, pool); n != len(l.events)+1 {
			t.Fatalf("it stands at %d of %d", n, len(l.events))
		}
		waits(t, pool, l.engine)
		rows += l.compare(t, pool)
		var first, last, to, found int64
		if err := pool.QueryRow(t.Context(), `SELECT first_seq, last_seq, traded_to, found FROM blotter.gap`).Scan(&first, &last, &to, &found); err != nil ||
			first != int64(known+1) || last != int64(l.books.Seq) || to != last || found != 1 {
			t.Errorf("the gap is %d to %d, traded to %d, %v", first, last, to, err)
		}
		if !strings.Contains(said.String(), fmt.Sprintf("from=%d to=%d", known+1, l.books.Seq)) {
			t.Errorf("it said %s", said.String())
		}
	}
	t.Logf("%d orders", rows)
}

// compare holds what is known of orders against one pass over all events: fills, fees
// and turnover of each, and the end of those whose end was seen.
func (l *lapse) compare(t *testing.T, pool *pgxpool.Pool) (n int) {
	t.Helper()
	rows, err := pool.Query(t.Context(), `SELECT id, account, side, state, filled, turnover::text, fee::text, gap, seq, last_seq FROM blotter.orders`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	want := plain(l.events)
	have := map[engine.OrderID]bool{}
	for rows.Next() {
		var id, gap, state int64
		var got plainOrder
		if err := rows.Scan(&id, &got.Account, &got.Side, &state, &got.Filled, &got.Turnover, &got.Fee, &gap, &got.Seq, &got.Last); err != nil {
			t.Fatal(err)
		}
		o := want[engine.OrderID(id)]
		if o == nil || o.Account != got.Account || o.Side != got.Side || o.Filled != got.Filled || o.Turnover != got.Turnover || o.Fee != got.Fee {
			t.Fatalf("order %d is %+v, not %+v", id, got, o)
		}
		if gap == 0 && got.Seq != o.Seq && o.Seq > l.books.Seq || gap != 0 && got.Seq > l.books.Seq {
			t.Errorf("order %d came with event %d, not %d", id, got.Seq, o.Seq)
		}
		if state != o.State && (o.State < 3 || o.Last > l.books.Seq || state < 3) {
			t.Errorf("order %d is in state %d, not in %d; %+v", id, state, o.State, o)
		}
		have[engine.OrderID(id)] = true
		n++
	}
	for id, o := range want {
		if !have[id] && o.Filled > 0 && o.Seq > l.books.Seq {
			t.Errorf("order %d is missing: %+v", id, o)
		}
	}
	return n
}

// TestHistoryWaitsForSettlementButNotForEver looks at settlement again and again before
// it goes on without trades.
func TestHistoryWaitsForSettlementButNotForEver(t *testing.T) {
	pool, l := database(t), lapsed(t, 5, 1500, 1500, 2500)
	settledTo(t, pool, l.events[:1000])
	w := l.writer(t, pool, slog.New(slog.DiscardHandler))
	tries := 0
	for next(t, pool) == 1 {
		if err := w.Follow(t.Context()); err != nil && !errors.Is(err, client.ErrNotKept) {
			t.Fatal(err)
		}
		if tries++; tries > 100 {
			t.Fatal("it stands still")
		}
	}
	var to int64
	if err := pool.QueryRow(t.Context(), `SELECT traded_to FROM blotter.gap`).Scan(&to); err != nil || to != 1000 || tries < 10 || l.asked != 1 {
		t.Errorf("after %d tries it went on with trades up to %d; the books were read %d times; %v", tries, to, l.asked, err)
	}
	if err := w.Follow(t.Context()); !errors.Is(err, errCut) {
		t.Error(err)
	}
	waits(t, pool, l.engine)
}

// TestOrdersFromAGapAreShown reads what a gap left through a Log.
func TestOrdersFromAGapAreShown(t *testing.T) {
	s := open(t)
	s.order(1, "sold", engine.Sell, 6_000_000, 30)
	bought := s.order(2, "bought", engine.Buy, 6_000_000, 20)
	stop := s.do(engine.Command{Op: engine.OpNew, Account: 2, Type: engine.StopLimit, Side: engine.Sell, Price: 5_000_000, Trigger: 5_500_000, Qty: 5, TIF: engine.GTD, Expires: s.now + 1e12, STP: engine.STPNone})
	l := &lapse{tape: &tape{engine: s.engine, events: s.events}, orders: map[engine.AccountID][]*matchingv1.Order{}}
	l.read()
	for no := range engine.AccountID(3) {
		for _, r := range s.engine.Orders(no, nil) {
			l.orders[no] = append(l.orders[no], told(&r))
		}
	}
	s.settled(s.events)
	if _, err := s.pool.Exec(t.Context(), `INSERT INTO trading.shard (id, next_seq) VALUES ($1, $2)`, shard, len(s.events)+1); err != nil {
		t.Fatal(err)
	}
	if err := l.writer(t, s.pool, slog.New(slog.DiscardHandler)).Follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	if o, err := s.log.OrderByClientID(t.Context(), "cus_1", "sold"); err != nil || o.State != trading.OrderOpen || o.Filled != "0.002" || o.Remaining != "0.001" || o.Type != trading.TypeLimit {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := s.log.Order(t.Context(), "cus_2", bought); err != nil || o.State != trading.OrderEnded || o.Filled != "0.002" || o.Turnover != "120" || o.Quantity != "" || o.Type != "" {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := s.log.Order(t.Context(), "cus_2", trading.OrderIDText(stop)); err != nil || o.State != trading.OrderWaiting || o.StopPrice != "55000" || o.Price != "50000" || o.ExpiresAt.IsZero() {
		t.Errorf("%+v, %v", o, err)
	}
	for _, q := range []trading.LogQuery{{OrderID: bought}, {}} {
		q.Customer, q.Limit = "cus_2", 10
		if fills, _, err := s.log.Fills(t.Context(), q); err != nil || len(fills) != 1 || fills[0].OrderID != bought {
			t.Errorf("%+v, %v", fills, err)
		}
	}
}

// nobody is asked for nothing: its shard keeps all events.
type nobody struct{}

var errAsked = errors.New("what waits was asked for")

func (nobody) Resting(context.Context, ...engine.MarketID) (client.Resting, error) {
	return client.Resting{}, errAsked
}

func (nobody) Leader(context.Context) (matchingv1.MatchingClient, error) { return nil, errAsked }
