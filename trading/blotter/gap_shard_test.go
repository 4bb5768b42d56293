package blotter_test

import (
	"context"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/internal/mtls"
	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/matching/server"
	"strongroom/matching/wire"
	"strongroom/trading/blotter"
)

// forgetful is a shard whose nodes have no events before one.
type forgetful struct {
	*client.Client
	first uint64
}

func (f forgetful) Events(ctx context.Context, epoch, seq uint64) iter.Seq2[client.Batch, error] {
	if seq < f.first {
		return func(yield func(client.Batch, error) bool) { yield(client.Batch{}, client.ErrNotKept) }
	}
	return f.Client.Events(ctx, epoch, seq)
}

// shardOf is a server in this process.
func shardOf(t *testing.T) *client.Client {
	t.Helper()
	certs := t.TempDir()
	must(t, mtls.EnsureDev(certs, "matching", "trading"))
	serve, err := mtls.ServerConfig(certs, "matching")
	must(t, err)
	e, err := engine.New(engine.Config{Orders: 1 << 14, Accounts: 16, Assets: 2, Markets: 2, Keys: 1 << 16, Transfers: 1 << 8})
	must(t, err)
	metrics, err := server.NewMetrics(prometheus.NewRegistry())
	must(t, err)
	clock := time.Now //nolint:forbidigo // the shard's own
	machine := server.NewMachine(e, metrics, clock)
	memory := server.NewMemory(machine, 1, false)
	srv, err := server.New(server.Config{
		Machine: machine, Log: memory, TLS: serve, Peers: map[string]server.Rights{"trading": {Any: true, Operate: true, Events: true}},
		Logger: slog.New(slog.DiscardHandler), Clock: clock, Metrics: metrics,
	})
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ctx, l) }()
	dial, err := mtls.ClientConfig(certs, "trading", "matching")
	must(t, err)
	c, err := client.New(client.Config{Addresses: []string{l.Addr().String()}, TLS: dial})
	must(t, err)
	t.Cleanup(func() {
		_ = c.Close()
		cancel()
		must(t, <-ended)
		memory.Close()
	})
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// heard are all events of a shard as they come.
type heard struct {
	mu     sync.Mutex
	events []engine.Event
}

func (h *heard) follow(ctx context.Context, c *client.Client) {
	for b, err := range c.Events(ctx, 0, 1) {
		if err != nil {
			return
		}
		h.mu.Lock()
		for i := range b.Events {
			if b.Events[i].Seq == uint64(len(h.events)+1) {
				h.events = append(h.events, b.Events[i])
			}
		}
		h.mu.Unlock()
	}
}

// upTo returns the events up to one, once it was heard.
func (h *heard) upTo(t *testing.T, seq uint64) []engine.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		h.mu.Lock()
		n := uint64(len(h.events))
		list := h.events[:min(n, seq)]
		h.mu.Unlock()
		if n >= seq {
			return list
		}
		if ctx.Err() != nil {
			t.Fatalf("%d events of %d were heard", n, seq)
		}
	}
}

