package desk_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/internal/id"
	"strongroom/ledger"
	"strongroom/money"
)

// deposit brings units to a deposit address of another customer, and into the book.
func (h *house) deposit(asset string, amount uint64) string {
	h.t.Helper()
	ctx := context.Background()
	info := h.assets.list[asset]
	at, err := h.store.DepositAddress(ctx, "cus_2", asset)
	h.must(err)
	h.must2(h.chains[info.Chain].Pay(chainadapters.Payment{To: at.Address, Contract: info.Contract, Amount: units(amount)}))
	h.mine(info.Chain, finalDepth)
	h.counter++
	h.must2(h.ledger.Post(ctx, ledger.Transaction{ID: fmt.Sprintf("fund/%d", h.counter), Legs: []ledger.Transfer{{
		ID: ledger.TransferID(fmt.Sprintf("fund/%d/x", h.counter)), Kind: ledger.Single,
		Debit: custody.DepositsAccount(info.Chain, asset), Credit: custody.EquityAccount(asset), Amount: units(amount),
	}}}))
	return at.Address
}

// order writes an intent of the house, as a planner does.
func (h *house) order(kind custody.IntentKind, prefix, asset, from, to string, amount money.Units) string {
	h.t.Helper()
	intent := id.New(prefix)
	h.must2(h.pool.Exec(context.Background(), `INSERT INTO custody.house_intent
		(id, kind, asset, chain, from_address, destination, amount, state, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 'approved', now(), now())`,
		intent, kind, asset, h.assets.list[asset].Chain, from, to, amount))
	return intent
}

func (h *house) walkOut(intent string, chain chainadapters.ChainID) {
	h.t.Helper()
	h.do(intent, custody.WithdrawalBroadcast, "screen", "reserve", "sign", "send")
	h.mine(chain, finalDepth)
	h.do(intent, custody.WithdrawalPosted, "observe", "settle", "settle")
}

// depositsAgree compares the book with what lies at deposit addresses.
func (h *house) depositsAgree(asset string, there money.Units) {
	h.t.Helper()
	b := h.balance(custody.DepositsAccount(h.assets.list[asset].Chain, asset))
	if has, err := b.DebitsPosted.Sub(b.CreditsPosted); err != nil || has != there {
		h.t.Errorf("deposits of %s are %s in the book and %s on chain", asset, has, there)
	}
}

func TestTokensAreCollectedWithGasFromTheHotWallet(t *testing.T) {
	h := ready(t, "ETH")
	h.fund("TUSD", 0, 10_000)
	from := h.deposit("TUSD", 500_000)
	hot, err := h.store.HotAddress(context.Background(), evm)
	h.must(err)
	chain := h.chains[evm]

	collect := h.order(custody.IntentCollect, "col", "TUSD", from, hot.Address, units(500_000))
	p, err := h.desk.Reserve(context.Background(), collect)
	h.must(err)
	if p.State != custody.WithdrawalCancelled || p.Kind != custody.IntentCollect || !p.Ended {
		t.Fatalf("a collection that cannot pay its gas: %+v", p)
	}
	gas := h.order(custody.IntentGasTopUp, "gas", "ETH", hot.Address, from, units(big/10))
	h.walkOut(gas, evm)
	h.depositsAgree("ETH", chain.Balance(from, ""))
	h.hotWalletAgrees(h.assets.list["ETH"])

	collect = h.order(custody.IntentCollect, "col", "TUSD", from, hot.Address, units(500_000))
	h.walkOut(collect, evm)
	h.depositsAgree("TUSD", chain.Balance(from, chain.Token()))
	h.depositsAgree("ETH", chain.Balance(from, ""))
	h.hotWalletAgrees(h.assets.list["TUSD"])

	// What is left of the gas comes back, short of a margin for its own fee.
	left := chain.Balance(from, "").SubFloor(units(big / 20))
	h.walkOut(h.order(custody.IntentCollect, "col", "ETH", from, hot.Address, left), evm)
	h.depositsAgree("ETH", chain.Balance(from, ""))
	h.hotWalletAgrees(h.assets.list["ETH"])
}

func TestCoinsAreCollected(t *testing.T) {
	h := ready(t, "BTC")
	ctx := context.Background()
	h.deposit("BTC", 40_000)
	h.deposit("BTC", 60_000)
	hot, err := h.store.HotAddress(ctx, utxo)
	h.must(err)
	fee := uint64((11+2*68+31)*5000+999) / 1000 // of two coins and one output
	lock := func(intent string) {
		h.must2(h.pool.Exec(ctx, `INSERT INTO custody.coin_lock (chain, txid, vout, intent)
			SELECT chain, txid, vout, $1 FROM custody.coin WHERE account = 0`, intent))
	}
	tooMuch := h.order(custody.IntentCollect, "col", "BTC", "", hot.Address, units(100_000))
	lock(tooMuch)
	h.must2(h.pool.Exec(ctx, `UPDATE custody.deposit SET collected_by = $1 WHERE customer = 'cus_2'`, tooMuch))
	p, err := h.desk.Reserve(ctx, tooMuch)
	h.must(err)
	if p.State != custody.WithdrawalCancelled || h.count(`SELECT count(*) FROM custody.coin_lock`) != 0 ||
		h.count(`SELECT count(*) FROM custody.deposit WHERE collected_by IS NOT NULL`) != 0 {
		t.Fatalf("a collection without a fee still holds its coins: %+v", p)
	}
	collect := h.order(custody.IntentCollect, "col", "BTC", "", hot.Address, units(100_000-fee))
	lock(collect)
	h.walkOut(collect, utxo)
	h.depositsAgree("BTC", units(0))
	h.hotWalletAgrees(h.assets.list["BTC"])
}

func TestReleasedIntentOfTheHouse(t *testing.T) {
	h := ready(t, "ETH")
	hot, err := h.store.HotAddress(context.Background(), evm)
	h.must(err)
	intent := h.order(custody.IntentGasTopUp, "gas", "ETH", hot.Address, h.deposit("ETH", 5000), units(1000))
	p, err := h.desk.Release(context.Background(), intent, "not needed")
	h.must(err)
	if p.State != custody.WithdrawalCancelled || p.Reason != "not needed" {
		t.Errorf("progress is %+v", p)
	}
	var r custodydb.IntentRow
	if r, err = h.store.LoadIntent(context.Background(), intent); err != nil || !r.State.Ended() {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := h.store.Release(context.Background(), "gas_none", custody.EventCancel, ""); !errors.Is(err, custody.ErrNotFound) {
		t.Errorf("unknown intent: %v", err)
	}
}
