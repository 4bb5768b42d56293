package server_test

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

func TestOrdersAreAnsweredAndFillsReachTheirOwners(t *testing.T) {
	h := open(t, false, nil)
	h.prepare(t)
	a := h.trader(t, "alice", &matchingv1.Hello{Accounts: []uint32{uint32(alice)}})
	b := h.trader(t, "api", &matchingv1.Hello{Accounts: []uint32{uint32(bob)}})
	all := h.trader(t, "api", &matchingv1.Hello{All: true})
	a.send(order(alice, engine.Sell, 100, 5, 1))
	if r := a.until(1)[0]; r.Kind != engine.EventAccepted || r.Seq != 1 || r.Order == 0 || r.Repeated {
		t.Fatalf("result %+v", r)
	}
	b.send(order(bob, engine.Buy, 100, 2, 1), order(bob, engine.Buy, 99, 4, 2))
	b.until(2)
	for len(a.events) < 3 {
		if err := a.read(); err != nil {
			t.Fatal(err)
		}
	}
	if got := kinds(a.events); !slices.Equal(got, []engine.EventKind{engine.EventAccepted, engine.EventRested, engine.EventTrade}) {
		t.Fatalf("alice saw %v", got)
	}
	if v := a.events[2]; v.MakerAccount != alice || v.Left != 3 || v.Account != 0 || v.Order != 0 {
		t.Errorf("the maker's trade names the taker: %+v", v)
	}
	if v := b.events[1]; v.Kind != engine.EventTrade || v.Account != bob || v.MakerAccount != 0 || v.Maker != 0 || v.Qty != 2 {
		t.Errorf("the taker's trade names the maker: %+v", v)
	}
	for len(all.events) < 6 {
		if err := all.read(); err != nil {
			t.Fatal(err)
		}
	}
	if v := all.events[3]; v.Kind != engine.EventTrade || v.Account != bob || v.MakerAccount != alice {
		t.Errorf("who may see all saw %+v", v)
	}
	reads(t, h)
}

func reads(t *testing.T, h *house) {
	t.Helper()
	c := h.client(t, "alice")
	depth, err := c.Depth(t.Context(), &matchingv1.DepthRequest{Levels: 5})
	if err != nil || len(depth.GetBids()) != 1 || depth.GetBids()[0].GetQty() != 4 || depth.GetAsks()[0].GetQty() != 3 {
		t.Errorf("depth %v, %v", depth, err)
	}
	balances, err := c.Balances(t.Context(), &matchingv1.BalancesRequest{Account: uint32(alice), Assets: []uint32{0, 1, 99}})
	if err != nil || len(balances.GetBalances()) != 3 || balances.GetBalances()[0].GetReserved().GetLo() != 30 ||
		balances.GetBalances()[1].GetAvailable().GetLo() != aMillion+200 {
		t.Errorf("balances %v, %v", balances, err)
	}
	orders, err := c.Orders(t.Context(), &matchingv1.OrdersRequest{Account: uint32(alice)})
	if err != nil || len(orders.GetOrders()) != 1 || orders.GetOrders()[0].GetQty() != 3 || orders.GetMore() {
		t.Errorf("orders %v, %v", orders, err)
	}
	if _, err := c.Orders(t.Context(), &matchingv1.OrdersRequest{Account: uint32(bob)}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("alice reads bob's orders: %v", err)
	}
	at, err := c.Status(t.Context(), &matchingv1.StatusRequest{})
	if err != nil || !at.GetLeading() || at.GetEpoch() != epoch || at.GetSeq() != depth.GetSeq() {
		t.Errorf("status %v, %v", at, err)
	}
}

