package node_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/internal/mtls"
	"strongroom/matching/chain"
	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/matching/journal"
	"strongroom/matching/node"
	"strongroom/matching/server"
	"strongroom/matching/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

// shard is nodes in this process, each with folder and ports of its own.
type shard struct {
	t         *testing.T
	dir       string
	serving   []string
	peers     []journal.Peer
	snapshots uint64
	nodes     []*running
}

type running struct {
	node   *node.Node
	cancel context.CancelFunc
	ended  chan error
}

func newShard(t *testing.T, n int, snapshots uint64) *shard {
	t.Helper()
	s := &shard{t: t, dir: t.TempDir(), snapshots: snapshots, nodes: make([]*running, n)}
	names := []string{"matching", "worker", "api"}
	for i := range n {
		names = append(names, nodeName(i))
		s.serving = append(s.serving, freeAddress(t))
		s.peers = append(s.peers, journal.Peer{ID: uint64(i + 1), Name: nodeName(i), Address: freeAddress(t)})
	}
	if err := mtls.EnsureDev(filepath.Join(s.dir, "tls"), names...); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		s.start(i, true)
	}
	t.Cleanup(func() {
		for i := range s.nodes {
			s.stop(i)
		}
	})
	return s
}

func nodeName(i int) string { return fmt.Sprintf("matching-%d", i+1) }

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func (s *shard) config(i int, create bool) node.Config {
	s.t.Helper()
	certs := filepath.Join(s.dir, "tls")
	tls, err := mtls.ServerConfig(certs, "matching")
	if err != nil {
		s.t.Fatal(err)
	}
	j := journal.Config{Cluster: "test", Shard: "one", Node: uint64(i + 1), Create: create, SnapshotEntries: s.snapshots, KeepEntries: 16, CheckEvery: 32}
	if len(s.peers) > 1 {
		l, err := net.Listen("tcp", s.peers[i].Address)
		if err != nil {
			s.t.Fatal(err)
		}
		j.Peers, j.Wire = s.peers, journal.NewTLSWire(l, certs, nodeName(i))
	}
	return node.Config{
		Dir: filepath.Join(s.dir, nodeName(i)), Journal: j, TLS: tls, Grace: time.Minute,
		Engine:  engine.Config{Orders: 1 << 14, Accounts: 8, Assets: 2, Markets: 2, Keys: 1 << 14, Transfers: 1 << 8},
		Peers:   map[string]server.Rights{"worker": {Any: true, Operate: true, Events: true}, "api": {Any: true}},
		Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
		Clock: time.Now, //nolint:forbidigo // elections run in real time
	}
}

