package funding_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"strongroom/custody/custodydb"
	"strongroom/custody/custodytest"
	"strongroom/internal/mtls"
	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/ledger"
	"strongroom/ledger/ledgertest"
	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/matching/server"
	"strongroom/matching/settle"
	"strongroom/matching/settle/follow"
	"strongroom/money"
	"strongroom/trading"
	"strongroom/trading/funding"
)

const (
	shard    = settle.ShardID(1)
	patience = 30 * time.Second
	plenty   = 1_000_000
	alice    = "cus_alice"
	bob      = "cus_bob"
)

// codes are what is traded.
func codes() []string { return []string{"BTC", "USDC"} }

// house is a ledger, a shard with its settler, and transfers between the two.
type house struct {
	tb     testing.TB
	pool   *pgxpool.Pool
	ledger *ledger.Ledger
	client *client.Client
	link   *funding.Link
	store  *funding.Store
	cfg    funding.Config
}

func newHouse(tb testing.TB) *house {
	tb.Helper()
	h := &house{tb: tb}
	url := testenv.Postgres(tb, ledger.Migrations(), custodydb.Migrations(), settle.Migrations(), funding.Migrations())
	var err error
	h.pool, err = pg.Open(tb.Context(), url+"&pool_max_conns=16")
	h.must(err)
	tb.Cleanup(h.pool.Close)
	h.ledger, err = ledger.New(ledger.Config{Pool: h.pool, Clock: time.Now}) //nolint:forbidigo // nothing here depends on it
	h.must(err)
	tb.Cleanup(func() { _ = h.ledger.Close(context.Background()) })
	h.trade()
	return h
}

// on is a house on a custody that there is.
func on(tb testing.TB, k *custodytest.Kit) *house {
	tb.Helper()
	h := &house{tb: tb, pool: k.Pool, ledger: k.Ledger}
	url, _, _ := strings.Cut(k.Pool.Config().ConnString(), "&pool_max_conns=")
	h.must(pg.Migrate(tb.Context(), url, settle.Migrations(), funding.Migrations()))
	h.trade()
	return h
}

// trade opens the shard and what moves money to it.
func (h *house) trade() {
	h.tb.Helper()
	h.shard()
	h.link = funding.NewLink(h.client)
	h.tb.Cleanup(func() { _ = h.link.Close() })
	h.cfg = funding.Config{Pool: h.pool, Ledger: h.ledger, Shard: shard, Assets: codes(), Start: start, Guard: custodydb.RefuseFrozen, Engine: h.link, Clock: time.Now} //nolint:forbidigo // as above
	h.store = h.with(h.cfg)
}

func (h *house) must(err error) {
	h.tb.Helper()
	if err != nil {
		h.tb.Fatal(err)
	}
}

func (h *house) with(cfg funding.Config) *funding.Store {
	h.tb.Helper()
	s, err := funding.New(cfg)
	h.must(err)
	return s
}

// start is how a worker is told.
func start(ctx context.Context, tx pgx.Tx, id string) error {
	return custodydb.PutOutbox(ctx, tx, custodydb.OutboxRow{
		Key: id + "/start", Topic: custodydb.TopicTransfer, Kind: custodydb.KindStart, Subject: id,
	})
}

// served is a shard of one node that keeps nothing; stop ends it.
type served struct {
	certs, address string
	stop           func()
}

// serve starts an empty engine, at an address where one is given.
func serve(tb testing.TB, certs, address string) served {
	tb.Helper()
	h := &house{tb: tb}
	metrics, err := server.NewMetrics(prometheus.NewRegistry())
	h.must(err)
	core, err := engine.New(engine.Config{Orders: 1 << 10, Accounts: 1 << 11, Assets: 4, Markets: 2, Keys: 1 << 10, Transfers: 1 << 14})
	h.must(err)
	machine := server.NewMachine(core, metrics, time.Now) //nolint:forbidigo // log time
	memory := server.NewMemory(machine, 1, true)
	tls, err := mtls.ServerConfig(certs, "matching")
	h.must(err)
	again := func() (server.Engine, error) { return nil, errors.New("all of it is in memory") }
	srv, err := server.New(server.Config{
		Machine: machine, Log: memory, TLS: tls, Metrics: metrics, Logger: slog.New(slog.DiscardHandler),
		Peers: map[string]server.Rights{"worker": {Any: true, Operate: true, Events: true}},
		Clock: time.Now, Grace: time.Minute, Tick: 5 * time.Millisecond, //nolint:forbidigo // log time
		History: &server.Replay{New: again, Entries: memory.Entries},
	})
	h.must(err)
	l, err := net.Listen("tcp", address)
	h.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ctx, l) }()
	return served{certs: certs, address: l.Addr().String(), stop: func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("shard: %v", err)
		}
		memory.Close()
	}}
}