func TestASessionGoesOnWhereItWas(t *testing.T) {
	h := open(t, false, nil)
	h.prepare(t)
	a := h.trader(t, "alice", &matchingv1.Hello{Accounts: []uint32{uint32(alice)}})
	id := a.welcome.GetSession()
	a.send(order(alice, engine.Sell, 100, 5, 1), order(alice, engine.Sell, 101, 5, 2))
	first := slices.Clone(a.until(2))
	seen := a.events
	a.cancel()
	before := h.machine.Contents()

	// It has seen nothing: all is sent again, and what it repeats has its first results.
	a = h.trader(t, "alice", &matchingv1.Hello{Session: id, Epoch: epoch})
	if w := a.welcome; w.GetNext() != 3 || w.GetOldest() != 1 || w.GetMissed() || w.GetFrame() != 1 {
		t.Fatalf("welcome %v", w)
	}
	if got := a.until(2); !slices.Equal(got, first) || !slices.Equal(a.events, seen) {
		t.Errorf("sent again: %+v", got)
	}
	a.next = 1
	a.send(order(alice, engine.Sell, 100, 5, 1), order(alice, engine.Sell, 101, 5, 2))
	for i, r := range a.until(4)[2:] {
		if !r.Repeated || r.Order != first[i].Order || r.Event != first[i].Event {
			t.Errorf("repeated command %d: %+v; first %+v", i+1, r, first[i])
		}
	}
	if got := h.machine.Contents(); got != before {
		t.Errorf("repeats changed the state")
	}
	a.send(order(alice, engine.Sell, 102, 5, 3))
	if r := a.until(5)[4]; r.Seq != 3 || r.Repeated {
		t.Errorf("the next: %+v", r)
	}

	// A newer stream takes over; another caller does not.
	again := h.trader(t, "alice", &matchingv1.Hello{Session: id, Epoch: epoch, Frame: a.frame})
	wantReason(t, a.ended(), matchingv1.Reason_REASON_REPLACED, 0)
	if again.welcome.GetMissed() || again.welcome.GetNext() != 4 {
		t.Errorf("welcome %v", again.welcome)
	}
	wantReason(t, h.refused(t, "bob", &matchingv1.Hello{Session: id}), matchingv1.Reason_REASON_UNKNOWN_SESSION, 0)
	wantReason(t, h.refused(t, "alice", &matchingv1.Hello{Session: id, Epoch: epoch + 1}), matchingv1.Reason_REASON_EPOCH, 0)
	last := h.trader(t, "alice", &matchingv1.Hello{Session: id, Epoch: epoch - 1})
	if !last.welcome.GetMissed() {
		t.Errorf("frames of another epoch count as seen: %v", last.welcome)
	}
}

// refused says hello and returns why it was refused.
func (h *house) refused(t *testing.T, name string, hello *matchingv1.Hello) *matchingv1.Refusal {
	t.Helper()
	stream, err := h.client(t, name).Trade(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&matchingv1.ClientFrame{Hello: hello}); err != nil {
		t.Fatal(err)
	}
	if _, err = stream.Recv(); err == nil {
		t.Fatalf("%s is welcome", name)
	}
	return refusalOf(t, err)
}

