package server_test

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/internal/mtls"
	"strongroom/matching/engine"
	"strongroom/matching/server"
	"strongroom/matching/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	alice, bob    = engine.AccountID(1), engine.AccountID(2)
	base, quote   = engine.AssetID(0), engine.AssetID(1)
	epoch         = 7
	aMillion      = 1_000_000_000_000
	patience      = 20 * time.Second
	testGrace     = time.Minute
	testTick      = 5 * time.Millisecond
	benchAccounts = 8
)

// house is a running shard with certificates for everybody.
type house struct {
	machine *server.Machine
	memory  *server.Memory
	metrics *prometheus.Registry
	certs   string
	address string
	now     atomic.Int64
}

// wrap stands between the server and its log.
type wrap func(server.Log) server.Log

func newEngine() (server.Engine, error) {
	return engine.New(engine.Config{Orders: 1 << 18, Accounts: 16, Assets: 2, Markets: 2, Keys: 1 << 18, Transfers: 1 << 8})
}

func peers() map[string]server.Rights {
	return map[string]server.Rights{
		"api": {Any: true}, "worker": {Operate: true, Events: true}, "alice": {Accounts: []engine.AccountID{alice}},
		"bob": {Accounts: []engine.AccountID{bob}},
	}
}

func open(tb testing.TB, live bool, between wrap) *house {
	tb.Helper()
	h := &house{certs: tb.TempDir(), metrics: prometheus.NewRegistry()}
	if err := mtls.EnsureDev(h.certs, "matching", "api", "worker", "alice", "bob", "mallory"); err != nil {
		tb.Fatal(err)
	}
	h.now.Store(1_000_000_000)
	clock := func() time.Time { return time.Unix(0, h.now.Load()) }
	if live {
		clock = time.Now //nolint:forbidigo // real time is what is measured
	}
	tlsConfig, err := mtls.ServerConfig(h.certs, "matching")
	if err != nil {
		tb.Fatal(err)
	}
	metrics, err := server.NewMetrics(h.metrics)
	if err != nil {
		tb.Fatal(err)
	}
	e, err := newEngine()
	if err != nil {
		tb.Fatal(err)
	}
	h.machine = server.NewMachine(e, metrics, clock)
	h.memory = server.NewMemory(h.machine, epoch, !live)
	var log server.Log = h.memory
	if between != nil {
		log = between(log)
	}
	srv, err := server.New(server.Config{
		Machine: h.machine, Log: log, TLS: tlsConfig, Peers: peers(), Metrics: metrics, Logger: slog.New(slog.DiscardHandler),
		Clock: clock, Grace: testGrace, Tick: testTick, History: &server.Replay{New: newEngine, Entries: h.memory.Entries},
	})
	if err != nil {
		tb.Fatal(err)
	}
	h.serve(tb, srv)
	return h
}

func (h *house) serve(tb testing.TB, srv *server.Server) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	h.address = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ctx, l) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("serve: %v", err)
		}
		h.memory.Close()
	})
}

func (h *house) client(tb testing.TB, name string) matchingv1.MatchingClient {
	tb.Helper()
	tlsConfig, err := mtls.ClientConfig(h.certs, name, "matching")
	if err != nil {
		tb.Fatal(err)
	}
	c, err := grpc.NewClient(h.address, grpc.WithTransportCredentials(credentials.NewTLS(tlsConfig)),
		grpc.WithInitialWindowSize(1<<20), grpc.WithInitialConnWindowSize(1<<20)) // fixed: it does not grow while nobody reads
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return matchingv1.NewMatchingClient(c)
}

// trader is one stream of a session.
type trader struct {
	t       testing.TB
	stream  grpc.BidiStreamingClient[matchingv1.ClientFrame, matchingv1.ServerFrame]
	cancel  context.CancelFunc
	welcome *matchingv1.Welcome
	next    uint64 // number of the next command
	frame   uint64 // of the last frame that was seen
	results []wire.Result
	events  []engine.Event
}

