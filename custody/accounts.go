package custody

import (
	"strongroom/chainadapters"
	"strongroom/ledger"
)

// FundingAccount is what a customer owns and may use, in one asset.
func FundingAccount(customer, asset string) ledger.AccountID {
	return ledger.AccountID("customer/" + customer + "/" + asset + "/funding")
}

// ClearingAccount is between a customer's hold and the payment from the hot
// wallet: a hold must not wait for the hot wallet to be filled, so it is not held
// there. It is empty whenever no withdrawal is being posted.
func ClearingAccount(chain chainadapters.ChainID, asset string) ledger.AccountID {
	return ledger.AccountID("clearing/" + string(chain) + "/" + asset + "/withdrawals")
}

// HotAccount is what the hot wallet holds of an asset, by the book.
func HotAccount(chain chainadapters.ChainID, asset string) ledger.AccountID {
	return ledger.AccountID("custody/" + string(chain) + "/" + asset + "/hot")
}

// DepositsAccount is what lies at deposit addresses and is not collected yet, by
// the book.
func DepositsAccount(chain chainadapters.ChainID, asset string) ledger.AccountID {
	return ledger.AccountID("custody/" + string(chain) + "/" + asset + "/deposits")
}

// VaultAccount is what a warm or cold vault holds of an asset, by the book.
func VaultAccount(chain chainadapters.ChainID, asset, vault string) ledger.AccountID {
	return ledger.AccountID("custody/" + string(chain) + "/" + asset + "/vault/" + vault)
}

// WithdrawalFeesAccount is what the house has earned by withdrawals.
func WithdrawalFeesAccount(asset string) ledger.AccountID {
	return ledger.AccountID("income/withdrawal_fees/" + asset)
}

// PaidByHouseAccount is what the house has paid out of its vaults for its own purposes:
// money that left for good, by people's consent.
func PaidByHouseAccount(asset string) ledger.AccountID {
	return ledger.AccountID("expense/paid_by_house/" + asset)
}

// NetworkFeesAccount is what the house has paid to miners and validators.
func NetworkFeesAccount(asset string) ledger.AccountID {
	return ledger.AccountID("expense/network_fees/" + asset)
}

// HouseAccounts returns the accounts that withdrawals and collections of an asset
// book on, each once, for opening them.
func HouseAccounts(a AssetInfo) []ledger.Account {
	accounts := []ledger.Account{
		{ID: ClearingAccount(a.Chain, a.Code), Asset: a.Code, Class: ledger.Liability},
		{ID: HotAccount(a.Chain, a.Code), Asset: a.Code, Class: ledger.Asset},
		{ID: DepositsAccount(a.Chain, a.Code), Asset: a.Code, Class: ledger.Asset},
		{ID: WithdrawalFeesAccount(a.Code), Asset: a.Code, Class: ledger.Income},
		{ID: NetworkFeesAccount(a.Native), Asset: a.Native, Class: ledger.Expense},
	}
	if a.Native == a.Code {
		return accounts
	}
	return append(accounts,
		ledger.Account{ID: HotAccount(a.Chain, a.Native), Asset: a.Native, Class: ledger.Asset},
		ledger.Account{ID: DepositsAccount(a.Chain, a.Native), Asset: a.Native, Class: ledger.Asset})
}
