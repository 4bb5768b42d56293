package vaultsafe_test

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest/nodes"
	"strongroom/chainadapters/evm/safe"
	"strongroom/custody"
	"strongroom/custody/check"
	"strongroom/custody/custodydb"
	"strongroom/custody/custodytest"
	"strongroom/custody/desk"
	"strongroom/custody/watch"
	signerv1 "strongroom/internal/gen/signer/v1"
	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/ledger"
	"strongroom/ledger/ledgertest"
	"strongroom/money"
	"strongroom/signer"
	"strongroom/treasury/consent"
	"strongroom/treasury/consent/consenttest"
	"strongroom/treasury/intent"
	"strongroom/treasury/policy"
	"strongroom/treasury/vaultsafe"
)

const (
	chain = "ethereum-dev"
	home  = "test"
	final = 2
	ether = 1_000_000_000_000_000_000
	usdc  = 1_000_000
)

func units(n uint64) money.Units { return money.FromUint64(n) }

// world is a house on a real node, with a Safe for a vault and the real signer.
type world struct {
	t       *testing.T
	node    *nodes.EVM
	pool    *pgxpool.Pool
	ledger  *ledger.Ledger
	assets  custodytest.Assets
	store   *custodydb.Store
	desk    *desk.Desk
	watcher *watch.Watcher
	signer  *signer.Signer
	dir     string // of the signer
	now     time.Time

	vault  safe.Vault
	owners []*ecdsa.PrivateKey
	set    safe.Set
	copies *copies
}

func onBoth(t *testing.T, run func(w *world)) {
	t.Helper()
	t.Run("anvil", func(t *testing.T) { run(newWorld(t, nodes.NewAnvil(t))) })
	t.Run("geth", func(t *testing.T) { run(newWorld(t, nodes.NewGeth(t))) })
}

// newWorld has a hot wallet of ten ether and ten thousand dollars.
func newWorld(t *testing.T, node *nodes.EVM) *world {
	t.Helper()
	w := &world{t: t, node: node, now: time.Now(), dir: t.TempDir(), copies: &copies{}} //nolint:forbidigo // the node has a clock of its own
	for code, contract := range map[string]string{"ETH": "", "USDC": node.Token()} {
		w.assets = append(w.assets, custody.AssetInfo{
			Asset: money.Asset{Code: code, Scale: 6}, Chain: chain, Contract: contract, Native: "ETH", FinalDepth: final, State: custody.AssetListed,
			MinDeposit: units(1), MinWithdrawal: units(1),
		})
	}
	w.vault, w.owners, w.set = deploySafe(t, node)
	w.openSigner()
	w.wire()
	w.fund()
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) clock() time.Time { return w.now }

// openSigner founds a house of two officers whose policy lets what stays in it pass.
func (w *world) openSigner() {
	w.t.Helper()
	people := consenttest.Open(w.t, home, 1, 1, w.now.Unix()-1000)
	people.Add("ada", true, []string{"treasury"}, consenttest.Plain(w.t, "ada-api"))
	most := signer.Caps{PerTransaction: units(ether), PerHour: units(ether), PerDay: units(ether)}
	var err error
	w.signer, err = signer.New(signer.Config{
		Dir: w.dir, Passphrase: "correct horse battery staple", Clock: w.clock, Log: slog.New(slog.DiscardHandler), WorkFactor: 4,
		Policy: signer.Policy{
			Chains: []signer.Chain{{Name: chain, Family: "evm", ChainID: 31337, FeeCeiling: units(ether / 10)}},
			Assets: []signer.Asset{{Code: "ETH", Chain: chain, Withdrawal: most}, {Code: "USDC", Chain: chain, Contract: w.node.Token(), Withdrawal: most}},
		},
		Treasury: &signer.Treasury{
			Environment: home, Officers: people.Roster.Officers,
			Vaults: []signer.VaultAddress{{Chain: chain, Address: w.vault.Address.Hex(), Safe: true}},
		},
	})
	w.must(err)
	w.t.Cleanup(func() { _ = w.signer.Close() })
	_, err = w.signer.Submit(&signerv1.SubmitRequest{Document: people.Sign(w.t)})
	w.must(err)
	p := &policy.Policy{Environment: home, Version: 1, NotBefore: w.now.Unix() - 1, Layers: []policy.Layer{{Name: "base", Rules: []policy.Rule{
		{Name: "own", When: policy.Condition{Destinations: []policy.Class{policy.Own}}, Outcome: policy.Allow},
	}}}}
	text, err := p.Canonical()
	w.must(err)
	document, err := p.Document()
	w.must(err)
	i := &intent.Intent{
		Environment: home, ID: "policy-1", Action: intent.Policy, Document: document, Requester: "system:founding", Reason: "the first",
		Created: w.now.Unix(), Expires: w.now.Unix() + 3600,
	}
	canonical, err := i.Canonical()
	w.must(err)
	yes := people.Keys["ada"][0].Approve(w.t, "ada", i, w.now.Unix())
	_, err = w.signer.Submit(&signerv1.SubmitRequest{IntentText: canonical, Document: text, Approvals: []*signerv1.Approval{{
		Approver: yes.Person, Key: yes.Key, Scheme: string(yes.Scheme), Verdict: string(yes.Verdict), At: yes.At, Payload: yes.Payload, Signature: yes.Signature,
	}}})
	w.must(err)
}

