package desk_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/chainadapters"
	"strongroom/chainadapters/bitcoin"
	"strongroom/custody"
	"strongroom/custody/check"
	"strongroom/custody/custodydb"
	"strongroom/custody/custodytest"
	"strongroom/custody/desk"
	"strongroom/custody/intake"
	"strongroom/custody/watch"
	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/ledger"
	"strongroom/ledger/ledgertest"
	"strongroom/money"
	vault "strongroom/signer"
)

// What the market asks, in satoshi per 1,000 virtual bytes, and what lies where.
const (
	coinFinal   = 2
	lowRate     = 1_000
	costly      = 20_000
	hotMoney    = 10_000_000
	deposited   = 6_000_000
	deposits    = 3
	coinMaximum = 1 << 60
)

// market is a real node that has an opinion on fees: on regtest none has.
type market struct {
	chainadapters.Adapter

	rate uint64
}

// Quote implements chainadapters.Adapter.
func (m *market) Quote(context.Context, chainadapters.Plan) (chainadapters.Fee, error) {
	return chainadapters.Fee{SatPerKVB: m.rate}, nil
}

// coinWorld is a house on a node of the Bitcoin family, with the real signer.
type coinWorld struct {
	*coinMiner

	market  *market
	pool    *pgxpool.Pool
	ledger  *ledger.Ledger
	store   *custodydb.Store
	desk    *desk.Desk
	signer  *vault.Signer
	dir     string // of the signer
	watcher *watch.Watcher
	intake  *intake.Intake
	assets  custodytest.Assets
	hot     custodydb.HouseAddress
	ahead   time.Duration
	orders  int
}

func newCoinWorld(t *testing.T, m *coinMiner) *coinWorld {
	t.Helper()
	w := &coinWorld{coinMiner: m, dir: t.TempDir(), assets: custodytest.Assets{{
		Asset: money.Asset{Code: "BTC", Scale: 8}, Chain: m.chain, Native: "BTC", FinalDepth: coinFinal, State: custody.AssetListed,
		MinDeposit: units(1_000), MinWithdrawal: units(1_000),
	}}}
	var genesis string
	m.call(&genesis, "getblockhash", 0)
	adapter, err := bitcoin.New(chainadapters.Config{
		Chain: m.chain, Driver: "bitcoin", URL: m.url.URL, User: m.url.User, Password: m.url.Password, Timeout: 10 * time.Second,
		Expect: chainadapters.Identity{Network: m.network, Genesis: genesis},
	})
	w.must(err)
	w.market = &market{Adapter: adapter, rate: lowRate}
	w.open(t)
	w.wire()
	w.fund()
	return w
}

func (w *coinWorld) open(t *testing.T) {
	t.Helper()
	var err error
	w.pool, err = pg.Open(t.Context(), testenv.Postgres(t, ledger.Migrations(), custodydb.Migrations()))
	w.must(err)
	t.Cleanup(w.pool.Close)
	most := units(coinMaximum)
	w.signer, err = vault.New(vault.Config{
		Dir: w.dir, Passphrase: "correct horse battery staple", Clock: w.clock, Log: quiet(), WorkFactor: 4,
		Policy: vault.Policy{
			Chains: []vault.Chain{{Name: string(w.chain), Family: "bitcoin", Network: w.network, FeeCeiling: units(2_000_000)}},
			Assets: []vault.Asset{{Code: "BTC", Chain: string(w.chain), Withdrawal: vault.Caps{PerTransaction: most, PerHour: most, PerDay: most}}},
		},
	})
	w.must(err)
	t.Cleanup(func() { _ = w.signer.Close() })
	w.ledger, err = ledger.New(ledger.Config{Pool: w.pool, Clock: w.clock})
	w.must(err)
	t.Cleanup(func() { _ = w.ledger.Close(context.Background()) })
}

func (w *coinWorld) wire() {
	w.t.Helper()
	log := slog.New(slog.DiscardHandler)
	keys, err := w.signer.PublicKeys(string(w.chain))
	w.must(err)
	adapters := w.adapters()
	w.store, err = custodydb.New(custodydb.Config{
		Pool: w.pool, Ledger: w.ledger, Assets: w.assets, Adapters: adapters, Environment: "test", Clock: w.clock,
		XPubs: map[chainadapters.ChainID]custodydb.XPubs{w.chain: {Deposit: keys.GetDepositXpub(), Hot: keys.GetHotXpub()}},
	})
	w.must(err)
	w.watcher, err = watch.New(watch.Config{
		Chain: w.chain, Adapter: w.market, Store: w.store, Assets: w.assets, MaxReorg: coinFinal - 1, Poll: time.Millisecond, Log: log,
	})
	w.must(err)
	lists := &custodytest.Sanctions{}
	w.intake, err = intake.New(intake.Config{Store: w.store, Ledger: w.ledger, Assets: w.assets, Adapters: adapters, Log: log, Screening: lists})
	w.must(err)
	w.desk, err = desk.New(desk.Config{
		Store: w.store, Adapters: adapters, Assets: w.assets, Signer: realSigner{w.signer}, Screening: lists, Log: log, Clock: w.clock,
	})
	w.must(err)
}

