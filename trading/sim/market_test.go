package sim

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strongroom/api/client"
	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/internal/mtls"
	matching "strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/matching/server"
	"strongroom/matching/wire"
	"strongroom/money"
	"strongroom/trading"
	"strongroom/trading/desk"
)

// exchange is a real shard with the markets of development and a desk before it.
type exchange struct {
	tb      testing.TB
	catalog *trading.Catalog
	desk    *desk.Desk
	shard   *matching.Client
	now     atomic.Int64
	numbers numbers
}

// numbers are those of assets and customers.
type numbers map[string]int

func (n numbers) no(name string) int {
	if _, ok := n[name]; !ok {
		n[name] = len(n) + 1
	}
	return n[name]
}

func (n numbers) Asset(_ context.Context, code string) (engine.AssetID, error) {
	return engine.AssetID(n.no(code)), nil
}

func (n numbers) Account(_ context.Context, customer string) (engine.AccountID, error) {
	return engine.AccountID(n.no(customer)), nil
}

func (x *exchange) must(err error) {
	x.tb.Helper()
	if err != nil {
		x.tb.Fatal(err)
	}
}

func (x *exchange) clock() time.Time { return time.Unix(0, x.now.Load()) }

func assetOf(code string) (money.Asset, error) {
	return money.Asset{Code: code, Scale: map[string]uint8{"BTC": 8, "LTC": 8, "ETH": 18, "USDC": 6}[code]}, nil
}

func newExchange(tb testing.TB) *exchange {
	tb.Helper()
	x := &exchange{tb: tb, numbers: numbers{}}
	x.now.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano())
	file, err := os.Open("../../internal/devstack/stack/markets.json")
	x.must(err)
	terms, err := trading.ReadTerms(file)
	x.must(errors.Join(err, file.Close()))
	x.catalog, err = trading.NewCatalog(tb.Context(), terms, assetOf, x.numbers)
	x.must(err)
	x.serve()
	x.configure()
	x.desk, err = desk.New(desk.Config{Client: x.shard, Catalog: x.catalog, Accounts: x.numbers, Logger: slog.New(slog.DiscardHandler), Clock: x.clock})
	x.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- x.desk.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("desk: %v", err)
		}
	})
	for !x.desk.Ready() {
		time.Sleep(time.Millisecond) //nolint:forbidigo // a session opens in real time
	}
	return x
}

func (x *exchange) serve() {
	x.tb.Helper()
	certs := x.tb.TempDir()
	x.must(mtls.EnsureDev(certs, "matching", "worker"))
	metrics, err := server.NewMetrics(prometheus.NewRegistry())
	x.must(err)
	core, err := engine.New(engine.Config{Orders: 1 << 12, Accounts: 64, Assets: 16, Markets: 8, Keys: 1 << 16, Transfers: 1 << 10, Retention: int64(time.Hour)})
	x.must(err)
	machine := server.NewMachine(core, metrics, x.clock)
	memory := server.NewMemory(machine, 1, false)
	x.tb.Cleanup(memory.Close)
	tls, err := mtls.ServerConfig(certs, "matching")
	x.must(err)
	srv, err := server.New(server.Config{
		Machine: machine, Log: memory, TLS: tls, Metrics: metrics, Logger: slog.New(slog.DiscardHandler), Clock: x.clock,
		Peers: map[string]server.Rights{"worker": {Any: true, Operate: true, Events: true}}, Grace: time.Minute, Tick: time.Millisecond,
	})
	x.must(err)
	l, err := new(net.ListenConfig).Listen(x.tb.Context(), "tcp", "127.0.0.1:0")
	x.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx, l) }()
	x.tb.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			x.tb.Errorf("serve: %v", err)
		}
	})
	as, err := mtls.ClientConfig(certs, "worker", "matching")
	x.must(err)
	x.shard, err = matching.New(matching.Config{Addresses: []string{l.Addr().String()}, TLS: as})
	x.must(err)
	x.tb.Cleanup(func() { _ = x.shard.Close() })
}

func (x *exchange) configure() {
	x.tb.Helper()
	node, err := x.shard.Leader(x.tb.Context())
	x.must(err)
	for _, m := range x.catalog.All() {
		out, err := node.Configure(x.tb.Context(), &matchingv1.ConfigureRequest{Version: wire.Version, Market: uint32(m.ID), Config: wire.AppendConfig(nil, &m.Config)})
		x.must(err)
		if out.GetCode() != 0 {
			x.tb.Fatalf("%s: %s", m.Name, trading.CodeName(engine.Code(out.GetCode())))
		}
		x.do(engine.Command{Op: engine.OpState, Market: m.ID, State: engine.Open})
	}
}

func (x *exchange) do(c engine.Command) {
	x.tb.Helper()
	s, err := x.shard.Open(x.tb.Context(), matching.Options{})
	x.must(err)
	defer s.Close()
	results, err := s.Do(x.tb.Context(), c)
	x.must(err)
	if results[0].Kind == engine.EventRejected {
		x.tb.Fatalf("%+v: %s", c, trading.CodeName(results[0].Code))
	}
}

// player is an account with money, and what was refused of what it asked.
type player struct {
	x       *exchange
	name    string
	refused map[string]int
	filled  int
}

func (x *exchange) player(name string, fill map[string]string) *player {
	x.tb.Helper()
	account, err := x.numbers.Account(x.tb.Context(), name)
	x.must(err)
	x.do(engine.Command{Op: engine.OpAccount, Account: account})
	for code, text := range fill {
		asset, _ := assetOf(code)
		units, err := asset.Parse(text)
		x.must(err)
		no, ok := x.catalog.AssetNo(code)
		if !ok {
			x.tb.Fatalf("%s does not trade", code)
		}
		n := units.Big()
		amount := engine.Amount{Lo: n.Uint64()}
		amount.Hi = n.Rsh(n, 64).Uint64()
		x.do(engine.Command{Op: engine.OpCredit, Account: account, Asset: no, Amount: amount, Key: engine.Key{Lo: uint64(account)<<8 | uint64(no)}})
	}
	return &player{x: x, name: name, refused: map[string]int{}}
}

