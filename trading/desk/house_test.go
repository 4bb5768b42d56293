package desk_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/internal/mtls"
	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/matching/server"
	"strongroom/matching/wire"
	"strongroom/money"
	"strongroom/trading"
	"strongroom/trading/desk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	patience  = 20 * time.Second
	customers = 70 // with something to trade
	epoch     = 3
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
	if customer == "" {
		return 0, errNoAsset
	}
	if _, ok := n.accounts[customer]; !ok {
		n.accounts[customer] = engine.AccountID(len(n.accounts) + 1)
	}
	return n.accounts[customer], nil
}

// house is a shard that runs in this process, with the markets of development, and a desk.
type house struct {
	noted          noted
	certs, address string
	machine        *server.Machine
	memory         *server.Memory
	catalog        *trading.Catalog
	numbers        *numbers
	metrics        *prometheus.Registry
	desk           *desk.Desk
	ops            *client.Session
	now            atomic.Int64
	stop           func() // the desk
	stopServer     func()
}

func (h *house) clock() time.Time { return time.Unix(0, h.now.Load()) }

func terms(tb testing.TB) []trading.Terms {
	tb.Helper()
	file, err := os.Open("../../internal/devstack/stack/markets.json")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	list, err := trading.ReadTerms(file)
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

// between stands between the server and its log.
type between func(server.Log) server.Log

func open(tb testing.TB, wrap between) *house {
	tb.Helper()
	h := &house{
		certs: tb.TempDir(), metrics: prometheus.NewRegistry(),
		numbers: &numbers{assets: map[string]engine.AssetID{}, accounts: map[string]engine.AccountID{}},
	}
	h.now.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano())
	if err := mtls.EnsureDev(h.certs, "matching", "api", "worker"); err != nil {
		tb.Fatal(err)
	}
	var err error
	if h.catalog, err = trading.NewCatalog(tb.Context(), terms(tb), known, h.numbers); err != nil {
		tb.Fatal(err)
	}
	e, err := engine.New(engine.Config{Orders: 1 << 12, Accounts: 256, Assets: 8, Markets: 8, Keys: 1 << 20, Transfers: 1 << 10, Retention: int64(time.Hour)})
	if err != nil {
		tb.Fatal(err)
	}
	metrics, err := server.NewMetrics(prometheus.NewRegistry())
	if err != nil {
		tb.Fatal(err)
	}
	h.machine = server.NewMachine(e, metrics, h.clock)
	h.memory = server.NewMemory(h.machine, epoch, false)
	tb.Cleanup(h.memory.Close)
	var log server.Log = h.memory
	if wrap != nil {
		log = wrap(log)
	}
	h.serve(tb, log, metrics)
	h.ops = h.operator(tb)
	h.prepare(tb)
	h.run(tb, nil)
	return h
}

func (h *house) serve(tb testing.TB, log server.Log, metrics *server.Metrics) {
	tb.Helper()
	tls, err := mtls.ServerConfig(h.certs, "matching")
	if err != nil {
		tb.Fatal(err)
	}
	srv, err := server.New(server.Config{
		Machine: h.machine, Log: log, TLS: tls, Metrics: metrics, Logger: slog.New(slog.DiscardHandler), Clock: h.clock,
		Peers: map[string]server.Rights{"api": {Any: true, Events: true}, "worker": {Any: true, Operate: true, Events: true}},
		Grace: 100 * time.Millisecond, Tick: time.Millisecond,
	})
	if err != nil {
		tb.Fatal(err)
	}
	var listen net.ListenConfig
	at := h.address
	if at == "" {
		at = "127.0.0.1:0"
	}
	l, err := listen.Listen(tb.Context(), "tcp", at)
	if err != nil {
		tb.Fatal(err)
	}
	h.address = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ctx, l) }()
	h.stopServer = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("serve: %v", err)
		}
	})
	tb.Cleanup(h.stopServer)
}

