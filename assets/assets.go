// Package assets is the registry of what the platform keeps: on which chain an
// asset lives, how many decimals it has, and the thresholds under which it is
// credited, released and paid out. It holds no balance and talks to no chain.
package assets

import (
	"context"
	"errors"
	"fmt"

	"strongroom/chainadapters"
	"strongroom/money"
)

// Errors of the registry.
var (
	// ErrInvalid reports a definition that contradicts itself or the schema.
	ErrInvalid = errors.New("asset definition is not valid")
	// ErrConflict reports a definition whose unchangeable part (chain, contract,
	// scale, native) differs from the stored one: balances depend on it.
	ErrConflict = errors.New("asset is registered with another identity")
	// ErrNotFound reports a code that is not registered.
	ErrNotFound = errors.New("asset is not registered")
)

// State says what customers may do with an asset.
type State string

// The listing states.
const (
	Listed       State = "listed"
	DepositsOnly State = "deposits_only" // no withdrawals
	Suspended    State = "suspended"     // no new addresses, no withdrawals; arrivals are still recorded
)

// Tier is the pair of confirmation thresholds for amounts up to a bound. Depth
// is counted as money.md does: the block that holds the transaction is depth 1.
type Tier struct {
	// UpTo is the largest amount of the tier; zero for any. Only the last tier
	// has zero.
	UpTo money.Units `json:"upTo"`
	// CreditDepth is when a deposit may be traded with.
	CreditDepth uint64 `json:"creditDepth"`
	// WithdrawableDepth is when it may leave again; never below CreditDepth.
	WithdrawableDepth uint64 `json:"withdrawableDepth"`
}

// Asset is one entry of the registry. Amounts are in base units.
type Asset struct {
	Code     string
	Name     string
	Chain    chainadapters.ChainID
	Contract string // canonical token contract; empty for the native asset
	Scale    uint8
	Native   bool
	// MinDeposit is the dust line: a smaller arrival is recorded, never credited.
	MinDeposit    money.Units
	MinWithdrawal money.Units
	WithdrawalFee money.Units // what the customer pays, in the same asset
	Tiers         []Tier      // ascending by UpTo, the last without bound
	// FinalDepth is when an outgoing payment counts as final.
	FinalDepth uint64
	// DailyLimit is the most one customer may withdraw in 24 hours; zero for no
	// limit.
	DailyLimit money.Units
	State      State
	Traits     []Trait // of tokens; empty for one that keeps to the standard
}

// Money returns the part that package money needs.
func (a Asset) Money() money.Asset { return money.Asset{Code: a.Code, Scale: a.Scale} }

// Tier returns the thresholds for an amount.
func (a Asset) Tier(amount money.Units) Tier {
	for _, t := range a.Tiers {
		if t.UpTo.IsZero() || !t.UpTo.Less(amount) {
			return t
		}
	}
	return a.Tiers[len(a.Tiers)-1] // validated: the last tier has no bound
}

// Accepts reports whether new deposit addresses are given out.
func (a Asset) Accepts() bool { return a.State == Listed || a.State == DepositsOnly }

// Pays reports whether withdrawals are taken.
func (a Asset) Pays() bool { return a.State == Listed }

// SameIdentity reports whether what balances depend on is equal.
func (a Asset) SameIdentity(b Asset) bool {
	return a.Code == b.Code && a.Chain == b.Chain && a.Contract == b.Contract && a.Scale == b.Scale && a.Native == b.Native
}

// Catalog reads the registry.
type Catalog interface {
	All(ctx context.Context) ([]Asset, error)
	ByCode(ctx context.Context, code string) (Asset, error)
}

// Bounds of a definition.
const (
	maxAssets   = 4096
	maxCode     = 12
	maxName     = 64
	maxChain    = 32
	maxContract = 128
	maxScale    = 18
	maxTiers    = 8
	maxDepth    = 10_000
)

// Validate reports the first contradiction. Errors wrap ErrInvalid.
func (a Asset) Validate() error {
	checks := []struct {
		ok   bool
		what string
	}{
		{textOK(a.Code, maxCode, isCodeByte) && a.Code[0] >= 'A' && a.Code[0] <= 'Z', "code: want 1 to 12 of A-Z and 0-9, a letter first"},
		{a.Name != "" && textOK(a.Name, maxName, isPrint), "name: want 1 to 64 printable ASCII characters"},
		{textOK(string(a.Chain), maxChain, isChainByte), "chain: want 1 to 32 of a-z, 0-9 and '-'"},
		{a.Native == (a.Contract == ""), "contract: a token has one, a native asset has none"},
		{a.Contract == "" || textOK(a.Contract, maxContract, isPrint), "contract: want printable ASCII without spaces"},
		{a.Scale <= maxScale, "scale: want at most 18"},
		{!a.MinDeposit.IsZero(), "minDeposit: want more than zero"},
		{!a.MinWithdrawal.IsZero(), "minWithdrawal: want more than zero"},
		{a.FinalDepth >= 1 && a.FinalDepth <= maxDepth, "finalDepth: want 1 to 10000"},
		{a.DailyLimit.IsZero() || !a.DailyLimit.Less(a.MinWithdrawal), "dailyLimit: want at least minWithdrawal, or zero for no limit"},
		{a.State == Listed || a.State == DepositsOnly || a.State == Suspended, "state: want listed, deposits_only or suspended"},
	}
	for _, c := range checks {
		if !c.ok {
			return fmt.Errorf("%w: %.12q: %s", ErrInvalid, a.Code, c.what)
		}
	}
	if err := a.validateTraits(); err != nil {
		return err
	}
	return a.validateTiers()
}

func (a Asset) validateTiers() error {
	if len(a.Tiers) == 0 || len(a.Tiers) > maxTiers {
		return fmt.Errorf("%w: %q: tiers: want 1 to %d", ErrInvalid, a.Code, maxTiers)
	}
	for i, t := range a.Tiers {
		last := i == len(a.Tiers)-1
		ascending := i == 0 || last || a.Tiers[i-1].UpTo.Less(t.UpTo)
		rising := i == 0 || (t.CreditDepth >= a.Tiers[i-1].CreditDepth && t.WithdrawableDepth >= a.Tiers[i-1].WithdrawableDepth)
		switch {
		case t.UpTo.IsZero() != last:
			return fmt.Errorf("%w: %q: tiers[%d].upTo: the last tier, and no other, has no bound", ErrInvalid, a.Code, i)
		case !ascending || !rising:
			return fmt.Errorf("%w: %q: tiers[%d]: want bounds and depths that rise", ErrInvalid, a.Code, i)
		case t.CreditDepth < 1, t.WithdrawableDepth < t.CreditDepth, t.WithdrawableDepth > maxDepth:
			return fmt.Errorf("%w: %q: tiers[%d]: want 1 <= creditDepth <= withdrawableDepth <= %d", ErrInvalid, a.Code, i, maxDepth)
		}
	}
	return nil
}

func textOK(s string, longest int, ok func(byte) bool) bool {
	if s == "" || len(s) > longest {
		return false
	}
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

func isCodeByte(b byte) bool  { return (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') }
func isChainByte(b byte) bool { return (b >= 'a' && b <= 'z') || (b >= '0' && b <= '9') || b == '-' }
func isPrint(b byte) bool     { return b >= ' ' && b <= '~' }