func (s *shard) start(i int, create bool) {
	s.t.Helper()
	n, err := node.Open(s.config(i, create))
	if err != nil {
		s.t.Fatal(err)
	}
	l, err := net.Listen("tcp", s.serving[i])
	if err != nil {
		s.t.Fatal(errors.Join(err, n.Close()))
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{node: n, cancel: cancel, ended: make(chan error, 1)}
	go func() { r.ended <- n.Serve(ctx, l) }()
	s.nodes[i] = r
}

func (s *shard) stop(i int) {
	s.t.Helper()
	r := s.nodes[i]
	if r == nil {
		return
	}
	s.nodes[i] = nil
	r.cancel()
	if err := <-r.ended; err != nil {
		s.t.Errorf("node %d: %v", i, err)
	}
}

func (s *shard) client(name string) *client.Client {
	s.t.Helper()
	tls, err := mtls.ClientConfig(filepath.Join(s.dir, "tls"), name, "matching")
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := client.New(client.Config{Addresses: s.serving, TLS: tls})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *shard) session(c *client.Client, o client.Options) *client.Session {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for {
		session, err := c.Open(ctx, o)
		if err == nil {
			s.t.Cleanup(session.Close)
			return session
		}
		if !errors.Is(err, client.ErrNoLeader) || ctx.Err() != nil {
			s.t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) //nolint:forbidigo // an election runs in real time
	}
}

// prepare makes a market and gives two accounts something to trade.
func (s *shard) prepare(c *client.Client, session *client.Session) {
	s.t.Helper()
	leader, err := c.Leader(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	config := &engine.MarketConfig{Quote: 1, LotUnits: 1, TickUnits: 1, MinQty: 1, MaxQty: 1 << 20, MaxOrders: 1 << 14}
	out, err := leader.Configure(s.t.Context(), &matchingv1.ConfigureRequest{Version: wire.Version, Config: wire.AppendConfig(nil, config)})
	if err != nil || out.GetCode() != 0 {
		s.t.Fatalf("make market: %v, %v", out, err)
	}
	commands := []engine.Command{{Op: engine.OpState, State: engine.Open}}
	for a := engine.AccountID(1); a <= 2; a++ {
		commands = append(commands, engine.Command{Op: engine.OpAccount, Account: a})
		for asset := range engine.AssetID(2) {
			commands = append(commands, engine.Command{
				Op: engine.OpCredit, Account: a, Asset: asset, Amount: engine.Amount{Lo: 1 << 40}, Key: engine.Key{Hi: uint64(a), Lo: uint64(asset) + 1},
			})
		}
	}
	s.do(session, commands...)
}

func (s *shard) do(session *client.Session, commands ...engine.Command) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	results, err := session.Do(ctx, commands...)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range results {
		if r.Kind == engine.EventRejected {
			s.t.Fatalf("refused: %+v", r)
		}
	}
}

// pair is a sale and the purchase that takes half of it.
func pair(n uint64) []engine.Command {
	return []engine.Command{
		{Op: engine.OpNew, Account: 1, Side: engine.Sell, Price: 100 + int64(n%5), Qty: 4, Key: engine.Key{Lo: n}},
		{Op: engine.OpNew, Account: 2, Side: engine.Buy, Price: 104, Qty: 2, Key: engine.Key{Lo: n}},
	}
}

// events reads all events from one on to the newest and checks their chain.
func (s *shard) events(c *client.Client, node int, seq uint64) (n uint64, hash chain.Hash) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	stream, err := c.Any(node).Events(ctx, &matchingv1.EventsRequest{Seq: seq})
	if err != nil {
		s.t.Fatal(err)
	}
	next := seq
	for {
		b, err := stream.Recv()
		if err != nil {
			s.t.Fatalf("behind event %d: %v", next-1, err)
		}
		if b.GetFirst() > next || next == seq && b.GetFirst()+uint64(b.GetCount()) <= seq {
			s.t.Fatalf("a batch from %d on where %d is wanted", b.GetFirst(), next)
		}
		events, err := wire.ReadEvents(b.GetEvents(), server.MaxBatchEvents, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		copy(hash[:], b.GetPrevious())
		if hash = hash.Over(events); hash != chain.Hash(b.GetHash()) {
			s.t.Fatalf("the hash behind event %d is another", b.GetFirst())
		}
		next = b.GetFirst() + uint64(b.GetCount())
		if next > b.GetHead() {
			return next - 1, hash
		}
	}
}

// TestNodeAloneKeepsEverything stops and starts a node again and again: orders, the
// session, and every event since the first are there, whatever the journal has forgotten.
func TestNodeAloneKeepsEverything(t *testing.T) {
	s := newShard(t, 1, 20)
	c := s.client("worker")
	session := s.session(c, client.Options{})
	s.prepare(c, session)
	n := uint64(0)
	for round := range 4 {
		for range 25 {
			n++
			s.do(session, pair(n)...)
		}
		seq, hash := s.events(c, 0, 1)
		if half, again := s.events(c, 0, seq/2); half != seq || again != hash {
			t.Fatalf("round %d: from the middle on %d events, from the first %d", round, half, seq)
		}
		s.stop(0)
		s.start(0, false)
		s.leader()
		if again, same := s.events(s.client("worker"), 0, 1); again < seq || again == seq && same != hash {
			t.Fatalf("round %d: %d events after a restart, %d before", round, again, seq)
		}
	}
	if s.nodes[0].node.Status().Snapshot == 0 {
		t.Error("no snapshot was taken")
	}
	var leader matchingv1.MatchingClient
	s.until(func() bool {
		var err error
		leader, err = c.Leader(t.Context())
		return err == nil
	})
	orders, err := leader.Orders(t.Context(), &matchingv1.OrdersRequest{Account: 1})
	left := int64(0)
	for _, o := range orders.GetOrders() {
		left += o.GetQty()
	}
	if err != nil || left != int64(2*n) {
		t.Errorf("%d lots of %d are left for sale, %v", left, 2*n, err)
	}
}

// TestSessionOutlivesItsLeader trades while one leader after the other is stopped: each
// command has one effect, and all nodes end with the same.
func TestSessionOutlivesItsLeader(t *testing.T) {
	s := newShard(t, 3, 50)
	c := s.client("worker")
	var mu sync.Mutex
	trades := 0
	missed := false
	session := s.session(c, client.Options{All: true, Missed: func(uint64) { missed = true }, Events: func(events []engine.Event) {
		mu.Lock()
		defer mu.Unlock()
		for i := range events {
			if events[i].Kind == engine.EventTrade {
				trades++
			}
		}
	}})
	s.prepare(c, session)
	n := uint64(0)
	for range 4 {
		for range 30 {
			n++
			s.do(session, pair(n)...)
		}
		led := s.leader()
		s.stop(led)
		for range 30 {
			n++
			s.do(session, pair(n)...)
		}
		s.start(led, false)
	}
	mu.Lock()
	if trades < int(n) && !missed {
		t.Errorf("%d of %d trades were heard of, and nobody said that some were missed", trades, n)
	}
	mu.Unlock()
	leader, err := c.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	balances, err := leader.Balances(t.Context(), &matchingv1.BalancesRequest{Account: 2, Assets: []uint32{0}})
	if err != nil || balances.GetBalances()[0].GetAvailable().GetLo() != 1<<40+2*n {
		t.Errorf("%d pairs, balances %v, %v", n, balances, err)
	}
	s.agree()
}

func (s *shard) leader() int {
	s.t.Helper()
	at := -1
	s.until(func() bool {
		for i, r := range s.nodes {
			if r != nil && r.node.Status().Leading {
				at = i
			}
		}
		return at >= 0
	})
	return at
}

// agree waits until all nodes have the same digest.
func (s *shard) agree() {
	s.t.Helper()
	s.until(func() bool {
		first := s.nodes[0].node.Digest()
		for _, r := range s.nodes {
			if err := r.node.Status().Err; err != nil {
				s.t.Fatal(err)
			}
			if r.node.Digest() != first {
				return false
			}
		}
		return true
	})
}

func (s *shard) until(what func() bool) {
	s.t.Helper()
	for range int(patience / (5 * time.Millisecond)) {
		if what() {
			return
		}
		time.Sleep(5 * time.Millisecond) //nolint:forbidigo // nodes run in real time
	}
	s.t.Fatal("it does not come about")
}
