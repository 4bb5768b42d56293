package trade_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/internal/mtls"
	"strongroom/internal/testenv"
	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/matching/server"
	"strongroom/matching/wire"
	"strongroom/money"
	"strongroom/trading"
	"strongroom/trading/desk"
)

const (
	epoch    = 1
	patience = 20 * time.Second
	person   = "cus_person" // in the browser
	maker    = "cus_maker"
	taker    = "cus_taker"
)

var errNoAsset = errors.New("no such asset")

func known(code string) (money.Asset, error) {
	scale, ok := map[string]uint8{"BTC": 8, "LTC": 8, "ETH": 18, "USDC": 6}[code]
	if !ok {
		return money.Asset{}, errNoAsset
	}
	return money.Asset{Code: code, Scale: scale}, nil
}

// numbers are those of assets and customers; the house is account 0.
type numbers struct {
	mu       sync.Mutex
	assets   map[string]engine.AssetID
	accounts map[string]engine.AccountID
}

func (n *numbers) Asset(_ context.Context, code string) (engine.AssetID, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.assets[code]; !ok {
		n.assets[code] = engine.AssetID(len(n.assets))
	}
	return n.assets[code], nil
}

func (n *numbers) Account(_ context.Context, customer string) (engine.AccountID, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.accounts[customer]; !ok {
		n.accounts[customer] = engine.AccountID(len(n.accounts) + 1)
	}
	return n.accounts[customer], nil
}

// shard is a real one that runs in this process, with development's markets and a desk.
// Its clock is the test's, so that the market has a past.
type shard struct {
	certs, address string
	machine        *server.Machine
	catalog        *trading.Catalog
	numbers        *numbers
	desk           *desk.Desk
	ops            *client.Session
	behind         atomic.Int64 // ns that the shard's clock is behind
	orders         atomic.Int64
}

func (s *shard) clock() time.Time {
	return time.Now().Add(-time.Duration(s.behind.Load())) //nolint:forbidigo // what the browser shows is of now
}

func startShard(t *testing.T, past time.Duration) *shard {
	t.Helper()
	s := &shard{certs: t.TempDir(), numbers: &numbers{assets: map[string]engine.AssetID{}, accounts: map[string]engine.AccountID{}}}
	s.behind.Store(int64(past))
	if err := mtls.EnsureDev(s.certs, "matching", "api", "worker"); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(testenv.Root(t) + "/internal/devstack/stack/markets.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	terms, err := trading.ReadTerms(file)
	if err != nil {
		t.Fatal(err)
	}
	if s.catalog, err = trading.NewCatalog(t.Context(), terms, known, s.numbers); err != nil {
		t.Fatal(err)
	}
	s.serve(t)
	if s.ops, err = s.client(t, "worker").Open(t.Context(), client.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.ops.Close)
	s.prepare(t)
	s.takeOrders(t)
	return s
}

func (s *shard) serve(t *testing.T) {
	t.Helper()
	e, err := engine.New(engine.Config{Orders: 1 << 14, Accounts: 16, Assets: 8, Markets: 8, Keys: 1 << 16, Transfers: 1 << 10, Retention: int64(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := server.NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	s.machine = server.NewMachine(e, metrics, s.clock)
	memory := server.NewMemory(s.machine, epoch, false)
	t.Cleanup(memory.Close)
	tls, err := mtls.ServerConfig(s.certs, "matching")
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(server.Config{
		Machine: s.machine, Log: memory, TLS: tls, Metrics: metrics, Logger: slog.New(slog.DiscardHandler), Clock: s.clock,
		Peers: map[string]server.Rights{"api": {Any: true, Events: true}, "worker": {Any: true, Operate: true, Events: true}},
		Grace: 100 * time.Millisecond, Tick: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	background(t, func(ctx context.Context) error { return srv.Serve(ctx, l) })
}

// background runs something until the test ends; its error fails the test.
func background(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("in the background: %v", err)
		}
	})
}

func (s *shard) client(t *testing.T, name string) *client.Client {
	t.Helper()
	tls, err := mtls.ClientConfig(s.certs, name, "matching")
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Config{Addresses: []string{s.address}, TLS: tls})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// prepare opens all markets and gives everybody something to trade with.
func (s *shard) prepare(t *testing.T) {
	t.Helper()
	leader, err := s.client(t, "worker").Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range s.catalog.All() {
		out, err := leader.Configure(t.Context(), &matchingv1.ConfigureRequest{Version: wire.Version, Market: uint32(m.ID), Config: wire.AppendConfig(nil, &m.Config)})
		if err != nil || out.GetCode() != 0 {
			t.Fatalf("make market: %v, %v", out, err)
		}
		s.do(t, engine.Command{Op: engine.OpState, Market: m.ID, State: engine.Open})
	}
	for customer, wholes := range map[string]map[string]uint64{
		maker: {"BTC": 1000, "USDC": 100_000_000}, taker: {"BTC": 1000, "USDC": 100_000_000}, person: {"BTC": 2, "USDC": 250_000},
	} {
		a, err := s.numbers.Account(t.Context(), customer)
		if err != nil {
			t.Fatal(err)
		}
		s.do(t, engine.Command{Op: engine.OpAccount, Account: a})
		for code, n := range wholes {
			asset, _ := known(code)
			units, err := asset.Parse(strconv.FormatUint(n, 10))
			if err != nil {
				t.Fatal(err)
			}
			no, _ := s.catalog.AssetNo(code)
			lo, _ := units.Uint64()
			s.do(t, engine.Command{Op: engine.OpCredit, Account: a, Asset: no, Amount: engine.Amount{Lo: lo}, Key: engine.Key{Hi: uint64(a), Lo: uint64(no) + 1}})
		}
	}
}

// do gives commands as an operator; none may be refused.
func (s *shard) do(t *testing.T, commands ...engine.Command) {
	t.Helper()
	results, err := s.ops.Do(t.Context(), commands...)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Kind == engine.EventRejected {
			t.Fatalf("%+v is refused: %s", commands[i], trading.CodeName(r.Code))
		}
	}
}

func (s *shard) takeOrders(t *testing.T) {
	t.Helper()
	var err error
	s.desk, err = desk.New(desk.Config{
		Client: s.client(t, "api"), Catalog: s.catalog, Accounts: s.numbers, Logger: slog.New(slog.DiscardHandler), Clock: s.clock, Patience: patience,
	})
	if err != nil {
		t.Fatal(err)
	}
	background(t, s.desk.Run)
	for end := s.clock().Add(patience); !s.desk.Ready(); time.Sleep(time.Millisecond) { //nolint:forbidigo // waits for the shard
		if s.clock().After(end) {
			t.Fatal("the desk takes no orders")
		}
	}
}
