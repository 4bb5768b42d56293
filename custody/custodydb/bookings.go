package custodydb

import (
	"context"
	"fmt"
	"strings"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/ledger"
	"strongroom/money"
)

// bookID is the id of a ledger transaction of an intent: "wdr/wdr_…/hold".
func bookID(intent, act string) string { return prefixOf(intent) + "/" + intent + "/" + act }

// What begins the ids of sweeps and refills.
const (
	sweepPrefix  = "swp"
	refillPrefix = "rfl"
	spendPrefix  = "csp"
)

// prefixOf is what of an intent's id tells its kind: "wdr" of "wdr_…".
func prefixOf(intent string) string {
	kind, _, _ := strings.Cut(intent, "_")
	return kind
}

func transferID(intent, act, leg string) ledger.TransferID {
	return ledger.TransferID(bookID(intent, act) + "/" + leg)
}

// openHouse opens the accounts that an asset's withdrawals book on, once per process.
func (s *Store) openHouse(ctx context.Context, asset custody.AssetInfo) error {
	if _, done := s.opened.Load(asset.Code); done {
		return nil
	}
	if err := s.cfg.Ledger.Open(ctx, custody.HouseAccounts(asset)...); err != nil {
		return fmt.Errorf("open accounts of %s: %w", asset.Code, err)
	}
	s.opened.Store(asset.Code, true)
	return nil
}

// resolve returns the legs that post or void what a withdrawal holds.
func resolve(r IntentRow, kind ledger.Kind, act string) []ledger.Transfer {
	names := []string{"amount"}
	if !r.Fee.IsZero() {
		names = append(names, "fee")
	}
	legs := make([]ledger.Transfer, 0, len(names)+2)
	for _, name := range names {
		legs = append(legs, ledger.Transfer{
			ID: transferID(r.ID, act, name), Kind: kind, Pending: transferID(r.ID, "hold", name),
		})
	}
	return legs
}

// releaseTransaction gives a withdrawal's hold back.
func releaseTransaction(r IntentRow) ledger.Transaction {
	return ledger.Transaction{
		ID: bookID(r.ID, "void"), Legs: resolve(r, ledger.Void, "void"), Metadata: map[string]string{"withdrawal": r.ID},
	}
}

// Mined is the transaction of an intent that counts, as the book must know it.
type Mined struct {
	TxID string
	Fee  money.Units // what it cost the house, in the native asset
	// Spent is all that it consumed, on chains of coins.
	Spent money.Units
}

// settleTransaction books a payment that is final on chain: the hold is posted
// through the clearing account to the hot wallet, the network's fee is ours.
func settleTransaction(r IntentRow, native string, mined Mined) ledger.Transaction {
	tx := ledger.Transaction{ID: bookID(r.ID, "post"), Metadata: map[string]string{"intent": r.ID, "txid": mined.TxID}}
	custodyLeg := func(debit, credit ledger.AccountID, amount money.Units) {
		tx.Legs = append(tx.Legs, ledger.Transfer{
			ID: transferID(r.ID, "post", "custody"), Kind: ledger.Single, Debit: debit, Credit: credit, Amount: amount,
		})
	}
	hot, deposits := custody.HotAccount(r.Chain, r.Asset), custody.DepositsAccount(r.Chain, r.Asset)
	switch r.Kind { //nolint:exhaustive // a cancellation is no intent of its own
	case custody.IntentWithdrawal:
		tx.Legs = resolve(r, ledger.Post, "post")
		custodyLeg(custody.ClearingAccount(r.Chain, r.Asset), hot, r.Amount)
	case custody.IntentCollect:
		amount := r.Amount
		if r.ofCoins() {
			amount = mined.Spent
		}
		custodyLeg(hot, deposits, amount)
	case custody.IntentGasTopUp:
		custodyLeg(deposits, hot, r.Amount)
	case custody.IntentSweep:
		custodyLeg(custody.VaultAccount(r.Chain, r.Asset, r.Vault), hot, r.Amount)
	case custody.IntentRefill:
		custodyLeg(hot, custody.VaultAccount(r.Chain, r.Asset, r.Vault), r.Amount)
	case custody.IntentColdSpend:
		custodyLeg(custody.PaidByHouseAccount(r.Asset), custody.VaultAccount(r.Chain, r.Asset, r.Vault), r.Amount)
	case custody.IntentConsolidate: // nothing but its fee leaves the hot wallet
	}
	tx.Legs = append(tx.Legs, networkFee(r, native, "post", mined.Fee)...)
	return tx
}

// revertTransaction gives the hold back of a payment that failed on chain, and
// books what the failure cost.
func revertTransaction(r IntentRow, native string, mined Mined) ledger.Transaction {
	tx := ledger.Transaction{ID: bookID(r.ID, "void"), Metadata: map[string]string{"intent": r.ID, "txid": mined.TxID}}
	if r.Kind == custody.IntentWithdrawal {
		tx.Legs = resolve(r, ledger.Void, "void")
	}
	if r.ofCoins() { // taken back: what that spent is in the hot wallet
		tx.Legs = append(tx.Legs, ledger.Transfer{
			ID: transferID(r.ID, "void", "custody"), Kind: ledger.Single, Amount: mined.Spent,
			Debit: custody.HotAccount(r.Chain, r.Asset), Credit: custody.DepositsAccount(r.Chain, r.Asset),
		})
	}
	tx.Legs = append(tx.Legs, networkFee(r, native, "void", mined.Fee)...)
	return tx
}

// ofCoins reports whether a collection spends coins. All of them arrive in the hot
// wallet, less a fee that depends on which attempt is mined: so that is where the
// fee is booked, and what leaves the deposit addresses is the same for all attempts.
func (r IntentRow) ofCoins() bool { return r.Kind == custody.IntentCollect && r.From == "" }

// networkFee is paid by the wallet that sent. That of a collection from an account
// is the deposit address, that of a refill out of coins the vault.
func networkFee(r IntentRow, native, act string, fee money.Units) []ledger.Transfer {
	if fee.IsZero() {
		return nil
	}
	payer := custody.HotAccount(r.Chain, native)
	switch {
	case r.Kind == custody.IntentCollect && !r.ofCoins():
		payer = custody.DepositsAccount(r.Chain, native)
	case r.Kind.FromVault() && r.From == "":
		payer = custody.VaultAccount(r.Chain, native, r.Vault)
	}
	return []ledger.Transfer{{
		ID: transferID(r.ID, act, "network"), Kind: ledger.Single,
		Debit: custody.NetworkFeesAccount(native), Credit: payer, Amount: fee,
	}}
}

// nativeOf returns the code of the asset that pays for a chain's transactions.
func (s *Store) nativeOf(chain chainadapters.ChainID, asset string) (string, error) {
	info, ok := s.cfg.Assets.AssetByCode(asset)
	if !ok || info.Native == "" {
		return "", fmt.Errorf("native asset of %s: %w", chain, custody.ErrAsset)
	}
	return info.Native, nil
}
