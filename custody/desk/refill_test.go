package desk_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/custody"
	"strongroom/custody/custodydb"
)

// vaultPlanner spends the first coin that suffices, and gives back what remains.
type vaultPlanner struct{}

const vaultFee = 900

func (vaultPlanner) Spend(_ string, coins []custodydb.VaultCoin, payment chainadapters.Payment, fee chainadapters.Fee) (plan chainadapters.Plan, change string, err error) {
	for _, c := range coins {
		rest := c.Amount.SubFloor(payment.Amount).SubFloor(units(vaultFee))
		if rest.IsZero() || len(c.Previous) == 0 {
			continue
		}
		change = fakechain.Address(string(utxo), "vault change")
		return chainadapters.Plan{
			Coins: []chainadapters.Coin{c.Coin}, Fee: fee, Payments: []chainadapters.Payment{payment, {To: change, Amount: rest}},
		}, change, nil
	}
	return plan, "", chainadapters.ErrFunds
}

func (h *house) refill(amount uint64) custodydb.Refill {
	h.t.Helper()
	w := custodydb.Refill{ID: "rfl_1n1", Asset: "BTC", Vault: "cold-1", Amount: units(amount)}
	for range 2 {
		h.must(h.store.OpenRefill(context.Background(), w))
	}
	return w
}

// A vault pays once its cosigners have signed, with coins and change of its own.
func TestRefillsComeOutOfTheVault(t *testing.T) {
	h := ready(t, "BTC")
	s, info := h.sweep("swp_1n1", "BTC")
	h.do(s.ID, custody.WithdrawalApproved, "screen")
	h.walkOut(s.ID, info.Chain)
	before := h.standing("BTC")

	w := h.refill(50_000)
	h.do(w.ID, custody.WithdrawalReserved, "screen", "reserve")
	h.signer.refuse = custody.ErrConsent
	if p, err := h.desk.Sign(t.Context(), w.ID); !errors.Is(err, custody.ErrConsent) || p.State != custody.WithdrawalReserved || p.Reason != custody.ErrConsent.Error() {
		t.Fatalf("without cosigners: %+v, %v", p, err)
	}
	h.signer.refuse = nil
	h.do(w.ID, custody.WithdrawalBroadcast, "sign", "send")
	h.pass(100 * time.Hour)
	h.do(w.ID, custody.WithdrawalBroadcast, "observe") // another bid would take its cosigners once more
	h.mine(info.Chain, finalDepth)
	h.do(w.ID, custody.WithdrawalPosted, "observe", "settle", "settle")
	after := h.standing("BTC")
	if got := after.Hot.SubFloor(before.Hot); got != units(50_000) {
		t.Errorf("the hot wallet got %s", got)
	}
	if left := after.Vaults["cold-1"]; left != units(200_000-50_000-vaultFee) {
		t.Errorf("the vault has %s left", left)
	}
	h.hotWalletAgrees(info)
	change := fakechain.Address(string(utxo), "vault change")
	if has := h.chains[utxo].Balance(change, ""); has != units(200_000-50_000-vaultFee) {
		t.Errorf("%s came back to the vault", has)
	}
	if n := h.count(`SELECT count(*) FROM custody.coin WHERE address = $1 AND account = 2 AND spent_by IS NULL`, change); n != 1 {
		t.Errorf("the house has %d coins of its vault's change", n)
	}
}

func TestRefillsThatAreNone(t *testing.T) {
	h := ready(t, "BTC")
	w := h.refill(50_000)
	h.do(w.ID, custody.WithdrawalApproved, "screen")
	if p, err := h.desk.Reserve(t.Context(), w.ID); !errors.Is(err, custody.ErrHotWallet) || p.State != custody.WithdrawalApproved {
		t.Errorf("out of an empty vault: %+v, %v", p, err)
	}
	for name, wrong := range map[string]custodydb.Refill{
		"another amount":  {ID: w.ID, Asset: "BTC", Vault: "cold-1", Amount: units(1)},
		"a sweep's id":    {ID: "swp_1n1", Asset: "BTC", Vault: "cold-1", Amount: units(1)},
		"of nothing":      {ID: "rfl_2n1", Asset: "BTC", Vault: "cold-1"},
		"of what is not":  {ID: "rfl_2n1", Asset: "XYZ", Vault: "cold-1", Amount: units(1)},
		"out of no vault": {ID: "rfl_2n1", Asset: "BTC", Amount: units(1)},
	} {
		if err := h.store.OpenRefill(t.Context(), wrong); err == nil {
			t.Errorf("%s: it is open", name)
		}
	}
}