func (h *house) trader(tb testing.TB, name string, hello *matchingv1.Hello) *trader {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	tb.Cleanup(cancel)
	stream, err := h.client(tb, name).Trade(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	tr := &trader{t: tb, stream: stream, cancel: cancel}
	if err := stream.Send(&matchingv1.ClientFrame{Hello: hello}); err != nil {
		tb.Fatal(err)
	}
	f, err := stream.Recv()
	if err != nil {
		tb.Fatalf("%s is not welcome: %v", name, err)
	}
	tr.welcome, tr.next, tr.frame = f.GetWelcome(), f.GetWelcome().GetNext(), f.GetWelcome().GetFrame()-1
	return tr
}

func pack(commands ...engine.Command) []byte {
	var b []byte
	for i := range commands {
		b = wire.AppendCommand(b, &commands[i])
	}
	return b
}

func (tr *trader) send(commands ...engine.Command) {
	tr.t.Helper()
	f := &matchingv1.ClientFrame{Version: wire.Version, First: tr.next, Commands: pack(commands...)}
	tr.next += uint64(len(commands))
	if err := tr.stream.Send(f); err != nil {
		tr.t.Fatal(err)
	}
}

// read takes one frame.
func (tr *trader) read() error {
	tr.t.Helper()
	f, err := tr.stream.Recv()
	if err != nil {
		return err
	}
	if f.GetNumber() != tr.frame+1 {
		tr.t.Fatalf("frame %d follows %d", f.GetNumber(), tr.frame)
	}
	tr.frame++
	if tr.results, err = wire.ReadResults(f.GetResults(), tr.results); err != nil {
		tr.t.Fatal(err)
	}
	if tr.events, err = wire.ReadEvents(f.GetEvents(), 1<<20, tr.events); err != nil {
		tr.t.Fatal(err)
	}
	return nil
}

// until reads until it has n results.
func (tr *trader) until(n int) []wire.Result {
	tr.t.Helper()
	for len(tr.results) < n {
		if err := tr.read(); err != nil {
			tr.t.Fatalf("%d results of %d: %v", len(tr.results), n, err)
		}
	}
	return tr.results
}

// ended reads until the stream ends and returns why.
func (tr *trader) ended() *matchingv1.Refusal {
	tr.t.Helper()
	for {
		if err := tr.read(); err != nil {
			return refusalOf(tr.t, err)
		}
	}
}

func refusalOf(tb testing.TB, err error) *matchingv1.Refusal {
	tb.Helper()
	for _, d := range status.Convert(err).Details() {
		if r, ok := d.(*matchingv1.Refusal); ok {
			return r
		}
	}
	tb.Fatalf("no reason in %v", err)
	return nil
}

func wantReason(tb testing.TB, got *matchingv1.Refusal, want matchingv1.Reason, expected uint64) {
	tb.Helper()
	if got.GetReason() != want || got.GetExpected() != expected {
		tb.Errorf("refused with %v; want %v, %d", got, want, expected)
	}
}

func marketConfig() *engine.MarketConfig {
	return &engine.MarketConfig{
		Base: base, Quote: quote, LotUnits: 10, TickUnits: 1, MinQty: 1, MaxQty: 1 << 30, MaxSlippage: 100, MaxOrders: 1 << 18,
		MaxPegs: 16, MaxTrailing: 16,
	}
}

// prepare opens a market and gives everybody something to trade.
func (h *house) prepare(tb testing.TB) {
	tb.Helper()
	out, err := h.client(tb, "worker").Configure(tb.Context(), &matchingv1.ConfigureRequest{
		Version: wire.Version, Config: wire.AppendConfig(nil, marketConfig()),
	})
	if err != nil || out.GetCode() != 0 {
		tb.Fatalf("make market: %v, %v", out, err)
	}
	w := h.trader(tb, "worker", &matchingv1.Hello{})
	var commands []engine.Command
	for a := alice; a <= benchAccounts; a++ {
		commands = append(commands, engine.Command{Op: engine.OpAccount, Account: a})
		for _, asset := range []engine.AssetID{base, quote} {
			commands = append(commands, engine.Command{
				Op: engine.OpCredit, Account: a, Asset: asset, Amount: engine.Amount{Lo: aMillion},
				Key: engine.Key{Hi: uint64(a), Lo: uint64(asset) + 1},
			})
		}
	}
	commands = append(commands, engine.Command{Op: engine.OpState, State: engine.Open})
	w.send(commands...)
	for _, r := range w.until(len(commands)) {
		if r.Kind == engine.EventRejected {
			tb.Fatalf("refused: %+v", r)
		}
	}
	w.cancel()
}

func order(account engine.AccountID, side engine.Side, price, qty int64, key uint64) engine.Command {
	return engine.Command{Op: engine.OpNew, Account: account, Side: side, Price: price, Qty: qty, Key: engine.Key{Lo: key}}
}

func kinds(events []engine.Event) []engine.EventKind {
	var out []engine.EventKind
	for _, v := range events {
		out = append(out, v.Kind)
	}
	return slices.Clip(out)
}

func noClock() time.Time { return time.Time{} }

// figure returns a gauge or counter, added up over its labels that have value.
func (h *house) figure(tb testing.TB, name, value string) float64 {
	tb.Helper()
	families, err := h.metrics.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (value == "" || m.GetLabel()[0].GetValue() == value) {
				sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func (h *house) gauge(tb testing.TB, name string) float64 {
	tb.Helper()
	return h.figure(tb, name, "")
}

func (h *house) ended(tb testing.TB, reason string) float64 {
	tb.Helper()
	return h.figure(tb, "strongroom_matching_streams_ended_total", reason)
}

func waitFor(t *testing.T, what func() bool) {
	t.Helper()
	for range int(patience / testTick) {
		if what() {
			return
		}
		time.Sleep(testTick) //nolint:forbidigo // waits for the server
	}
	t.Fatal("it does not come about")
}
