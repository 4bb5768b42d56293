// Package custodytest puts custody's parts together for tests: a real
// PostgreSQL, the real ledger, and chains in memory. It never runs in production.
package custodytest

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/intake"
	"strongroom/custody/watch"
	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/ledger"
	"strongroom/money"
)

// Names of the kit's chains and assets.
const (
	Coins    chainadapters.ChainID = "coins"    // UTXO, asset BTC
	Accounts chainadapters.ChainID = "accounts" // account chain, assets ETH and TUSD
	BTC                            = "BTC"
	ETH                            = "ETH"
	TUSD                           = "TUSD"
)

// Depths of the kit's assets: amounts up to Small need the first pair.
const (
	CreditDepth   = 2
	WithdrawDepth = 3
	LargeDepth    = 4
	FinalDepth    = 5
	MaxReorg      = FinalDepth - 1
)

// Small is the largest amount of the first tier; Dust the least that is credited.
const (
	Small = 1_000_000
	Dust  = 1_000
)

// xpubs are the public keys of the fake signer.
func xpubs() custodydb.XPubs {
	return custodydb.XPubs{Deposit: fakechain.PublicKey("deposits"), Hot: fakechain.PublicKey("hot")}
}

// Kit is one installation on fresh chains and a fresh database.
type Kit struct {
	Pool     *pgxpool.Pool
	Chains   map[chainadapters.ChainID]*fakechain.Chain
	Nodes    map[chainadapters.ChainID]*fakechain.Adapter // the watchers' nodes: break these
	Adapters map[chainadapters.ChainID]chainadapters.Adapter
	Assets   Assets
	Ledger   *ledger.Ledger
	Store    *custodydb.Store
	Intake   *intake.Intake
	// Sanctions is the list that deposits are screened by.
	Sanctions *Sanctions
	Log       *slog.Logger
	url       string
}

// New returns a Kit that ends with tb.
func New(tb testing.TB) *Kit {
	tb.Helper()
	k := &Kit{
		Chains: map[chainadapters.ChainID]*fakechain.Chain{}, Nodes: map[chainadapters.ChainID]*fakechain.Adapter{},
		Adapters:  map[chainadapters.ChainID]chainadapters.Adapter{},
		Log:       slog.New(slog.DiscardHandler),
		Sanctions: &Sanctions{},
		url:       testenv.Postgres(tb, ledger.Migrations(), custodydb.Migrations()),
	}
	for name, family := range map[chainadapters.ChainID]chainadapters.Family{Coins: chainadapters.UTXO, Accounts: chainadapters.Account} {
		chain, err := fakechain.New(fakechain.Config{Family: family, Network: "fake" + string(name)})
		must(tb, err)
		k.Chains[name] = chain
		k.Nodes[name] = chain.Adapter(chain.Identity())
		k.Adapters[name] = k.Nodes[name]
	}
	k.Assets = assets(k.Chains[Accounts].Token())
	k.Restart(tb)
	return k
}

// Restart puts everything that a process holds in memory together anew.
func (k *Kit) Restart(tb testing.TB) {
	tb.Helper()
	var err error
	k.Pool, err = pg.Open(context.Background(), k.url+"&pool_max_conns=24")
	must(tb, err)
	tb.Cleanup(k.Pool.Close)
	k.Ledger, err = ledger.New(ledger.Config{Pool: k.Pool, Clock: time.Now}) //nolint:forbidigo // nothing here depends on it
	must(tb, err)
	book := k.Ledger
	tb.Cleanup(func() { _ = book.Close(context.Background()) })
	pubs := map[chainadapters.ChainID]custodydb.XPubs{}
	for name := range k.Chains {
		pubs[name] = xpubs()
	}
	k.Store, err = custodydb.New(custodydb.Config{
		Pool: k.Pool, Ledger: k.Ledger, Assets: k.Assets, Adapters: k.Adapters, XPubs: pubs, Environment: "test",
	})
	must(tb, err)
	k.Over(tb, k.Ledger)
	for _, info := range k.Assets {
		must(tb, k.Store.OpenAccounts(context.Background(), "", info))
	}
	for name := range k.Chains {
		_, err := k.Store.HotAddress(context.Background(), name)
		must(tb, err)
	}
}

// Over puts intake on another book.
func (k *Kit) Over(tb testing.TB, book intake.Ledger) {
	tb.Helper()
	var err error
	k.Intake, err = intake.New(intake.Config{Store: k.Store, Ledger: book, Assets: k.Assets, Adapters: k.Adapters, Log: k.Log, Screening: k.Sanctions})
	must(tb, err)
}

