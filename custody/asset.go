package custody

import (
	"strongroom/chainadapters"
	"strongroom/money"
)

// AssetState is what may be done with an asset.
type AssetState string

// The states of an asset, as custody sees them.
const (
	AssetListed       AssetState = "listed"        // deposits and withdrawals
	AssetDepositsOnly AssetState = "deposits_only" // nothing new is paid out
	AssetSuspended    AssetState = "suspended"     // neither
)

// Tier says how many confirmations an amount up to UpTo needs.
type Tier struct {
	UpTo          money.Units // inclusive; zero for any amount
	CreditDepth   uint64      // confirmations before it is credited
	WithdrawDepth uint64      // confirmations before it may be withdrawn
}

// AssetInfo is what custody must know of an asset on its chain. All amounts are
// base units of the asset.
type AssetInfo struct {
	money.Asset
	Chain         chainadapters.ChainID
	Contract      string // canonical token contract; empty for the native asset
	Native        string // code of the asset that pays for gas on Chain
	MinDeposit    money.Units
	MinWithdrawal money.Units
	WithdrawalFee money.Units // what a customer pays for a withdrawal
	DailyLimit    money.Units // per customer in any 24 hours; zero for none
	AutoLimit     money.Units // largest withdrawal that needs no person; zero for any
	Tiers         []Tier      // by rising UpTo
	FinalDepth    uint64      // confirmations at which our own transaction is final
	State         AssetState
	// FeeOnTransfer tells that the token keeps part of each transfer: what arrived is
	// credited, and it is not collected, because less would arrive than is booked.
	FeeOnTransfer bool
}

// IsNative reports whether the asset pays for gas itself.
func (a AssetInfo) IsNative() bool { return a.Contract == "" }

// TierOf returns the tier of an amount: the first whose UpTo it does not exceed,
// else the last. An asset without tiers waits for FinalDepth both times.
func (a AssetInfo) TierOf(amount money.Units) Tier {
	for _, tier := range a.Tiers {
		if tier.UpTo.IsZero() || !tier.UpTo.Less(amount) {
			return tier
		}
	}
	if n := len(a.Tiers); n > 0 {
		return a.Tiers[n-1]
	}
	return Tier{CreditDepth: a.FinalDepth, WithdrawDepth: a.FinalDepth}
}

// Assets is custody's view of the asset registry. Implementations MUST be safe
// for concurrent use.
type Assets interface {
	// AssetByCode returns the asset, or false where the platform has none.
	AssetByCode(code string) (AssetInfo, bool)
	// AssetsOf returns the assets of a chain in any state, in a stable order.
	AssetsOf(chain chainadapters.ChainID) []AssetInfo
}
