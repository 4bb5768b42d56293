package desk_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/custodytest"
	"strongroom/custody/desk"
	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/ledger"
	"strongroom/money"
)

const (
	evm  chainadapters.ChainID = "ethereum-dev"
	utxo chainadapters.ChainID = "bitcoin-regtest"

	customer   = "cus_1"
	finalDepth = 3
)

func units(n uint64) money.Units { return money.FromUint64(n) }

// house is a whole custody on a real database and chains in memory.
type house struct {
	t         testing.TB
	pool      *pgxpool.Pool
	ledger    *ledger.Ledger
	assets    assets
	chains    map[chainadapters.ChainID]*fakechain.Chain
	nodes     map[chainadapters.ChainID]*fakechain.Adapter
	store     *custodydb.Store
	signer    *signer
	sanctions *custodytest.Sanctions
	desk      *desk.Desk
	counter   int

	mu  sync.Mutex
	now time.Time
}

// assets is a registry that tests can change.
type assets struct {
	mu   *sync.Mutex
	list map[string]custody.AssetInfo
}

func (a assets) AssetByCode(code string) (custody.AssetInfo, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	info, ok := a.list[code]
	return info, ok
}

func (a assets) AssetsOf(chain chainadapters.ChainID) []custody.AssetInfo {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []custody.AssetInfo
	for _, code := range []string{"BTC", "ETH", "TUSD"} {
		if info, ok := a.list[code]; ok && info.Chain == chain {
			list = append(list, info)
		}
	}
	return list
}

func (a assets) change(code string, by func(*custody.AssetInfo)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	info := a.list[code]
	by(&info)
	a.list[code] = info
}

// signer seals what it is asked for and remembers what it sealed per slot.
type signer struct {
	mu     sync.Mutex
	asked  int
	bySlot map[string]string // intent and attempt → txid
	forge  func(desk.SignRequest) desk.Signature
	refuse error
}

func (s *signer) Sign(_ context.Context, req desk.SignRequest) (desk.Signature, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.refuse != nil {
		return desk.Signature{}, s.refuse
	}
	if s.forge != nil {
		return s.forge(req), nil
	}
	raw, txid := fakechain.Sign(req.Unsigned.Bytes)
	slot := fmt.Sprintf("%s/%d", req.Intent.ID, req.Attempt)
	if before, ok := s.bySlot[slot]; ok && before != txid {
		return desk.Signature{}, errors.New("another payload for a used slot")
	}
	s.bySlot[slot] = txid
	return desk.Signature{Raw: raw, TxID: txid}, nil
}

func newHouse(tb testing.TB) *house {
	tb.Helper()
	ctx := context.Background()
	pool, err := pg.Open(ctx, testenv.Postgres(tb, ledger.Migrations(), custodydb.Migrations())+"&pool_max_conns=24")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	h := &house{
		t: tb, pool: pool, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC),
		chains: map[chainadapters.ChainID]*fakechain.Chain{}, nodes: map[chainadapters.ChainID]*fakechain.Adapter{},
		signer: &signer{bySlot: map[string]string{}}, sanctions: &custodytest.Sanctions{},
	}
	h.startChain(evm, chainadapters.Account)
	h.startChain(utxo, chainadapters.UTXO)
	h.assets = assets{mu: &sync.Mutex{}, list: map[string]custody.AssetInfo{}}
	h.list("BTC", 8, utxo, "BTC", "", 0)
	h.list("ETH", 18, evm, "ETH", "", 0)
	h.list("TUSD", 6, evm, "ETH", h.chains[evm].Token(), 5)
	if h.ledger, err = ledger.New(ledger.Config{Pool: pool, Clock: h.clock}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = h.ledger.Close(context.Background()) })
	h.restart()
	for chain := range h.chains {
		h.must2(h.store.PinChain(ctx, chain, h.chains[chain].Identity()))
		h.must2(h.store.HotAddress(ctx, chain))
		h.follow(chain)
	}
	return h
}

func (h *house) startChain(id chainadapters.ChainID, family chainadapters.Family) {
	chain, err := fakechain.New(fakechain.Config{Family: family, Network: string(id)})
	h.must(err)
	h.chains[id], h.nodes[id] = chain, chain.Adapter(chain.Identity())
}

