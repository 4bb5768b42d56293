package collector_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/chainadapters"
	"strongroom/chainadapters/bitcoin"
	"strongroom/custody"
	"strongroom/custody/collect"
	"strongroom/custody/custodydb"
	"strongroom/custody/custodytest"
	"strongroom/custody/desk"
	"strongroom/custody/intake"
	"strongroom/custody/watch"
	"strongroom/internal/devstack"
	signerv1 "strongroom/internal/gen/signer/v1"
	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/ledger"
	"strongroom/money"
	"strongroom/signer"
)

// The world of the test on a real node.
const (
	regtest    = chainadapters.ChainID("bitcoin-regtest")
	finalDepth = 2
	houseFee   = 1_500
	maxRounds  = 200 // of mining and working
)

// world is a house on btcd with a signer of its own.
type world struct {
	miner     *miner
	pool      *pgxpool.Pool
	store     *custodydb.Store
	assets    custodytest.Assets
	adapters  map[chainadapters.ChainID]chainadapters.Adapter
	watcher   *watch.Watcher
	intake    *intake.Intake
	desk      *desk.Desk
	planner   *collector.Collector
	signerDir string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{miner: newMiner(t), signerDir: t.TempDir(), assets: custodytest.Assets{{
		Asset: money.Asset{Code: "BTC", Scale: 8}, Chain: regtest, Native: "BTC", FinalDepth: finalDepth, State: custody.AssetListed,
		MinDeposit: money.FromUint64(1_000), MinWithdrawal: money.FromUint64(1_000), WithdrawalFee: money.FromUint64(houseFee),
	}}}
	adapter, err := bitcoin.New(chainadapters.Config{
		Chain: regtest, Driver: "bitcoin", URL: w.miner.node.URL, User: w.miner.node.User, Password: w.miner.node.Password,
		Expect: chainadapters.Identity{Network: "regtest", Genesis: devstack.RegtestGenesis}, Timeout: 10 * time.Second,
	})
	must(t, err)
	w.adapters = map[chainadapters.ChainID]chainadapters.Adapter{regtest: adapter}
	w.pool, err = pg.Open(context.Background(), testenv.Postgres(t, ledger.Migrations(), custodydb.Migrations()))
	must(t, err)
	t.Cleanup(w.pool.Close)
	w.wire(t)
	return w
}

func (w *world) wire(t *testing.T) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	book, err := ledger.New(ledger.Config{Pool: w.pool, Clock: time.Now}) //nolint:forbidigo // the node has a clock of its own
	must(t, err)
	t.Cleanup(func() { _ = book.Close(context.Background()) })
	most := money.FromUint64(1 << 60)
	caps := signer.Caps{PerTransaction: most, PerHour: most, PerDay: most}
	sign, err := signer.New(signer.Config{
		Dir: w.signerDir, Passphrase: "correct horse battery staple", Clock: time.Now, Log: log, WorkFactor: 4, //nolint:forbidigo // as above
		Policy: signer.Policy{
			Chains: []signer.Chain{{Name: string(regtest), Family: "bitcoin", Network: "regtest", FeeCeiling: money.FromUint64(1_000_000)}},
			Assets: []signer.Asset{{Code: "BTC", Chain: string(regtest), Withdrawal: caps}},
		},
	})
	must(t, err)
	t.Cleanup(func() { _ = sign.Close() })
	keys, err := sign.PublicKeys(string(regtest))
	must(t, err)
	w.store, err = custodydb.New(custodydb.Config{
		Pool: w.pool, Ledger: book, Assets: w.assets, Adapters: w.adapters, Environment: "test",
		XPubs: map[chainadapters.ChainID]custodydb.XPubs{regtest: {Deposit: keys.GetDepositXpub(), Hot: keys.GetHotXpub()}},
	})
	must(t, err)
	w.watcher, err = watch.New(watch.Config{
		Chain: regtest, Adapter: w.adapters[regtest], Store: w.store, Assets: w.assets, MaxReorg: finalDepth - 1, Poll: time.Millisecond, Log: log,
	})
	must(t, err)
	lists := &custodytest.Sanctions{}
	w.intake, err = intake.New(intake.Config{Store: w.store, Ledger: book, Assets: w.assets, Adapters: w.adapters, Log: log, Screening: lists})
	must(t, err)
	w.desk, err = desk.New(desk.Config{
		Store: w.store, Adapters: w.adapters, Assets: w.assets, Signer: honest{sign}, Screening: lists, Log: log, Clock: time.Now, //nolint:forbidigo // as above
	})
	must(t, err)
	w.planner, err = collector.New(collector.Config{
		Store: w.store, Adapters: w.adapters, Assets: w.assets, Log: log, MaxCoins: perCollection,
		Merge: custody.ConsolidationPolicy{Above: 5, Most: 50, LowSatPerKVB: 5_000, SharePercent: 100},
	})
	must(t, err)
	_, err = w.store.HotAddress(context.Background(), regtest)
	must(t, err)
}