// answer turns what a desk says into what the API would.
func (p *player) answer(o trading.Order, err error) (Order, error) {
	if r, ok := errors.AsType[*trading.Refusal](err); ok {
		p.refused[r.Code]++
		return Order{}, &client.Problem{Status: http.StatusUnprocessableEntity, Detail: r.Text}
	}
	if o.State == trading.OrderFilled {
		p.filled++
	}
	return Order{ID: o.ID, Side: o.Side, Price: o.Price, Remaining: o.Remaining, State: string(o.State)}, err
}

func (p *player) Place(ctx context.Context, o Order) (Order, error) {
	placed, _, err := p.x.desk.Place(ctx, p.name, trading.NewOrder{
		ClientID: o.ClientID, Market: o.Market, Side: o.Side, Type: trading.OrderType(o.Type), Price: o.Price, Quantity: o.Quantity,
		TimeInForce: o.TimeInForce, PostOnly: o.PostOnly,
	})
	return p.answer(placed, err)
}

func (p *player) Amend(ctx context.Context, id, price, quantity string) (Order, error) {
	return p.answer(p.x.desk.Amend(ctx, p.name, id, trading.Amendment{Price: price, Quantity: quantity}))
}

func (p *player) Cancel(ctx context.Context, id string) error {
	_, err := p.answer(p.x.desk.Cancel(ctx, p.name, id))
	return err
}

func (p *player) CancelAll(ctx context.Context, market string) error {
	_, err := p.x.desk.CancelAll(ctx, p.name, market, "")
	return err
}

func (p *player) Open(ctx context.Context, market string) ([]Order, error) {
	list, _, err := p.x.desk.Open(ctx, p.name, market)
	var out []Order
	for _, o := range list {
		out = append(out, Order{ID: o.ID, Side: o.Side, Price: o.Price, Remaining: o.Remaining})
	}
	return out, err
}

func (p *player) Top(ctx context.Context, market string) (bid, ask string, err error) {
	m := p.x.catalog.Market(market)
	node, err := p.x.shard.Leader(ctx)
	if err != nil {
		return "", "", err
	}
	d, err := node.Depth(ctx, &matchingv1.DepthRequest{Market: uint32(m.ID), Levels: 1})
	if err != nil {
		return "", "", err
	}
	if len(d.GetBids()) > 0 {
		bid = m.Price(d.GetBids()[0].GetPrice())
	}
	if len(d.GetAsks()) > 0 {
		ask = m.Price(d.GetAsks()[0].GetPrice())
	}
	return bid, ask, nil
}

func (p *player) Trading(context.Context) (map[string]money.Units, error) {
	return map[string]money.Units{}, nil
}

// TestBooksLive plays ten minutes on a real shard: the maker's ladders stand on all
// markets at the end, takers were served, and nothing was refused but what must be.
func TestBooksLive(t *testing.T) {
	t.Parallel()
	x := newExchange(t)
	ctx := t.Context()
	mm := x.player("market maker", makerFill())
	var makers []*maker
	var grids []grid
	for _, terms := range developmentTerms(t) {
		g, err := newGrid(&terms, levelOf(terms.Base))
		x.must(err)
		grids = append(grids, g)
		makers = append(makers, newMaker(g, mm, rand.New(rand.NewPCG(1, uint64(terms.ID))), names("mm"+strconv.Itoa(int(terms.ID)), 1)))
	}
	players := make([]*player, takers)
	who := make([]*taker, takers)
	for i := range players {
		name := "taker " + strconv.Itoa(i)
		players[i] = x.player(name, takerFill())
		who[i] = &taker{rng: rand.New(rand.NewPCG(2, uint64(i))), grids: grids, account: players[i], name: names(name, 1)}
	}
	for turn := range 10 * time.Minute / makerPause {
		x.now.Add(int64(makerPause))
		x.must(makers[int(turn)%len(makers)].turn(ctx))
		if turn%2 == 0 && turn > 40 {
			x.must(who[int(turn/2)%takers].turn(ctx))
		}
	}
	for _, m := range makers {
		x.must(m.look(ctx))
		if n := len(m.orders); n < levels || n > 3*levels {
			t.Errorf("%s: %d orders of the maker", m.market, n)
		}
		bid, ask, err := mm.Top(ctx, m.market)
		if err != nil || bid == "" || ask == "" {
			t.Errorf("%s: %s to %s, %v", m.market, bid, ask, err)
		}
	}
	for i, p := range players {
		if who[i].orders < 100 || p.filled < who[i].orders*3/4 {
			t.Errorf("%s: %d orders, %d filled, refused %v", p.name, who[i].orders, p.filled, p.refused)
		}
	}
	t.Logf("the maker moved %d orders, refused %v", makers[0].fresh+makers[1].fresh+makers[2].fresh, mm.refused)
	for code, n := range mm.refused {
		if code != "would_take" && code != "unknown_order" && code != "not_found" {
			t.Errorf("the maker was refused %d times: %s", n, code)
		}
	}
}

func developmentTerms(t *testing.T) []trading.Terms {
	t.Helper()
	file, err := os.Open("../../internal/devstack/stack/markets.json")
	if err != nil {
		t.Fatal(err)
	}
	list, err := trading.ReadTerms(file)
	if err = errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	return list
}