func (h *house) list(code string, scale uint8, chain chainadapters.ChainID, native, contract string, fee uint64) {
	h.assets.list[code] = custody.AssetInfo{
		Asset: money.Asset{Code: code, Scale: scale}, Chain: chain, Contract: contract, Native: native,
		MinWithdrawal: units(1000), WithdrawalFee: units(fee), FinalDepth: finalDepth, State: custody.AssetListed,
	}
}

// restart is a new process on the same database.
func (h *house) restart() {
	h.t.Helper()
	adapters := map[chainadapters.ChainID]chainadapters.Adapter{}
	xpubs := map[chainadapters.ChainID]custodydb.XPubs{}
	for id, node := range h.nodes {
		adapters[id] = node
		xpubs[id] = custodydb.XPubs{Deposit: fakechain.PublicKey("deposit"), Hot: fakechain.PublicKey("hot")}
	}
	var err error
	h.store, err = custodydb.New(custodydb.Config{
		Pool: h.pool, Ledger: h.ledger, Assets: h.assets, Adapters: adapters, XPubs: xpubs, Environment: "test", Clock: h.clock, Vaults: vaultPlanner{},
	})
	h.must(err)
	h.desk, err = desk.New(desk.Config{
		Store: h.store, Adapters: adapters, Assets: h.assets, Signer: h.signer, Screening: h.sanctions, Log: slog.New(slog.DiscardHandler),
		Clock: h.clock, StuckAfter: time.Hour, Outstanding: 300,
	})
	h.must(err)
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) must2(_ any, err error) {
	h.t.Helper()
	h.must(err)
}

// mine adds blocks and lets the watcher see them.
func (h *house) mine(chain chainadapters.ChainID, n int) {
	h.t.Helper()
	h.must(h.chains[chain].Mine(n))
	h.follow(chain)
}

func (h *house) reorg(chain chainadapters.ChainID, depth int) {
	h.t.Helper()
	h.must(h.chains[chain].Reorg(depth))
	h.follow(chain)
}

// follow takes in what the chain has, as a watcher does.
func (h *house) follow(id chainadapters.ChainID) {
	h.t.Helper()
	ctx := context.Background()
	node := h.chains[id].Adapter(h.chains[id].Identity())
	head, err := node.Head(ctx)
	h.must(err)
	status, err := h.store.Chain(ctx, id)
	h.must(err)
	cursor := status.Cursor
	if status.Started() {
		at := cursor
		for {
			there, err := node.HeaderAt(ctx, at.Height)
			if err == nil && there.Hash == at.Hash {
				break
			}
			hashes, err := h.store.CanonicalHashes(ctx, id, at.Height-1, at.Height-1)
			h.must(err)
			at = chainadapters.Ref{Height: at.Height - 1, Hash: hashes[at.Height-1]}
		}
		if at != cursor {
			h.must(h.store.Rewind(ctx, id, cursor, at))
			cursor = at
		}
	}
	for next := cursor.Height; next <= head.Height; next++ {
		if next == cursor.Height && cursor.Hash != "" {
			continue
		}
		cursor = h.take(id, node, cursor, next)
	}
	h.must(h.store.SetChainOK(ctx, id, head.Height))
}

func (h *house) take(id chainadapters.ChainID, node chainadapters.Adapter, cursor chainadapters.Ref, height uint64) chainadapters.Ref {
	h.t.Helper()
	ctx := context.Background()
	header, err := node.HeaderAt(ctx, height)
	h.must(err)
	block, err := node.Block(ctx, header.Ref, []string{h.chains[evm].Token()})
	h.must(err)
	own, err := node.Statuses(ctx, block.TxIDs)
	h.must(err)
	h.must(h.store.TakeBlock(ctx, custodydb.TakenBlock{Chain: id, Prev: cursor, Block: block, Own: own}))
	return header.Ref
}

