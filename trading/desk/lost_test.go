package desk_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strongroom/matching/server"
	"strongroom/matching/wire"
	"strongroom/trading"
)

// gate is a log that can be held: what is proposed then waits.
type gate struct {
	server.Log

	mu   sync.Mutex
	held chan struct{}
	more uint64 // epochs since the first
}

// Leading implements server.Log.
func (g *gate) Leading() (uint64, bool) {
	now, leading := g.Log.Leading()
	g.mu.Lock()
	defer g.mu.Unlock()
	return now + g.more, leading
}

// elect has another node lead for one entry, and this one again, in a new epoch: streams
// end, and what their frames held is gone.
func (g *gate) elect(h *house) error {
	g.mu.Lock()
	g.more++
	now := epoch + g.more
	g.mu.Unlock()
	return h.machine.Apply(now, false, wire.AppendEntry(nil, h.now.Load()))
}

func (g *gate) Begin(ctx context.Context, entry []byte) (server.Ticket, error) {
	g.mu.Lock()
	held := g.held
	g.mu.Unlock()
	if held != nil {
		<-held
	}
	return g.Log.Begin(ctx, entry)
}

func (g *gate) hold() (release func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	held := make(chan struct{})
	g.held = held
	return func() {
		g.mu.Lock()
		g.held = nil
		g.mu.Unlock()
		close(held)
	}
}

func TestAnOutcomeThatIsUnknownIsFoundOut(t *testing.T) {
	h, g := gated(t)
	release := g.hold()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := h.desk.Place(ctx, "c1", limit("slow", "sell", "1", "60000")); !errors.Is(err, trading.ErrUnavailable) {
		t.Fatalf("the outcome is told as %v", err)
	}
	release()
	var order trading.Order
	wait(t, func() bool {
		o, repeated, err := h.desk.Place(t.Context(), "c1", limit("slow", "sell", "1", "60000"))
		order = o
		return err == nil && repeated
	})
	want{trading.OrderOpen, "", "0", "1", "0"}.check(t, "the order that was given in before", order)
	list, _, err := h.desk.Open(t.Context(), "c1", "")
	if err != nil || len(list) != 1 || list[0].ClientID != "slow" && list[0].ID != order.ID {
		t.Errorf("%+v, %v", list, err)
	}
}

func gated(t *testing.T) (*house, *gate) {
	t.Helper()
	g := &gate{}
	return open(t, func(log server.Log) server.Log {
		g.Log = log
		return g
	}), g
}

