package custody

import "strongroom/ledger"

// MaturingAccount is what a customer was credited and may not withdraw yet.
func MaturingAccount(customer, asset string) ledger.AccountID {
	return ledger.AccountID("customer/" + customer + "/" + asset + "/maturing")
}

// DebtAccount is what a customer owes after a reorganisation took back more than
// was left.
func DebtAccount(customer, asset string) ledger.AccountID {
	return ledger.AccountID("customer/" + customer + "/" + asset + "/debt")
}

// EquityAccount is what the house itself put in, in one asset.
func EquityAccount(asset string) ledger.AccountID {
	return ledger.AccountID("house/" + asset + "/equity")
}

// CustomerAccounts are the accounts of a customer in an asset. None may go below
// zero.
func CustomerAccounts(customer, asset string) []ledger.Account {
	return []ledger.Account{
		{ID: FundingAccount(customer, asset), Asset: asset, Class: ledger.Liability},
		{ID: MaturingAccount(customer, asset), Asset: asset, Class: ledger.Liability},
		{ID: DebtAccount(customer, asset), Asset: asset, Class: ledger.Asset},
	}
}

// FundingAccounts are the accounts on which the house's own money is booked: it
// bears what a reorganisation takes from it, below zero too.
func FundingAccounts(a AssetInfo) []ledger.Account {
	return []ledger.Account{{ID: EquityAccount(a.Code), Asset: a.Code, Class: ledger.Equity, MayOverdraw: true}}
}
