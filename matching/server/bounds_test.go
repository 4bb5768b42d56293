package server_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/chain"
	"strongroom/matching/engine"
	"strongroom/matching/server"
	"strongroom/matching/wire"
)

// gate is a log that can be held shut, and that can lose sight of what became of an
// entry which was applied all the same.
type gate struct {
	server.Log
	mu     sync.Mutex // held: shut
	count  sync.Mutex
	blind  bool
	counts []map[engine.SessionID]int // commands of each session, by entry that has any
}

type blindTicket struct{ server.Ticket }

var errBlind = errors.New("outcome is not known")

// Wait implements server.Ticket.
func (b blindTicket) Wait(ctx context.Context) (uint64, error) {
	index, err := b.Ticket.Wait(ctx)
	return index, errors.Join(errBlind, err)
}

// Begin implements server.Log.
func (g *gate) Begin(ctx context.Context, entry []byte) (server.Ticket, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, rest, err := wire.ReadEntry(entry)
	counts := map[engine.SessionID]int{}
	for err == nil && len(rest) > 0 {
		var r wire.Record
		if rest, err = wire.ReadRecord(rest, &r); err == nil && r.Kind == wire.RecordCommands {
			counts[r.Session] += r.Count
		}
	}
	t, err := g.Log.Begin(ctx, entry)
	g.count.Lock()
	defer g.count.Unlock()
	if len(counts) == 0 {
		return t, err
	}
	g.counts = append(g.counts, counts)
	if g.blind {
		g.blind = false
		return blindTicket{t}, err
	}
	return t, err
}

func (g *gate) entries() []map[engine.SessionID]int {
	g.count.Lock()
	defer g.count.Unlock()
	return slices.Clone(g.counts)
}

func full(account engine.AccountID) []engine.Command {
	commands := make([]engine.Command, wire.MaxFrameCommands)
	for i := range commands {
		commands[i] = engine.Command{Op: engine.OpCancel, Account: account, Order: 1 << 50}
	}
	return commands
}

func TestAFloodIsSlowedAndStarvesNobody(t *testing.T) {
	g := &gate{}
	h := open(t, false, func(l server.Log) server.Log { g.Log = l; return g })
	h.prepare(t)
	flood := h.trader(t, "alice", &matchingv1.Hello{})
	calm := h.trader(t, "bob", &matchingv1.Hello{})
	was := len(g.entries())
	g.mu.Lock()
	release := sync.OnceFunc(g.mu.Unlock)
	defer release()
	const frames = 200 // far more than queue and flow control hold
	sent := make(chan int, frames)
	go func() {
		defer close(sent)
		body := pack(full(alice)...)
		for i := range frames {
			f := &matchingv1.ClientFrame{Version: wire.Version, First: uint64(i*wire.MaxFrameCommands) + 1, Commands: body}
			if flood.stream.Send(f) != nil {
				return
			}
			sent <- i
		}
	}()
	for range 20 { // it has begun, and the shut log has the server's queue full
		<-sent
	}
	queued := func() float64 { return h.gauge(t, "strongroom_matching_queued_commands") }
	waitFor(t, func() bool { return queued() >= 1024 })
	calm.send(order(bob, engine.Buy, 50, 1, 1))
	waitFor(t, func() bool { return queued() > 1024 })
	if n := queued(); n != 1024+1 {
		t.Errorf("%v commands wait in the server", n)
	}
	release()
	calm.until(1)
	flood.until(frames * wire.MaxFrameCommands)
	entries := g.entries()[was:]
	turn := slices.IndexFunc(entries, func(e map[engine.SessionID]int) bool {
		return e[engine.SessionID(calm.welcome.GetSession())] > 0
	})
	// At most the entry that was under way when the log shut goes first.
	if turn < 0 || turn > 1 {
		t.Errorf("the calm session had its turn in entry %d of %d", turn, len(entries))
	}
	for range sent {
		continue
	}
}

func TestWhoDoesNotReadIsSentAway(t *testing.T) {
	h := open(t, false, nil)
	h.prepare(t)
	lazy := h.trader(t, "alice", &matchingv1.Hello{Accounts: []uint32{uint32(alice)}})
	calm := h.trader(t, "bob", &matchingv1.Hello{})
	busy := h.trader(t, "api", &matchingv1.Hello{})
	for h.ended(t, "REASON_SLOW_READER") == 0 {
		if busy.next > 1<<20 {
			t.Fatal("it is never sent away")
		}
		busy.send(full(alice)...)
		busy.until(int(busy.next - 1))
	}
	wantReason(t, lazy.ended(), matchingv1.Reason_REASON_SLOW_READER, 0)
	calm.send(order(bob, engine.Buy, 50, 1, 1))
	if r := calm.until(1)[0]; r.Kind != engine.EventAccepted {
		t.Errorf("the other session: %+v", r)
	}
}

