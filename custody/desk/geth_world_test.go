package desk_test

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"log/slog"
	mathbig "math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/chainadapters"
	chainevm "strongroom/chainadapters/evm"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/custodytest"
	"strongroom/custody/desk"
	"strongroom/custody/watch"
	"strongroom/internal/devstack"
	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/ledger"
	"strongroom/money"
	vault "strongroom/signer"
)

const (
	gethFinal = 2
	gwei      = 1_000_000_000
	ether     = 1_000_000_000 * gwei
	// strangerKey is of the first account of the common development phrase.
	strangerKey = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
)

// world is a house on geth, with the real signer.
type world struct {
	t        *testing.T
	node     *devstack.Geth
	adapter  chainadapters.Adapter
	pool     *pgxpool.Pool
	ledger   *ledger.Ledger
	store    *custodydb.Store
	desk     *desk.Desk
	signer   *vault.Signer
	watcher  *watch.Watcher
	info     custody.AssetInfo
	stranger *ecdsa.PrivateKey
	spent    uint64 // nonces of the stranger
	orders   int
	ahead    time.Duration // of our clock
}

// newWorld is a house with a funded hot wallet and customer. The signer lets a
// withdrawal take one ether.
func newWorld(t *testing.T, cfg devstack.GethConfig) *world {
	t.Helper()
	key, err := crypto.HexToECDSA(strangerKey)
	w := &world{t: t, node: testenv.Geth(t, cfg), stranger: key}
	w.must(err)
	var genesis struct{ Hash string }
	w.must(w.node.Call(t.Context(), &genesis, "eth_getBlockByNumber", "0x0", false))
	w.adapter, err = chainevm.New(chainadapters.Config{
		Chain: evm, Driver: "evm", URL: w.node.URL, Timeout: 10 * time.Second,
		Expect: chainadapters.Identity{Network: "31337", Genesis: genesis.Hash},
	})
	w.must(err)
	w.pool, err = pg.Open(t.Context(), testenv.Postgres(t, ledger.Migrations(), custodydb.Migrations()))
	w.must(err)
	t.Cleanup(w.pool.Close)
	w.info = custody.AssetInfo{
		Asset: money.Asset{Code: "ETH", Scale: 18}, Chain: evm, Native: "ETH", FinalDepth: gethFinal, State: custody.AssetListed,
		MinWithdrawal: units(1), MinDeposit: units(1),
	}
	w.openSigner()
	w.wire()
	w.fund()
	return w
}

func (w *world) openSigner() {
	w.t.Helper()
	most := units(1 << 63)
	var err error
	w.signer, err = vault.New(vault.Config{
		Dir: w.t.TempDir(), Passphrase: "correct horse battery staple", Clock: w.clock, Log: quiet(), WorkFactor: 4,
		Policy: vault.Policy{
			Chains: []vault.Chain{{Name: string(evm), Family: "evm", ChainID: 31337, FeeCeiling: units(ether / 10)}},
			Assets: []vault.Asset{{Code: "ETH", Chain: string(evm), Withdrawal: vault.Caps{PerTransaction: units(ether), PerHour: most, PerDay: most}}},
		},
	})
	w.must(err)
	w.t.Cleanup(func() { _ = w.signer.Close() })
}

func (w *world) wire() {
	w.t.Helper()
	keys, err := w.signer.PublicKeys(string(evm))
	w.must(err)
	adapters := map[chainadapters.ChainID]chainadapters.Adapter{evm: w.adapter}
	assets := custodytest.Assets{w.info}
	w.ledger, err = ledger.New(ledger.Config{Pool: w.pool, Clock: w.clock})
	w.must(err)
	w.t.Cleanup(func() { _ = w.ledger.Close(context.Background()) })
	w.store, err = custodydb.New(custodydb.Config{
		Pool: w.pool, Ledger: w.ledger, Assets: assets, Adapters: adapters, Environment: "test", Clock: w.clock,
		XPubs: map[chainadapters.ChainID]custodydb.XPubs{evm: {Deposit: keys.GetDepositXpub(), Hot: keys.GetHotXpub()}},
	})
	w.must(err)
	w.watcher, err = watch.New(watch.Config{
		Chain: evm, Adapter: w.adapter, Store: w.store, Assets: assets, MaxReorg: gethFinal - 1, Poll: time.Millisecond, Log: quiet(),
	})
	w.must(err)
	w.desk, err = desk.New(desk.Config{
		Store: w.store, Adapters: adapters, Assets: assets, Signer: realSigner{w.signer}, Screening: &custodytest.Sanctions{},
		Log: slog.New(slog.DiscardHandler), Clock: w.clock, Outstanding: 1000,
	})
	w.must(err)
}