// fund gives the customer a balance and the hot wallet what covers it, both on
// chain and in the book.
func (h *house) fund(asset string, customerUnits, hotUnits uint64) {
	h.t.Helper()
	ctx := context.Background()
	info := h.assets.list[asset]
	hot, err := h.store.HotAddress(ctx, info.Chain)
	h.must(err)
	h.must2(h.chains[info.Chain].Pay(chainadapters.Payment{To: hot.Address, Contract: info.Contract, Amount: units(hotUnits)}))
	h.mine(info.Chain, finalDepth)
	h.must(h.store.OpenAccounts(ctx, customer, info))
	h.must(h.ledger.Open(ctx, custody.FundingAccounts(info)...))
	h.counter++
	h.must(h.ledger.Attest(ctx, ledger.Attestation{
		Asset: asset, Source: "test", Amount: units(4 * big), Evidence: "x", Outflows: h.position(asset).Outflows,
	}))
	legs := []ledger.Transfer{{
		ID: ledger.TransferID(fmt.Sprintf("fund/%d/equity", h.counter)), Kind: ledger.Single,
		Debit: custody.HotAccount(info.Chain, asset), Credit: custody.EquityAccount(asset), Amount: units(hotUnits),
	}}
	if customerUnits > 0 {
		legs = append(legs, ledger.Transfer{
			ID: ledger.TransferID(fmt.Sprintf("fund/%d/customer", h.counter)), Kind: ledger.Single,
			Debit: custody.EquityAccount(asset), Credit: custody.FundingAccount(customer, asset), Amount: units(customerUnits),
		})
	}
	h.must2(h.ledger.Post(ctx, ledger.Transaction{ID: fmt.Sprintf("fund/%d", h.counter), Legs: legs}))
}

func (h *house) position(asset string) ledger.Position {
	h.t.Helper()
	p, err := h.ledger.Position(context.Background(), asset)
	h.must(err)
	return p
}

func (h *house) balance(id ledger.AccountID) ledger.Balance {
	h.t.Helper()
	b, err := h.ledger.Balance(context.Background(), id)
	h.must(err)
	return b
}

// outside is an address of nobody here.
func (h *house) outside(asset, name string) string {
	return fakechain.Address(string(h.assets.list[asset].Chain), name)
}

func (h *house) request(asset, key string, amount uint64) custody.WithdrawalRequest {
	return custody.WithdrawalRequest{
		Customer: customer, IdempotencyKey: key, RequestHash: [32]byte{1}, Asset: asset,
		To: h.outside(asset, "outside"), Amount: units(amount),
	}
}

func (h *house) withdraw(asset string, amount uint64) custody.Withdrawal {
	h.t.Helper()
	h.counter++
	w, repeated, err := h.store.CreateWithdrawal(context.Background(), h.request(asset, fmt.Sprintf("key-%d", h.counter), amount))
	h.must(err)
	if repeated {
		h.t.Fatal("a new request was taken for a repetition")
	}
	return w
}

// steps are the desk's steps by name.
func (h *house) steps() map[string]func(context.Context, string) (custody.Progress, error) {
	return map[string]func(context.Context, string) (custody.Progress, error){
		"screen": h.desk.Screen, "reserve": h.desk.Reserve, "sign": h.desk.Sign, "send": h.desk.Send,
		"observe": h.desk.Observe, "settle": h.desk.Settle,
	}
}

func (h *house) do(id string, want custody.WithdrawalState, names ...string) custody.Progress {
	h.t.Helper()
	var p custody.Progress
	var err error
	for _, name := range names {
		if p, err = h.steps()[name](context.Background(), id); err != nil {
			h.t.Fatalf("%s of %s in %s: %v", name, id, p.State, err)
		}
	}
	if p.State != want {
		h.t.Fatalf("after %v: %s (%s), want %s", names, p.State, p.Reason, want)
	}
	return p
}

// rows counts everything that a refused request must not have written.
func (h *house) rows() (n int) {
	h.t.Helper()
	h.must(h.pool.QueryRow(context.Background(), `SELECT (SELECT count(*) FROM custody.withdrawal) + (SELECT count(*) FROM custody.idem)
		+ (SELECT count(*) FROM custody.limit_use) + (SELECT count(*) FROM custody.outbox) + (SELECT count(*) FROM custody.event)
		+ (SELECT count(*) FROM ledger.transfer)`).Scan(&n))
	return n
}

func (h *house) count(sql string, args ...any) (n int) {
	h.t.Helper()
	h.must(h.pool.QueryRow(context.Background(), sql, args...).Scan(&n))
	return n
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// hotCoins returns the coins of the hot wallet that are unspent in the chain.
func (h *house) hotCoins(chain chainadapters.ChainID) []chainadapters.Coin {
	h.t.Helper()
	rows, err := h.pool.Query(context.Background(), `SELECT txid, vout, address, amount FROM custody.coin
		WHERE chain = $1 AND account = 1 AND block_height IS NOT NULL AND spent_by IS NULL`, chain)
	h.must(err)
	coins, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c chainadapters.Coin, err error) {
		return c, row.Scan(&c.TxID, &c.Vout, &c.Address, &c.Amount)
	})
	h.must(err)
	return coins
}