// TestANewLeaderLosesEventsAndNoAnswer has the shard lead anew, once at rest and once
// while an order is on its way.
func TestANewLeaderLosesEventsAndNoAnswer(t *testing.T) {
	h, g := gated(t)
	h.place(t, "c1", limit("before", "sell", "1", "60000"))
	updates, err := h.desk.Watch(t.Context(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.elect(h); err != nil {
		t.Fatal(err)
	}
	if u := next(t, updates, isReset); u.Seq == 0 {
		t.Errorf("%+v", u)
	}
	if list, _, err := h.desk.Open(t.Context(), "c1", ""); err != nil || len(list) != 1 || list[0].Remaining != "1" {
		t.Errorf("%+v, %v", list, err)
	}
	release := g.hold()
	answer := make(chan trading.Order)
	go func() {
		o, _, err := h.desk.Place(t.Context(), "c1", limit("during", "sell", "1", "60000"))
		if err != nil {
			t.Error(err)
		}
		answer <- o
	}()
	if err := g.elect(h); err != nil {
		t.Fatal(err)
	}
	release()
	if o := <-answer; o.ClientID != "during" || o.State != trading.OrderOpen || o.Remaining != "1" {
		t.Errorf("%+v", o)
	}
	if h.figure(t, "strongroom_desk_sessions_lost_total") != 0 {
		t.Error("the session is lost")
	}
}

func TestALostSessionIsFollowedByAnother(t *testing.T) {
	h := open(t, nil)
	before := h.place(t, "c1", limit("before", "sell", "1", "60000"))
	updates, err := h.desk.Watch(t.Context(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	h.stopServer()
	if _, _, err := h.desk.Place(short(t), "c1", limit("during", "sell", "1", "60000")); !errors.Is(err, trading.ErrUnavailable) {
		t.Errorf("without a shard: %v", err)
	}
	if _, _, err := h.desk.Open(short(t), "c1", ""); !errors.Is(err, trading.ErrUnavailable) {
		t.Errorf("without a shard: %v", err)
	}
	if _, _, err := h.desk.Balances(short(t), "c1"); !errors.Is(err, trading.ErrUnavailable) {
		t.Errorf("without a shard: %v", err)
	}
	metrics, err := server.NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	h.serve(t, h.memory, metrics)
	next(t, updates, isReset)
	wait(t, h.desk.Ready)
	if h.figure(t, "strongroom_desk_sessions_lost_total") != 1 {
		t.Error("the session goes on")
	}
	var after trading.Order
	wait(t, func() bool {
		after, _, err = h.desk.Place(t.Context(), "c2", limit("after", "buy", "0.4", "60000"))
		return err == nil
	})
	want{trading.OrderFilled, "", "0.4", "0", "24000"}.check(t, "an order in the new session", after)
	if f := next(t, updates, isFill).Fill; f.OrderID != before.ID || !f.Maker || f.Quantity != "0.4" {
		t.Errorf("%+v", f)
	}
	// Of an order from before only the shard knows; what it traded before was not heard.
	list, _, err := h.desk.Open(t.Context(), "c1", "")
	if err != nil || len(list) == 0 || list[0].ID != before.ID || list[0].Remaining != "0.6" || list[0].Filled != "" || list[0].Type != trading.TypeLimit {
		t.Errorf("%+v, %v", list, err)
	}
	got, err := h.desk.Cancel(t.Context(), "c1", "client:before")
	if err != nil || got.State != trading.OrderCancelled || got.Remaining != "0.6" || got.Type != trading.TypeLimit || got.Price != "60000" {
		t.Errorf("%+v, %v", got, err)
	}
}

func short(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// log is a history with a few orders.
type log struct {
	trading.Log

	orders map[string]trading.Order
}

func (l log) Order(_ context.Context, customer, id string) (trading.Order, error) {
	if o, ok := l.orders[id]; ok && o.Customer == customer {
		return o, nil
	}
	return trading.Order{}, trading.ErrNotFound
}

func (l log) OrderByClientID(ctx context.Context, customer, clientID string) (trading.Order, error) {
	for id, o := range l.orders {
		if o.ClientID == clientID {
			return l.Order(ctx, customer, id)
		}
	}
	return trading.Order{}, trading.ErrNotFound
}

// TestTheHistoryTellsWhatADeskDidNotHear restarts a desk.
func TestTheHistoryTellsWhatADeskDidNotHear(t *testing.T) {
	h := open(t, nil)
	waits := h.place(t, "c1", limit("waits", "sell", "1", "60000"))
	h.place(t, "c2", limit("bid", "buy", "0.25", "60000"))
	ended := limit("ended", "buy", "0.25", "60000")
	ended.TimeInForce = "ioc"
	gone := h.place(t, "c2", ended)
	secret := h.place(t, "c2", limit("secret", "buy", "0.25", "50000"))
	h.stop()
	history := log{orders: map[string]trading.Order{gone.ID: gone}}
	waits.Filled, waits.Remaining, waits.Turnover = "0.5", "0.5", "30000"
	history.orders[waits.ID] = waits
	h.metrics = prometheus.NewRegistry()
	h.run(t, history)
	if _, err := h.desk.Cancel(t.Context(), "c2", secret.ID); err != nil {
		t.Fatal(err)
	}

	list, _, err := h.desk.Open(t.Context(), "c1", "")
	if err != nil || len(list) != 1 || list[0].Filled != "0.5" || list[0].Remaining != "0.5" || list[0].Turnover != "30000" || list[0].ClientID != "waits" {
		t.Errorf("%+v, %v", list, err)
	}
	again, repeated, err := h.desk.Place(t.Context(), "c2", ended)
	if err != nil || !repeated || again.ID != gone.ID || again.Filled != "0.25" || again.State != trading.OrderFilled {
		t.Errorf("%+v, repeated %v, %v", again, repeated, err)
	}
	_, err = h.desk.Cancel(t.Context(), "c2", "client:ended")
	refusal(t, err, "unknown_order", "id")
	_, err = h.desk.Cancel(t.Context(), "c2", gone.ID)
	refusal(t, err, "unknown_order", "id")
	// An order that neither shard nor history has yet: the same again finds it out.
	if _, repeated, err := h.desk.Place(t.Context(), "c2", limit("secret", "buy", "0.25", "50000")); !repeated || !errors.Is(err, trading.ErrUnavailable) {
		t.Errorf("repeated %v, %v", repeated, err)
	}
	got, err := h.desk.Cancel(t.Context(), "c1", waits.ID)
	if err != nil || got.State != trading.OrderCancelled || got.Filled != "0.5" || got.Remaining != "0.5" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestWatchersHearWholeOrdersFromBefore restarts a desk while an order waits: what is told
// of it counts what was traded before.
func TestWatchersHearWholeOrdersFromBefore(t *testing.T) {
	h := open(t, nil)
	o := h.place(t, "c1", limit("waits", "sell", "1", "60000"))
	h.place(t, "c2", limit("bid", "buy", "0.25", "60000"))
	h.stop()
	o.Filled, o.Remaining, o.Turnover = "0.25", "0.75", "15000"
	h.metrics = prometheus.NewRegistry()
	h.run(t, log{orders: map[string]trading.Order{o.ID: o}})
	updates, err := h.desk.Watch(t.Context(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	wait(t, func() bool { return h.desk.Remembers(t.Context(), "c1", o.ID) })
	h.place(t, "c2", limit("more", "buy", "0.5", "60000"))
	u := next(t, updates, func(u trading.Update) bool { return u.Order != nil })
	want{trading.OrderOpen, "", "0.75", "0.25", "45000"}.check(t, "an order from before", *u.Order)
	if u.Order.ClientID != "waits" || u.Order.Quantity != "1" || u.Order.Type != trading.TypeLimit || u.Order.CreatedAt.IsZero() {
		t.Errorf("%+v", u.Order)
	}
	got, err := h.desk.Cancel(t.Context(), "c1", "client:waits")
	if err != nil {
		t.Fatal(err)
	}
	want{trading.OrderCancelled, "by_client", "0.75", "0.25", "45000"}.check(t, "its end", got)
}

func TestWithoutASessionNothingIsTaken(t *testing.T) {
	h := open(t, nil)
	h.stop()
	if _, _, err := h.desk.Place(t.Context(), "c1", limit("a", "sell", "1", "60000")); !errors.Is(err, trading.ErrUnavailable) {
		t.Error(err)
	}
	if h.desk.Ready() {
		t.Error("a desk that has closed is ready")
	}
}