// TestHistoryGoesOnBehindWhatARealShardForgot lets a shard trade before the history
// begins, and more while it goes on; books, orders and hashes are a real server's.
func TestHistoryGoesOnBehindWhatARealShardForgot(t *testing.T) {
	c := shardOf(t)
	all := &heard{}
	following, stop := context.WithCancel(t.Context())
	var listener sync.WaitGroup
	listener.Go(func() { all.follow(following, c) })
	defer listener.Wait()
	defer stop()
	s := trader(t, c)
	dice := rand.New(rand.NewPCG(4, 4))
	for range 1500 {
		trade(t, s, dice)
	}
	pool := database(t)
	moment, err := c.Resting(t.Context())
	must(t, err)
	settledTo(t, pool, all.upTo(t, moment.Seq))
	w, err := blotter.NewWriter(blotter.WriterConfig{
		Pool: pool, Shard: shard, Events: forgetful{c, moment.Seq + 1}, Waiting: c, Clock: func() time.Time { return time.Unix(0, 1) }, Logger: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	must(t, w.Follow(t.Context())) // over the gap
	if n := next(t, pool); n != int(moment.Seq)+1 {
		t.Fatalf("it stands at %d, not behind %d", n, moment.Seq)
	}
	running, end := context.WithCancel(t.Context())
	defer end()
	done := make(chan error, 1)
	go func() { done <- w.Run(running) }()
	for range 300 {
		trade(t, s, dice)
	}
	moment, err = c.Resting(t.Context())
	must(t, err)
	patience, give := context.WithTimeout(t.Context(), 30*time.Second)
	defer give()
	for next(t, pool) <= int(moment.Seq) {
		must(t, patience.Err())
	}
	end()
	must(t, <-done)
	rows := stand(t, c, pool)
	l := &lapse{tape: &tape{events: all.upTo(t, moment.Seq)}, books: moment}
	t.Logf("%d events, %d orders, of which %d wait", moment.Seq, l.compare(t, pool), rows)
}

// trader opens a market and gives accounts something to trade.
func trader(t *testing.T, c *client.Client) *client.Session {
	t.Helper()
	node, err := c.Leader(t.Context())
	must(t, err)
	config := engine.MarketConfig{Base: 0, Quote: 1, LotUnits: 10, TickUnits: 1, MinQty: 1, MaxQty: 1 << 30, MaxSlippage: 100, MaxOrders: 1 << 12}
	_, err = node.Configure(t.Context(), &matchingv1.ConfigureRequest{Market: 1, Version: wire.Version, Config: wire.AppendConfig(nil, &config)})
	must(t, err)
	s, err := c.Open(t.Context(), client.Options{})
	must(t, err)
	t.Cleanup(s.Close)
	list := []engine.Command{{Op: engine.OpState, Market: 1, State: engine.Open}}
	for a := engine.AccountID(1); a < 6; a++ {
		list = append(list, engine.Command{Op: engine.OpAccount, Account: a})
		for asset := range engine.AssetID(2) {
			list = append(list, engine.Command{Op: engine.OpCredit, Account: a, Asset: asset, Amount: engine.Amount{Lo: 1 << 50}, Key: engine.Key{Hi: uint64(a), Lo: uint64(asset) + 1}})
		}
	}
	_, err = s.Do(t.Context(), list...)
	must(t, err)
	return s
}

func trade(t *testing.T, s *client.Session, dice *rand.Rand) {
	t.Helper()
	o := engine.Command{
		Op: engine.OpNew, Market: 1, Account: engine.AccountID(1 + dice.IntN(5)), Side: engine.Side(dice.IntN(2)),
		Price: 950 + dice.Int64N(100), Qty: 1 + dice.Int64N(20), Key: engine.Key{Hi: dice.Uint64() | 1, Lo: 9},
	}
	if dice.IntN(5) == 0 {
		o.Display = 1 + dice.Int64N(o.Qty)
	}
	_, err := s.Do(t.Context(), o)
	must(t, err)
}

// stand holds the orders that wait against the shard's.
func stand(t *testing.T, c *client.Client, pool *pgxpool.Pool) (n int) {
	t.Helper()
	node, err := c.Leader(t.Context())
	must(t, err)
	for account := range uint32(6) {
		out, err := node.Orders(t.Context(), &matchingv1.OrdersRequest{Account: account})
		must(t, err)
		for _, o := range out.GetOrders() {
			var left, price, key int64
			err := pool.QueryRow(t.Context(), `SELECT left_lots, price, key_hi FROM blotter.orders WHERE shard = $1 AND id = $2 AND account = $3 AND state = 2`,
				shard, int64(o.GetOrder()), int64(account)).Scan(&left, &price, &key)
			if err != nil || left != o.GetQty() || price != o.GetPrice() || key == 0 {
				t.Fatalf("%+v has %d at %d, %v", o, left, price, err)
			}
			n++
		}
	}
	var rows int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM blotter.orders WHERE state < 3`).Scan(&rows); err != nil || rows != n || n == 0 {
		t.Fatalf("%d orders wait, in the shard %d, %v", rows, n, err)
	}
	return n
}