func TestGapsRepeatsAndMalformedFramesLeaveAllElse(t *testing.T) {
	h := open(t, false, nil)
	h.prepare(t)
	other := h.trader(t, "bob", &matchingv1.Hello{Accounts: []uint32{uint32(bob)}})
	other.send(order(bob, engine.Buy, 50, 1, 1))
	other.until(1)
	good := pack(order(alice, engine.Buy, 50, 1, 9))
	disconnect, foreign := pack(engine.Command{Op: engine.OpDisconnect}), pack(order(bob, engine.Buy, 50, 1, 9))
	many := make([]byte, 0, (wire.MaxFrameCommands+1)*len(good))
	for range wire.MaxFrameCommands + 1 {
		many = append(many, good...)
	}
	frame := func(first uint64, b []byte) *matchingv1.ClientFrame {
		return &matchingv1.ClientFrame{Version: wire.Version, First: first, Commands: b}
	}
	for name, c := range map[string]struct {
		frame    *matchingv1.ClientFrame
		reason   matchingv1.Reason
		expected uint64
	}{
		"gap":             {frame(3, good), matchingv1.Reason_REASON_GAP, 1},
		"zero":            {frame(0, good), matchingv1.Reason_REASON_MALFORMED, 0},
		"empty":           {frame(1, nil), matchingv1.Reason_REASON_MALFORMED, 0},
		"torn":            {frame(1, append(slices.Clone(good), good[:9]...)), matchingv1.Reason_REASON_MALFORMED, 0},
		"too many":        {frame(1, many), matchingv1.Reason_REASON_OVERSIZED, 0},
		"version":         {&matchingv1.ClientFrame{Version: 99, First: 1, Commands: good}, matchingv1.Reason_REASON_VERSION, 0},
		"second hello":    {&matchingv1.ClientFrame{Hello: &matchingv1.Hello{}}, matchingv1.Reason_REASON_NO_HELLO, 0},
		"operation":       {frame(1, append(slices.Clone(good), disconnect...)), matchingv1.Reason_REASON_FORBIDDEN, 0},
		"foreign account": {frame(1, append(slices.Clone(good), foreign...)), matchingv1.Reason_REASON_FORBIDDEN, 0},
	} {
		a := h.trader(t, "alice", &matchingv1.Hello{})
		before := h.machine.Contents()
		if err := a.stream.Send(c.frame); err != nil {
			t.Fatal(err)
		}
		got := a.ended()
		if got.GetReason() != c.reason || got.GetExpected() != c.expected {
			t.Errorf("%s: %v", name, got)
		}
		if h.machine.Contents() != before {
			t.Errorf("%s changed the state", name)
		}
	}
	a := h.trader(t, "alice", &matchingv1.Hello{})
	a.send(order(alice, engine.Buy, 50, 1, 9))
	a.until(1)
	a.next = 1
	a.send(order(alice, engine.Buy, 50, 1, 9))
	wantReason(t, a.ended(), matchingv1.Reason_REASON_REPEAT, 2)
	other.send(order(bob, engine.Buy, 51, 1, 2))
	if r := other.until(2)[1]; r.Kind != engine.EventAccepted {
		t.Errorf("the other session: %+v", r)
	}
	wantReason(t, h.refused(t, "mallory", &matchingv1.Hello{}), matchingv1.Reason_REASON_FORBIDDEN, 0)
	wantReason(t, h.refused(t, "alice", &matchingv1.Hello{All: true}), matchingv1.Reason_REASON_FORBIDDEN, 0)
	wantReason(t, h.refused(t, "alice", &matchingv1.Hello{Accounts: []uint32{uint32(bob)}}), matchingv1.Reason_REASON_FORBIDDEN, 0)
}

func TestOrdersEndWithTheirSession(t *testing.T) {
	h := open(t, false, nil)
	h.prepare(t)
	a := h.trader(t, "alice", &matchingv1.Hello{})
	bound := order(alice, engine.Buy, 50, 1, 1)
	bound.Flags, bound.Session = engine.OnDisconnect, 12345 // whatever it says, it is this session's
	a.send(bound, order(alice, engine.Buy, 49, 1, 2))
	a.until(2)
	id := a.welcome.GetSession()
	a.cancel()
	watch := h.trader(t, "api", &matchingv1.Hello{Accounts: []uint32{uint32(alice)}})
	for watch.events == nil { // the stream's end may be noticed after time has passed: let more pass
		h.now.Add(int64(testGrace))
		for range 4 {
			watch.send(engine.Command{Op: engine.OpCancel, Account: alice, Order: 1 << 60})
			watch.until(int(watch.next - 1))
		}
		watch.events = slices.DeleteFunc(watch.events, func(v engine.Event) bool { return v.Kind != engine.EventCancelled })
		if len(watch.events) == 0 {
			watch.events = nil
		}
		time.Sleep(testTick) //nolint:forbidigo // waits for the server to notice
	}
	if v := watch.events[0]; len(watch.events) != 1 || v.Code != engine.CodeByDisconnect || v.Key.Lo != 1 {
		t.Errorf("ended: %+v", watch.events)
	}
	wantReason(t, h.refused(t, "alice", &matchingv1.Hello{Session: id, Epoch: epoch}), matchingv1.Reason_REASON_UNKNOWN_SESSION, 0)
}