// Sign implements desk.Signer by the signer in this process.
func (w *world) Sign(_ context.Context, r desk.SignRequest) (desk.Signature, error) {
	kind, action := signerv1.IntentKind_INTENT_KIND_SWEEP, intent.Sweep
	switch r.Intent.Kind { //nolint:exhaustive // nothing else is asked here
	case custody.IntentRefill:
		kind, action = signerv1.IntentKind_INTENT_KIND_REFILL, intent.Refill
	case custody.IntentCancel:
		kind, action = signerv1.IntentKind_INTENT_KIND_CANCEL, ""
	}
	req := &signerv1.SignRequest{
		Intent: &signerv1.Intent{
			Id: r.Intent.ID, Kind: kind, Chain: chain, Asset: r.Intent.Asset, Contract: r.Intent.Contract, To: r.Intent.To, Amount: r.Intent.Amount.String(),
		},
		Attempt: r.Attempt, UnsignedTx: r.Unsigned.Bytes, MaxFee: r.MaxFee.String(), FromPath: path(&r.Plan.Slot.Path),
	}
	if action == "" {
		req.Intent.ToPath = path(r.ToPath)
	} else {
		i := intent.Intent{
			Environment: home, ID: r.Intent.ID, Action: action, Chain: chain, Genesis: strconv.Itoa(31337), Asset: r.Intent.Asset, Contract: r.Intent.Contract,
			To: r.Intent.To, Amount: r.Intent.Amount, MaxFee: units(ether / 10), Requester: "system:mover", Policy: 1, Reason: "levels",
			Created: w.now.Unix(), Expires: w.now.Unix() + 3600,
		}
		if action == intent.Refill {
			i.Vault = "cold-eth"
		}
		var err error
		if req.IntentText, err = i.Canonical(); err != nil {
			return desk.Signature{}, err
		}
	}
	out, err := w.signer.Sign(req)
	if err != nil {
		return desk.Signature{}, fmt.Errorf("%w: %w", desk.ErrRefused, err)
	}
	return desk.Signature{Raw: out.GetRawTx(), TxID: out.GetTxid()}, nil
}

func path(p *chainadapters.KeyPath) *signerv1.KeyPath {
	return &signerv1.KeyPath{Account: p.Account, Branch: p.Branch, Index: p.Index}
}

// Decide implements desk.Policy: the desk of the treasury is not asked here.
func (*world) Decide(context.Context, custodydb.IntentRow, custody.AssetInfo) (desk.Verdict, string, error) {
	return desk.Allow, "", nil
}

// Evidence implements vaultsafe.Consent.
func (*world) Evidence(context.Context, string, uint32) ([]byte, []consent.Approval, error) {
	return nil, nil, nil
}

func (w *world) wire() {
	w.t.Helper()
	keys, err := w.signer.PublicKeys(chain)
	w.must(err)
	adapters := map[chainadapters.ChainID]chainadapters.Adapter{chain: w.node.Adapter()}
	w.pool, err = pg.Open(w.t.Context(), testenv.Postgres(w.t, ledger.Migrations(), custodydb.Migrations()))
	w.must(err)
	w.t.Cleanup(w.pool.Close)
	w.ledger, err = ledger.New(ledger.Config{Pool: w.pool, Clock: w.clock})
	w.must(err)
	w.t.Cleanup(func() { _ = w.ledger.Close(context.Background()) })
	w.store, err = custodydb.New(custodydb.Config{
		Pool: w.pool, Ledger: w.ledger, Assets: w.assets, Adapters: adapters, Environment: home, Clock: w.clock,
		XPubs: map[chainadapters.ChainID]custodydb.XPubs{chain: {Deposit: keys.GetDepositXpub(), Hot: keys.GetHotXpub()}},
	})
	w.must(err)
	owners, err := vaultsafe.NewOwners(vaultsafe.Vaults{"cold-eth": w.vault}, w.copies, w, w.nodes())
	w.must(err)
	w.desk, err = desk.New(desk.Config{
		Store: w.store, Adapters: adapters, Assets: w.assets, Signer: w, Policy: w, Vaults: owners, Screening: &custodytest.Sanctions{},
		Log: slog.New(slog.DiscardHandler), Clock: w.clock, StuckAfter: time.Hour,
	})
	w.must(err)
}