func (h *house) client(tb testing.TB, name string) *client.Client {
	tb.Helper()
	tls, err := mtls.ClientConfig(h.certs, name, "matching")
	if err != nil {
		tb.Fatal(err)
	}
	c, err := client.New(client.Config{Addresses: []string{h.address}, TLS: tls})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

func (h *house) operator(tb testing.TB) *client.Session {
	tb.Helper()
	s, err := h.client(tb, "worker").Open(tb.Context(), client.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

// do gives commands as an operator; none may be refused.
func (h *house) do(tb testing.TB, commands ...engine.Command) {
	tb.Helper()
	for len(commands) > 0 {
		n := min(len(commands), 200)
		results, err := h.ops.Do(tb.Context(), commands[:n]...)
		if err != nil {
			tb.Fatal(err)
		}
		for i, r := range results {
			if r.Kind == engine.EventRejected {
				tb.Fatalf("%+v is refused: %s", commands[i], trading.CodeName(r.Code))
			}
		}
		commands = commands[n:]
	}
}

// prepare opens all markets and gives c1, c2, … something of everything.
func (h *house) prepare(tb testing.TB) {
	tb.Helper()
	leader, err := h.client(tb, "worker").Leader(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	var commands []engine.Command
	for _, m := range h.catalog.All() {
		out, err := leader.Configure(tb.Context(), &matchingv1.ConfigureRequest{Version: wire.Version, Market: uint32(m.ID), Config: wire.AppendConfig(nil, &m.Config)})
		if err != nil || out.GetCode() != 0 {
			tb.Fatalf("make market: %v, %v", out, err)
		}
		commands = append(commands, engine.Command{Op: engine.OpState, Market: m.ID, State: engine.Open})
	}
	for i := 1; i <= customers; i++ {
		a, err := h.numbers.Account(tb.Context(), name(i))
		if err != nil {
			tb.Fatal(err)
		}
		commands = append(commands, engine.Command{Op: engine.OpAccount, Account: a})
		for code, wholes := range map[string]uint64{"BTC": 100, "USDC": 10_000_000, "ETH": 10} {
			no, ok := h.catalog.AssetNo(code)
			if !ok {
				tb.Fatal(code)
			}
			asset, _ := h.catalog.Asset(no)
			units, err := asset.Parse(strconv.FormatUint(wholes, 10))
			if err != nil {
				tb.Fatal(err)
			}
			lo, _ := units.Uint64()
			commands = append(commands, engine.Command{
				Op: engine.OpCredit, Account: a, Asset: no, Amount: engine.Amount{Lo: lo}, Key: engine.Key{Hi: uint64(a), Lo: uint64(no) + 1},
			})
		}
	}
	h.do(tb, commands...)
}

func name(i int) string { return fmt.Sprintf("c%d", i) }

// run starts a desk and waits until it takes orders.
func (h *house) run(tb testing.TB, history trading.Log) {
	tb.Helper()
	d, err := desk.New(desk.Config{
		Client: h.client(tb, "api"), Catalog: h.catalog, Accounts: h.numbers, History: history, Terms: &h.noted,
		Logger: slog.New(slog.DiscardHandler), Clock: h.clock, Registerer: h.metrics, Patience: patience,
	})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	h.desk = d
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("run: %v", err)
		}
	})
	tb.Cleanup(h.stop)
	wait(tb, d.Ready)
}

// wait polls: what is waited for comes from another process' goroutines.
func wait(tb testing.TB, what func() bool) {
	tb.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) { //nolint:forbidigo // waits for the server
		if what() {
			return
		}
	}
	tb.Fatal("it does not come about")
}

// place gives an order of a customer on BTC-USDC in; it must be taken.
func (h *house) place(tb testing.TB, customer string, o trading.NewOrder) trading.Order {
	tb.Helper()
	if o.Market == "" {
		o.Market = "BTC-USDC"
	}
	got, repeated, err := h.desk.Place(tb.Context(), customer, o)
	if err != nil || repeated {
		tb.Fatalf("%+v: repeated %v, %v", o, repeated, err)
	}
	return got
}

// limit is an order of BTC.
func limit(id, side, quantity, price string) trading.NewOrder {
	return trading.NewOrder{ClientID: id, Market: "BTC-USDC", Side: side, Type: trading.TypeLimit, Quantity: quantity, Price: price}
}

func refusal(tb testing.TB, err error, code, field string) {
	tb.Helper()
	var no *trading.Refusal
	if !errors.As(err, &no) || no.Code != code || no.Field != field || no.Text == "" || no.Fix == "" {
		tb.Errorf("got %#v (%v); want %s of %s with text and fix", no, err, code, field)
	}
}