func (w *coinWorld) adapters() map[chainadapters.ChainID]chainadapters.Adapter {
	return map[chainadapters.ChainID]chainadapters.Adapter{w.chain: w.market}
}

// clock is the machine's, which the node has too, and what a test lets pass.
func (w *coinWorld) clock() time.Time { return time.Now().Add(w.ahead) } //nolint:forbidigo // the node has a clock of its own

// fund pays deposits of a customer, and the hot wallet.
func (w *coinWorld) fund() {
	w.t.Helper()
	var err error
	w.hot, err = w.store.HotAddress(w.t.Context(), w.chain)
	w.must(err)
	pay := map[string]int64{w.hot.Address: hotMoney}
	for i := range deposits {
		a, err := w.store.DepositAddress(w.t.Context(), fmt.Sprintf("cus_%d", i+1), "BTC")
		w.must(err)
		pay[a.Address] = deposited
	}
	w.payFrom(1, pay)
	w.look()
	w.blocks(coinFinal)
}

// value is what an output holds, wherever it is.
func (w *coinWorld) value(out wire.OutPoint) int64 {
	return w.transaction(out.Hash.String()).TxOut[out.Index].Value
}

// blocks mines as the market is, and takes in.
func (w *coinWorld) blocks(n int) {
	w.t.Helper()
	for range n {
		w.takes(1, int64(w.market.rate), w.value)
		w.look()
	}
}

func (w *coinWorld) look() {
	w.t.Helper()
	for more := true; more; {
		var err error
		more, err = w.watcher.Look(w.t.Context())
		w.must(err)
	}
	rows, err := w.store.Outbox(w.t.Context(), 10_000)
	w.must(err)
	var sent []int64
	for _, r := range rows {
		sent = append(sent, r.Seq)
		if r.Topic == custodydb.TopicDeposit {
			_, err := w.intake.Advance(w.t.Context(), r.Subject)
			w.must(err)
		}
	}
	w.must(w.store.OutboxSent(w.t.Context(), sent))
}

func (w *coinWorld) withdraw(amount uint64) custody.Withdrawal {
	w.t.Helper()
	w.orders++
	made, _, err := w.store.CreateWithdrawal(w.t.Context(), custody.WithdrawalRequest{
		Customer: customer, IdempotencyKey: fmt.Sprintf("key-%d", w.orders), RequestHash: [32]byte{1}, Asset: "BTC",
		To: w.address, Amount: units(amount),
	})
	w.must(err)
	return made
}

// step takes every step once, in order, as a workflow would.
func (w *coinWorld) step(id string) custody.Progress {
	w.t.Helper()
	var p custody.Progress
	for _, take := range []func(context.Context, string) (custody.Progress, error){
		w.desk.Screen, w.desk.Reserve, w.desk.Sign, w.desk.Send, w.desk.Observe, w.desk.Observe, w.desk.Send, w.desk.Settle,
	} {
		var err error
		if p, err = take(w.t.Context(), id); err != nil {
			w.t.Fatalf("%s in %s: %v", id, p.State, err)
		}
	}
	return p
}

// alone goes on with steps, blocks and time until all have ended: nobody helps.
func (w *coinWorld) alone(ids ...string) custody.Progress {
	w.t.Helper()
	const most = 60
	var p custody.Progress
	for range most {
		open := 0
		for _, id := range ids {
			if p = w.step(id); !p.Ended {
				open++
			}
		}
		if open == 0 {
			return p
		}
		w.blocks(1)
		w.ahead += 16 * time.Minute
	}
	w.t.Fatalf("it does not end: %+v", p)
	return p
}

func (w *coinWorld) count(sql string, args ...any) (n int) {
	w.t.Helper()
	w.must(w.pool.QueryRow(w.t.Context(), sql, args...).Scan(&n))
	return n
}

// agrees runs both checkers, with the signer's journal.
func (w *coinWorld) agrees() {
	w.t.Helper()
	books, err := ledgertest.Check(w.t.Context(), w.pool)
	w.must(err)
	found, err := check.Run(w.t.Context(), check.Config{
		Pool: w.pool, Adapters: w.adapters(), Assets: w.assets, Signed: func() (map[check.SignedKey]string, error) {
			allowed := map[check.SignedKey]string{}
			err := vault.Audit(filepath.Join(w.dir, vault.StateFolder), func(p vault.Permission) {
				allowed[check.SignedKey{Intent: p.Intent, Attempt: p.Attempt}] = p.Payload
			})
			return allowed, err
		},
	})
	w.must(err)
	if len(books)+len(found) > 0 {
		w.t.Errorf("the book: %v; the house: %v", books, found)
	}
}