// dial makes a client with the worker's certificate.
func (s served) dial(tb testing.TB) *client.Client {
	tb.Helper()
	asWorker, err := mtls.ClientConfig(s.certs, "worker", "matching")
	if err != nil {
		tb.Fatal(err)
	}
	c, err := client.New(client.Config{Addresses: []string{s.address}, TLS: asWorker})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// certificates makes them.
func certificates(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	if err := mtls.EnsureDev(dir, "matching", "worker"); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// shard serves a real engine and follows it.
func (h *house) shard() {
	h.tb.Helper()
	node := serve(h.tb, certificates(h.tb), "127.0.0.1:0")
	h.client = node.dial(h.tb)
	settler, err := settle.New(settle.Config{
		Pool: h.pool, Ledger: h.ledger, Shard: shard, Clock: time.Now, //nolint:forbidigo // for its metrics
		Source: follow.Source{Shards: map[settle.ShardID]*client.Client{shard: h.client}},
	})
	h.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	settled := make(chan error, 1)
	go func() { settled <- settler.Run(ctx) }()
	h.tb.Cleanup(func() {
		cancel()
		if err := <-settled; err != nil && !errors.Is(err, context.Canceled) {
			h.tb.Errorf("settler: %v", err)
		}
		_ = h.client.Close()
		node.stop()
	})
}

// fund gives customers money in funding.
func (h *house) fund(asset string, amount money.Units, customers ...string) {
	h.tb.Helper()
	ctx := h.tb.Context()
	vault := ledger.AccountID("custody/test/" + asset + "/deposits")
	accounts := []ledger.Account{{ID: vault, Asset: asset, Class: ledger.Asset}}
	tx := ledger.Transaction{ID: "fund/" + asset + "/" + strings.Join(customers, "-")}
	for _, c := range customers {
		id := ledger.AccountID("customer/" + c + "/" + asset + "/funding")
		accounts = append(accounts, ledger.Account{ID: id, Asset: asset, Class: ledger.Liability})
		tx.Legs = append(tx.Legs, ledger.Transfer{ID: ledger.TransferID(tx.ID + "/" + c), Kind: ledger.Single, Debit: vault, Credit: id, Amount: amount})
	}
	h.must(h.ledger.Open(ctx, accounts...))
	all, err := money.ParseUnits("1" + strings.Repeat("0", 60))
	h.must(err)
	h.must(h.ledger.Attest(ctx, ledger.Attestation{Asset: asset, Source: "test", Amount: all}))
	_, err = h.ledger.Post(ctx, tx)
	h.must(err)
}

// has returns what the ledger has on one of a customer's accounts; nothing where there
// is none.
func (h *house) has(customer, asset, kind string) uint64 {
	h.tb.Helper()
	if kind == "trading" {
		kind = "trading.1"
	}
	b, err := h.ledger.Balance(h.tb.Context(), ledger.AccountID("customer/"+customer+"/"+asset+"/"+kind))
	if errors.Is(err, ledger.ErrAccountUnknown) {
		return 0
	}
	h.must(err)
	n, _ := b.Posted().Uint64()
	return n
}

// expect compares both balances of a customer.
func (h *house) expect(customer, asset string, fundingWant, tradingWant uint64) {
	h.tb.Helper()
	if f, t := h.has(customer, asset, "funding"), h.has(customer, asset, "trading"); f != fundingWant || t != tradingWant {
		h.tb.Errorf("%s has %d %s in funding and %d in trading, want %d and %d", customer, f, asset, t, fundingWant, tradingWant)
	}
}

func to(direction trading.Direction, customer, key, asset string, amount uint64) trading.NewTransfer {
	return trading.NewTransfer{Customer: customer, Key: key, Asset: asset, Amount: money.FromUint64(amount), Direction: direction}
}

// create takes a transfer in.
func (h *house) create(n trading.NewTransfer) trading.Transfer {
	h.tb.Helper()
	t, _, err := h.store.CreateTransfer(h.tb.Context(), n)
	h.must(err)
	return t
}

// conclude asks until the settler has come so far.
func (h *house) conclude(id string) trading.Transfer {
	h.tb.Helper()
	ctx, cancel := context.WithTimeout(h.tb.Context(), patience)
	defer cancel()
	for {
		t, err := h.store.Conclude(ctx, id)
		if err == nil {
			return t
		}
		if !errors.Is(err, settle.ErrNotSettled) {
			h.tb.Fatal(err)
		}
		<-time.NewTimer(2 * time.Millisecond).C
	}
}

// carry takes all steps of a transfer.
func (h *house) carry(n trading.NewTransfer) trading.Transfer {
	h.tb.Helper()
	t := h.create(n)
	_, err := h.store.Tell(h.tb.Context(), t.ID)
	h.must(err)
	return h.conclude(t.ID)
}

// agree has the shard tell the digest of its balances, and waits until the settler has
// found the ledger's to be the same. The ledger's own checker looks, too.
func (h *house) agree() {
	h.tb.Helper()
	ctx, cancel := context.WithTimeout(h.tb.Context(), patience)
	defer cancel()
	results, err := h.link.Do(ctx, engine.Command{Op: engine.OpCheckpoint})
	h.must(err)
	for {
		var agrees bool
		err := h.pool.QueryRow(ctx, `SELECT agrees FROM trading.checkpoint WHERE shard = $1 AND seq = $2`, shard, int64(results[0].Event)).Scan(&agrees)
		if err == nil && agrees {
			break
		}
		if err == nil || !errors.Is(err, pgx.ErrNoRows) {
			h.tb.Fatalf("checkpoint agrees: %t, %v", agrees, err)
		}
		cursor, err := settle.LoadCursor(ctx, h.pool, shard)
		h.must(err)
		if cursor.Halted != "" {
			h.tb.Fatal(cursor.Halted)
		}
		<-time.NewTimer(5 * time.Millisecond).C
	}
	found, err := ledgertest.Check(ctx, h.pool)
	h.must(err)
	for _, v := range found {
		h.tb.Error(v)
	}
}

// count runs a query of one number.
func (h *house) count(sql string, args ...any) int {
	h.tb.Helper()
	var n int
	h.must(h.pool.QueryRow(h.tb.Context(), sql, args...).Scan(&n))
	return n
}