// A vault pays somebody outside: its account goes down, what the house paid goes up, and its
// change stays its own.
func TestAVaultPaysOutside(t *testing.T) {
	h := ready(t, "BTC")
	s, info := h.sweep("swp_1n1", "BTC")
	h.do(s.ID, custody.WithdrawalApproved, "screen")
	h.walkOut(s.ID, info.Chain)
	before := h.standing("BTC")
	to := h.outside("BTC", "auditor")
	w := custodydb.ColdSpend{ID: "csp_1", Asset: "BTC", Vault: "cold-1", To: to, Amount: units(50_000), Requester: "ada", Purpose: "the audit"}
	for range 2 {
		h.must(h.store.OpenColdSpend(t.Context(), w))
	}
	h.do(w.ID, custody.WithdrawalReserved, "screen", "reserve")
	h.signer.refuse = custody.ErrConsent
	if p, err := h.desk.Sign(t.Context(), w.ID); !errors.Is(err, custody.ErrConsent) || p.State != custody.WithdrawalReserved {
		t.Fatalf("without cosigners: %+v, %v", p, err)
	}
	h.signer.refuse = nil
	h.do(w.ID, custody.WithdrawalBroadcast, "sign", "send")
	h.pass(100 * time.Hour)
	h.do(w.ID, custody.WithdrawalBroadcast, "observe") // another bid would take its cosigners once more
	h.mine(info.Chain, finalDepth)
	h.do(w.ID, custody.WithdrawalPosted, "observe", "settle", "settle")
	after := h.standing("BTC")
	if after.Hot != before.Hot {
		t.Errorf("the hot wallet had %s and has %s", before.Hot, after.Hot)
	}
	if left := after.Vaults["cold-1"]; left != units(200_000-50_000-vaultFee) {
		t.Errorf("the vault has %s left", left)
	}
	if has := h.chains[utxo].Balance(to, ""); has != units(50_000) {
		t.Errorf("the destination has %s", has)
	}
	paid := h.balance(custody.PaidByHouseAccount("BTC"))
	if paid.DebitsPosted != units(50_000) || !paid.CreditsPosted.IsZero() {
		t.Errorf("the book has %s paid and %s back", paid.DebitsPosted, paid.CreditsPosted)
	}
	h.hotWalletAgrees(info)
}

func TestPaymentsOutOfVaultsThatAreNone(t *testing.T) {
	h := ready(t, "BTC")
	to := h.outside("BTC", "auditor")
	good := custodydb.ColdSpend{ID: "csp_1", Asset: "BTC", Vault: "cold-1", To: to, Amount: units(50_000), Requester: "ada", Purpose: "the audit"}
	h.must(h.store.OpenColdSpend(t.Context(), good))
	hot, err := h.store.HotAddress(t.Context(), utxo)
	h.must(err)
	for name, change := range map[string]func(w *custodydb.ColdSpend){
		"another amount":    func(w *custodydb.ColdSpend) { w.Amount = units(1_000) },
		"another asker":     func(w *custodydb.ColdSpend) { w.Requester = "bob" },
		"a refill's id":     func(w *custodydb.ColdSpend) { w.ID = "rfl_2n1" },
		"nothing":           func(w *custodydb.ColdSpend) { w.ID, w.Amount = "csp_2", units(0) },
		"customers' money":  func(w *custodydb.ColdSpend) { w.ID, w.Amount = "csp_2", units(5*big) },
		"by nobody":         func(w *custodydb.ColdSpend) { w.ID, w.Requester = "csp_2", "" },
		"to the hot wallet": func(w *custodydb.ColdSpend) { w.ID, w.To = "csp_2", hot.Address },
		"out of accounts":   func(w *custodydb.ColdSpend) { w.ID, w.Asset, w.To = "csp_2", "ETH", h.outside("ETH", "auditor") },
		"of what is not":    func(w *custodydb.ColdSpend) { w.ID, w.Asset = "csp_2", "XYZ" },
		"out of no vault":   func(w *custodydb.ColdSpend) { w.ID, w.Vault = "csp_2", "" },
	} {
		wrong := good
		change(&wrong)
		if err := h.store.OpenColdSpend(t.Context(), wrong); err == nil {
			t.Errorf("%s: it is open", name)
		}
	}
}