func (w *world) address(t *testing.T, customer string) string {
	t.Helper()
	a, err := w.store.DepositAddress(context.Background(), customer, "BTC")
	must(t, err)
	return a.Address
}

// settle mines, watches, plans and works until nothing has moved for as long as it
// takes to become final.
func (w *world) settle(t *testing.T) {
	t.Helper()
	quiet := 0
	for range maxRounds {
		w.miner.mine(t, 1)
		w.look(t)
		must(t, w.planner.Round(context.Background()))
		if quiet++; w.work(t)+w.waiting(t) > 0 {
			quiet = 0
		}
		if quiet > finalDepth {
			return
		}
	}
	t.Fatal("it never comes to rest")
}

// look takes in what the node has, and lets deposits know.
func (w *world) look(t *testing.T) {
	t.Helper()
	for more := true; more; {
		var err error
		more, err = w.watcher.Look(context.Background())
		must(t, err)
	}
	rows, err := w.store.Outbox(context.Background(), 10_000)
	must(t, err)
	var sent []int64
	for _, r := range rows {
		sent = append(sent, r.Seq)
		if r.Topic == custodydb.TopicDeposit {
			_, err := w.intake.Advance(context.Background(), r.Subject)
			must(t, err)
		}
	}
	must(t, w.store.OutboxSent(context.Background(), sent))
}

// work takes every step of every open intent and returns how many are open.
func (w *world) work(t *testing.T) int {
	t.Helper()
	ids := w.strings(t, `SELECT id FROM custody.withdrawal WHERE state <> 'posted' UNION ALL SELECT id FROM custody.house_intent WHERE state <> 'posted' ORDER BY id`)
	for _, intent := range ids {
		for _, step := range []func(context.Context, string) (custody.Progress, error){
			w.desk.Screen, w.desk.Reserve, w.desk.Sign, w.desk.Send, w.desk.Observe, w.desk.Settle,
		} {
			if _, err := step(context.Background(), intent); err != nil {
				t.Fatalf("%s: %v", intent, err)
			}
		}
	}
	return len(ids)
}

// waiting counts deposits of customers that are not collected.
func (w *world) waiting(t *testing.T) int {
	t.Helper()
	return len(w.strings(t, `SELECT id FROM custody.deposit WHERE collected_by IS NULL AND customer <> ''`))
}

func (w *world) count(t *testing.T, kind custody.IntentKind) int {
	t.Helper()
	return len(w.strings(t, `SELECT id FROM custody.house_intent WHERE kind = $1 AND state = 'posted'`, kind))
}

func (w *world) strings(t *testing.T, sql string, args ...any) (list []string) {
	t.Helper()
	err := w.pool.QueryRow(context.Background(), `SELECT coalesce(array_agg(id), '{}') FROM (`+sql+`) x`, args...).Scan(&list)
	must(t, err)
	return list
}

// honest asks the signer in this process.
type honest struct{ *signer.Signer }

// Sign implements desk.Signer.
func (h honest) Sign(_ context.Context, r desk.SignRequest) (desk.Signature, error) {
	kind := signerv1.IntentKind_INTENT_KIND_COLLECT // mergings too
	if r.Intent.Kind == custody.IntentWithdrawal {
		kind = signerv1.IntentKind_INTENT_KIND_WITHDRAWAL
	}
	wire := func(p *chainadapters.KeyPath) *signerv1.KeyPath {
		if p == nil {
			return nil
		}
		return &signerv1.KeyPath{Account: p.Account, Branch: p.Branch, Index: p.Index}
	}
	req := &signerv1.SignRequest{
		Intent: &signerv1.Intent{
			Id: r.Intent.ID, Kind: kind, Chain: string(r.Intent.Chain), Asset: r.Intent.Asset,
			To: r.Intent.To, Amount: r.Intent.Amount.String(), ToPath: wire(r.ToPath),
		},
		Attempt: r.Attempt, UnsignedTx: r.Unsigned.Bytes, MaxFee: r.MaxFee.String(),
	}
	for i := range r.Plan.Coins {
		req.InputPaths = append(req.InputPaths, wire(&r.Plan.Coins[i].Path))
	}
	if !r.Unsigned.Change.IsZero() {
		req.ChangePath = wire(&r.Plan.ChangePath)
	}
	out, err := h.Signer.Sign(req)
	if err != nil {
		return desk.Signature{}, err
	}
	return desk.Signature{Raw: out.GetRawTx(), TxID: out.GetTxid()}, nil
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