func TestALostOutcomeIsNotDoneTwice(t *testing.T) {
	g := &gate{}
	h := open(t, false, func(l server.Log) server.Log { g.Log = l; return g })
	h.prepare(t)
	a := h.trader(t, "alice", &matchingv1.Hello{})
	g.count.Lock()
	g.blind = true
	g.count.Unlock()
	a.send(order(alice, engine.Buy, 50, 1, 0), order(alice, engine.Buy, 50, 1, 0))
	wantReason(t, a.ended(), matchingv1.Reason_REASON_OUTCOME_UNKNOWN, 0)
	a = h.trader(t, "alice", &matchingv1.Hello{Session: a.welcome.GetSession(), Epoch: epoch})
	if a.welcome.GetNext() != 3 {
		t.Fatalf("welcome %v", a.welcome)
	}
	a.next, a.results = 1, nil
	a.send(order(alice, engine.Buy, 50, 1, 0), order(alice, engine.Buy, 50, 1, 0), order(alice, engine.Buy, 50, 1, 0))
	for _, r := range a.until(3) {
		if r.Repeated != (r.Seq < 3) {
			t.Errorf("result %+v", r)
		}
	}
	orders, err := h.client(t, "alice").Orders(t.Context(), &matchingv1.OrdersRequest{Account: uint32(alice)})
	if err != nil || len(orders.GetOrders()) != 3 {
		t.Errorf("%d orders wait, %v", len(orders.GetOrders()), err)
	}
}

func TestEventsAreOneChainAndAReplayMakesTheSame(t *testing.T) {
	h := open(t, false, nil)
	h.prepare(t)
	a := h.trader(t, "alice", &matchingv1.Hello{})
	for i := range int64(50) {
		a.send(order(alice, engine.Side(i%2), 100, 1+i%3, 0))
	}
	a.until(50)
	at, err := h.client(t, "worker").Status(t.Context(), &matchingv1.StatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	live := h.stream(t, 1, at.GetSeq())
	hash, next := chain.Hash{}, uint64(1)
	for _, b := range live {
		events, err := wire.ReadEvents(b.GetEvents(), server.MaxBatchEvents, nil)
		if err != nil || b.GetFirst() != next || b.GetEpoch() != epoch || !bytes.Equal(b.GetPrevious(), hash[:]) || len(events) != int(b.GetCount()) {
			t.Fatalf("batch %d..%d of epoch %d: %v", b.GetFirst(), b.GetCount(), b.GetEpoch(), err)
		}
		hash, next = hash.Over(events), next+uint64(b.GetCount())
		if !bytes.Equal(b.GetHash(), hash[:]) || b.GetHead() < next-1 {
			t.Fatalf("hash of batch %d", b.GetFirst())
		}
	}
	part := h.stream(t, next-1, next-1)
	if len(part) != 1 || !bytes.Equal(part[0].GetHash(), live[len(live)-1].GetHash()) {
		t.Errorf("from the last event on: %d batches", len(part))
	}
	replay := server.Replay{New: newEngine, Entries: h.memory.Entries}
	i := 0
	err = replay.Batches(t.Context(), 1, func(b *matchingv1.EventBatch) error {
		if i < len(live) && (!bytes.Equal(b.GetEvents(), live[i].GetEvents()) || !bytes.Equal(b.GetHash(), live[i].GetHash())) {
			t.Errorf("batch %d differs in the replay", i)
		}
		i++
		return nil
	})
	if err != nil || i < len(live) {
		t.Errorf("replayed %d batches of %d: %v", i, len(live), err)
	}
	h.follower(t)
	for name, req := range map[string]*matchingv1.EventsRequest{"alice": {Seq: 1}, "worker": {Epoch: epoch + 1, Seq: 1}} {
		stream, err := h.client(t, name).Events(t.Context(), req)
		if err == nil {
			_, err = stream.Recv()
		}
		if err == nil {
			t.Errorf("%s may have %v", name, req)
		}
	}
}

// follower applies the log beside and comes to the same state.
func (h *house) follower(t *testing.T) {
	t.Helper()
	h.memory.Close()
	e, err := newEngine()
	if err != nil {
		t.Fatal(err)
	}
	m := server.NewMachine(e, nil, noClock)
	err = h.memory.Entries(t.Context(), func(epoch uint64, entry []byte) error { return m.Apply(epoch, false, entry) })
	if err != nil || m.Contents() != h.machine.Contents() {
		t.Errorf("a follower has digest %x, the leader %x: %v", m.Contents(), h.machine.Contents(), err)
	}
	if m.Apply(epoch, false, []byte{99}) == nil {
		t.Error("an entry that nobody wrote is applied")
	}
}

// stream reads batches until event last.
func (h *house) stream(t *testing.T, from, last uint64) []*matchingv1.EventBatch {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stream, err := h.client(t, "worker").Events(ctx, &matchingv1.EventsRequest{Epoch: epoch, Seq: from})
	if err != nil {
		t.Fatal(err)
	}
	var out []*matchingv1.EventBatch
	for {
		b, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if out = append(out, b); b.GetFirst()+uint64(b.GetCount()) > last {
			return out
		}
	}
}