// clock is the machine's, which the node has too, and what a test lets pass.
func (w *world) clock() time.Time { return time.Now().Add(w.ahead) } //nolint:forbidigo // the node has a clock of its own

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// fund gives hot wallet and customer 100 ether, on chain and in the book.
func (w *world) fund() {
	w.t.Helper()
	ctx := w.t.Context()
	hot, err := w.store.HotAddress(ctx, evm)
	w.must(err)
	hundred, err := units(ether).Mul(100)
	w.must(err)
	w.mineOnly(w.pay(hot.Address, hundred, 30*gwei))
	w.must(w.store.OpenAccounts(ctx, customer, w.info))
	w.must(w.ledger.Open(ctx, custody.FundingAccounts(w.info)...))
	w.must(w.ledger.Attest(ctx, ledger.Attestation{Asset: "ETH", Source: "test", Amount: hundred, Evidence: "x"}))
	_, err = w.ledger.Post(ctx, ledger.Transaction{ID: "fund/1", Legs: []ledger.Transfer{
		{ID: "fund/1/a", Kind: ledger.Single, Debit: custody.HotAccount(evm, "ETH"), Credit: custody.EquityAccount("ETH"), Amount: hundred},
		{ID: "fund/1/b", Kind: ledger.Single, Debit: custody.EquityAccount("ETH"), Credit: custody.FundingAccount(customer, "ETH"), Amount: hundred},
	}})
	w.must(err)
}

// pay is a transaction of the stranger, signed and not sent.
func (w *world) pay(to string, amount money.Units, feeCap int64) string {
	w.t.Helper()
	chain := mathbig.NewInt(31337)
	signed, err := types.SignNewTx(w.stranger, types.LatestSignerForChainID(chain), &types.DynamicFeeTx{
		ChainID: chain, Nonce: w.spent, Gas: 21_000, GasTipCap: mathbig.NewInt(gwei), GasFeeCap: mathbig.NewInt(feeCap),
		To: new(common.HexToAddress(to)), Value: amount.Big(),
	})
	w.must(err)
	w.spent++
	raw, err := signed.MarshalBinary()
	w.must(err)
	return hexutil.Encode(raw)
}

// mineOnly makes one block of exactly these transactions and takes it in.
func (w *world) mineOnly(raw ...string) {
	w.t.Helper()
	w.must(w.node.MineOnly(w.t.Context(), raw...))
	w.look()
}

func (w *world) mine(n int) {
	w.t.Helper()
	w.must(w.node.Mine(w.t.Context(), n))
	w.look()
}

func (w *world) look() {
	w.t.Helper()
	for more := true; more; {
		var err error
		more, err = w.watcher.Look(w.t.Context())
		w.must(err)
	}
}

// baseFee is the newest block's.
func (w *world) baseFee() money.Units {
	w.t.Helper()
	head, err := w.adapter.Head(w.t.Context())
	w.must(err)
	return head.BaseFee
}

func (w *world) withdraw(amount uint64) custody.Withdrawal {
	w.t.Helper()
	w.orders++
	made, _, err := w.store.CreateWithdrawal(w.t.Context(), custody.WithdrawalRequest{
		Customer: customer, IdempotencyKey: fmt.Sprintf("key-%d", w.orders), RequestHash: [32]byte{1}, Asset: "ETH",
		To: common.BigToAddress(mathbig.NewInt(int64(1<<40 + w.orders))).Hex(), Amount: units(amount),
	})
	w.must(err)
	return made
}

// step takes every step once, in order, as a workflow would.
func (w *world) step(id string) custody.Progress {
	w.t.Helper()
	var p custody.Progress
	for _, take := range []func(context.Context, string) (custody.Progress, error){
		w.desk.Screen, w.desk.Reserve, w.desk.Sign, w.desk.Send, w.desk.Observe, w.desk.Send, w.desk.Settle,
	} {
		var err error
		if p, err = take(w.t.Context(), id); err != nil {
			w.t.Fatalf("%s in %s: %v", id, p.State, err)
		}
	}
	return p
}

func (w *world) balance(address string) money.Units {
	w.t.Helper()
	status, err := w.store.Chain(w.t.Context(), evm)
	w.must(err)
	sum, err := w.adapter.Holdings(w.t.Context(), chainadapters.Holdings{Addresses: []string{address}, At: status.Cursor})
	w.must(err)
	return sum
}

func (w *world) count(sql string, args ...any) (n int) {
	w.t.Helper()
	w.must(w.pool.QueryRow(w.t.Context(), sql, args...).Scan(&n))
	return n
}

// agrees compares hot wallet and book to the last wei, and looks for gaps.
func (w *world) agrees() {
	w.t.Helper()
	hot, err := w.store.HotAddress(w.t.Context(), evm)
	w.must(err)
	b, err := w.ledger.Balance(w.t.Context(), custody.HotAccount(evm, "ETH"))
	w.must(err)
	has, err := b.DebitsPosted.Sub(b.CreditsPosted)
	w.must(err)
	if there := w.balance(hot.Address); there != has {
		w.t.Errorf("hot wallet has %s in the book and %s on chain", has, there)
	}
	slots := w.count(`SELECT count(*) FROM custody.nonce_slot`)
	used, err := w.adapter.NextNonce(w.t.Context(), hot.Address)
	w.must(err)
	if int(used) != slots || w.count(`SELECT next FROM custody.nonce_counter`) != slots {
		w.t.Errorf("%d nonces given, %d used", slots, used)
	}
}

// raise fills blocks with strangers' payments, and nothing of ours, until the base
// fee is above a price.
func (w *world) raise(above money.Units) {
	w.t.Helper()
	const blocks = 200
	for range blocks {
		if above.Less(w.baseFee()) {
			return
		}
		w.mineOnly(w.pay(devstack.DevAccounts()[3], units(1), 900*gwei), w.pay(devstack.DevAccounts()[3], units(1), 900*gwei))
	}
	w.t.Fatalf("the base fee is %s", w.baseFee())
}