// fund gives the hot wallet ten ether and ten thousand dollars, on chain and in the book,
// and begins to watch after that.
func (w *world) fund() {
	w.t.Helper()
	ctx := w.t.Context()
	hot, err := w.store.HotAddress(ctx, chain)
	w.must(err)
	w.node.Fund(w.t, hot.Address, units(10*ether))
	w.node.FundToken(w.t, hot.Address, units(10_000*usdc))
	w.node.Mine(w.t, 1)
	for code, amount := range map[string]uint64{"ETH": 10 * ether, "USDC": 10_000 * usdc} {
		info, _ := w.assets.AssetByCode(code)
		w.must(w.store.OpenAccounts(ctx, "", info))
		w.must(w.ledger.Attest(ctx, ledger.Attestation{Asset: code, Source: "test", Amount: units(amount), Evidence: "x"}))
		_, err = w.ledger.Post(ctx, ledger.Transaction{ID: "fund/" + code, Legs: []ledger.Transfer{{
			ID: ledger.TransferID("fund/" + code), Kind: ledger.Single, Debit: custody.HotAccount(chain, code), Credit: custody.EquityAccount(code), Amount: units(amount),
		}}})
		w.must(err)
	}
	head, err := w.node.Adapter().Head(ctx)
	w.must(err)
	w.watcher, err = watch.New(watch.Config{
		Chain: chain, Adapter: w.node.Adapter(), Store: w.store, Assets: w.assets, StartHeight: head.Height + 1, MaxReorg: final - 1,
		Poll: time.Millisecond, Log: slog.New(slog.DiscardHandler),
	})
	w.must(err)
	_, err = w.store.RegisterVault(ctx, chain, "cold-eth", w.vault.Address.Hex())
	w.must(err)
	w.mine(1)
}

// mine makes blocks and takes them in.
func (w *world) mine(n int) {
	w.t.Helper()
	w.node.Mine(w.t, n)
	for more := true; more; {
		var err error
		more, err = w.watcher.Look(w.t.Context())
		w.must(err)
	}
}

// step takes each step once, in order, as a workflow would, up to one that waits.
func (w *world) step(id string) (p custody.Progress, err error) {
	w.t.Helper()
	for _, take := range []func(context.Context, string) (custody.Progress, error){
		w.desk.Screen, w.desk.Reserve, w.desk.Sign, w.desk.Send, w.desk.Observe, w.desk.Send, w.desk.Settle,
	} {
		if p, err = take(w.t.Context(), id); err != nil {
			return p, err
		}
	}
	return p, nil
}

// carry brings an intent to its end.
func (w *world) carry(id string, want custody.WithdrawalState) {
	w.t.Helper()
	var p custody.Progress
	for range 4 {
		var err error
		p, err = w.step(id)
		w.must(err)
		if p.Ended {
			break
		}
		w.mine(final)
	}
	if p.State != want {
		w.t.Fatalf("%s is %s (%s), want %s", id, p.State, p.Reason, want)
	}
}

// sweep takes an amount into the vault.
func (w *world) sweep(id, asset string, amount money.Units) {
	w.t.Helper()
	w.must(w.store.OpenSweep(w.t.Context(), custodydb.Sweep{ID: id, Asset: asset, To: w.vault.Address.Hex(), Amount: amount}))
	w.carry(id, custody.WithdrawalPosted)
}

// agree holds book, chain and the signer's journal against each other, and the vault to
// what it should have.
func (w *world) agree(asset string, inVault money.Units) {
	w.t.Helper()
	ctx := w.t.Context()
	books, err := ledgertest.Check(ctx, w.pool)
	w.must(err)
	if found := w.found(); len(books)+len(found) > 0 {
		w.t.Errorf("the book: %v; the house: %v", books, found)
	}
	at, err := w.store.Standing(ctx, asset, units(0), nil)
	w.must(err)
	info, _ := w.assets.AssetByCode(asset)
	status, err := w.store.Chain(ctx, chain)
	w.must(err)
	there, err := w.node.Adapter().Holdings(ctx, chainadapters.Holdings{Contract: info.Contract, Addresses: []string{w.vault.Address.Hex()}, At: status.Cursor})
	w.must(err)
	if at.Vaults["cold-eth"] != inVault || there != inVault {
		w.t.Errorf("the vault has %s %s in the book and %s on chain, want %s", at.Vaults["cold-eth"], asset, there, inVault)
	}
}

// found is what the checker finds.
func (w *world) found() []check.Violation {
	w.t.Helper()
	found, err := check.Run(w.t.Context(), check.Config{
		Pool: w.pool, Adapters: map[chainadapters.ChainID]chainadapters.Adapter{chain: w.node.Adapter()}, Assets: w.assets, Grace: time.Hour,
		Signed: func() (map[check.SignedKey]string, error) {
			allowed := map[check.SignedKey]string{}
			err := signer.Audit(filepath.Join(w.dir, signer.StateFolder), func(p signer.Permission) {
				allowed[check.SignedKey{Intent: p.Intent, Attempt: p.Attempt}] = p.Payload
			})
			return allowed, err
		},
	})
	w.must(err)
	return found
}

// take takes some steps of the first refill.
func (w *world) take(want custody.WithdrawalState, steps ...func(context.Context, string) (custody.Progress, error)) {
	w.t.Helper()
	var p custody.Progress
	for _, step := range steps {
		var err error
		p, err = step(w.t.Context(), "rfl_1n1")
		w.must(err)
	}
	if p.State != want {
		w.t.Fatalf("%s is %s (%s), want %s", p.ID, p.State, p.Reason, want)
	}
}