// Watcher returns a watcher of a chain through the kit's node.
func (k *Kit) Watcher(tb testing.TB, chain chainadapters.ChainID) *watch.Watcher {
	tb.Helper()
	w, err := watch.New(watch.Config{
		Chain: chain, Adapter: k.Nodes[chain], Store: k.Store, Assets: k.Assets, MaxReorg: MaxReorg,
		Poll: 5 * time.Millisecond, Log: k.Log,
	})
	must(tb, err)
	return w
}

// Look lets a fresh watcher take in all that a chain has.
func (k *Kit) Look(tb testing.TB, chain chainadapters.ChainID) {
	tb.Helper()
	w := k.Watcher(tb, chain)
	for more := true; more; {
		var err error
		more, err = w.Look(context.Background())
		must(tb, err)
	}
}

// Deliver hands every waiting deposit message to intake and marks it sent. It
// returns the errors of intake by deposit.
func (k *Kit) Deliver(tb testing.TB) map[string]error {
	tb.Helper()
	failed := map[string]error{}
	for {
		rows, err := k.Store.Outbox(context.Background(), 500)
		must(tb, err)
		if len(rows) == 0 {
			return failed
		}
		var sent []int64
		for _, r := range rows {
			sent = append(sent, r.Seq)
			if r.Topic != custodydb.TopicDeposit {
				continue
			}
			if _, err := k.Intake.Advance(context.Background(), r.Subject); err != nil {
				failed[r.Subject] = err
			}
		}
		must(tb, k.Store.OutboxSent(context.Background(), sent))
	}
}

// Mine adds n blocks, takes them in and delivers, one after the other.
func (k *Kit) Mine(tb testing.TB, chain chainadapters.ChainID, n int) {
	tb.Helper()
	for range n {
		must(tb, k.Chains[chain].Mine(1))
		k.Look(tb, chain)
		for id, err := range k.Deliver(tb) {
			tb.Fatalf("deposit %s: %v", id, err)
		}
	}
}

// Address returns the address of a customer for an asset.
func (k *Kit) Address(tb testing.TB, customer, asset string) string {
	tb.Helper()
	a, err := k.Store.DepositAddress(context.Background(), customer, asset)
	must(tb, err)
	return a.Address
}

// Pay sends an amount of an asset from a stranger; it waits in the pool.
func (k *Kit) Pay(tb testing.TB, asset, to string, amount uint64) (txid string) {
	tb.Helper()
	info, _ := k.Assets.AssetByCode(asset)
	txid, err := k.Chains[info.Chain].Pay(chainadapters.Payment{To: to, Contract: info.Contract, Amount: money.FromUint64(amount)})
	must(tb, err)
	return txid
}

// Available returns what can be spent of an account.
func (k *Kit) Available(tb testing.TB, account ledger.AccountID) money.Units {
	tb.Helper()
	b, err := k.Ledger.Balance(context.Background(), account)
	must(tb, err)
	return b.Available()
}

// Assets is a fixed asset registry.
type Assets []custody.AssetInfo

// AssetByCode implements custody.Assets.
func (a Assets) AssetByCode(code string) (custody.AssetInfo, bool) {
	i := slices.IndexFunc(a, func(info custody.AssetInfo) bool { return info.Code == code })
	if i < 0 {
		return custody.AssetInfo{}, false
	}
	return a[i], true
}

// AssetsOf implements custody.Assets.
func (a Assets) AssetsOf(chain chainadapters.ChainID) []custody.AssetInfo {
	return slices.DeleteFunc(slices.Clone(a), func(info custody.AssetInfo) bool { return info.Chain != chain })
}

func assets(token string) Assets {
	base := custody.AssetInfo{
		MinDeposit: money.FromUint64(Dust), MinWithdrawal: money.FromUint64(Dust), WithdrawalFee: money.FromUint64(50),
		Tiers: []custody.Tier{
			{UpTo: money.FromUint64(Small), CreditDepth: CreditDepth, WithdrawDepth: WithdrawDepth},
			{CreditDepth: LargeDepth, WithdrawDepth: FinalDepth},
		},
		FinalDepth: FinalDepth, State: custody.AssetListed,
	}
	list := make(Assets, 0, 3)
	for _, a := range []struct {
		code, contract, native string
		scale                  uint8
		chain                  chainadapters.ChainID
	}{{BTC, "", BTC, 8, Coins}, {ETH, "", ETH, 18, Accounts}, {TUSD, token, ETH, 6, Accounts}} {
		info := base
		info.Asset, info.Chain, info.Contract, info.Native = money.Asset{Code: a.code, Scale: a.scale}, a.chain, a.contract, a.native
		list = append(list, info)
	}
	return list
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
