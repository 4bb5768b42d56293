package custody_test

import (
	"testing"
	"time"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/ledger"
)

func TestConfirmationsCountBothEnds(t *testing.T) {
	for _, c := range []struct{ height, cursor, want uint64 }{{5, 5, 1}, {5, 7, 3}, {6, 5, 0}, {0, 0, 1}, {1, 100, 100}} {
		if got := custody.Confirmations(c.height, c.cursor); got != c.want {
			t.Errorf("block %d below %d: %d confirmations, want %d", c.height, c.cursor, got, c.want)
		}
	}
}

func TestLookAlikeOfShortBodies(t *testing.T) {
	for _, c := range []struct {
		known, given string
		alike        bool
	}{
		{"0x12345678", "0x1234x5678", true}, // just long enough for both ends
		{"0x1234567", "0x12344444567", false},
		{"0xabcd1234", "0xABCD1234", true},
	} {
		if custody.LookAlike(c.known, c.given) != c.alike || custody.LookAlike(c.given, c.known) != c.alike {
			t.Errorf("%s and %s: want %v", c.known, c.given, c.alike)
		}
	}
}

func TestOldFailureOfNobodyDoesNotRest(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	until, reason := gasPolicy().Rests(custody.GasUse{LastFailed: now}, now)
	if !until.IsZero() || reason != "" {
		t.Errorf("rests until %s: %q", until, reason)
	}
}

func TestFewestCoinsAreMerged(t *testing.T) {
	p := mergePolicy()
	p.Most = 3
	plan, reason, err := custody.PlanConsolidation(hotOf(many(hotCoins, 10_000)...), p, lowRate, mergeFee)
	if err != nil || reason != "" || len(plan.Coins) != p.Most {
		t.Errorf("%d coins, %q, %v", len(plan.Coins), reason, err)
	}
}

// TestAccountNames holds the names fast: they are in every book that exists.
func TestAccountNames(t *testing.T) {
	const chain chainadapters.ChainID = "c"
	for want, got := range map[ledger.AccountID]ledger.AccountID{
		"customer/u/A/funding":     custody.FundingAccount("u", "A"),
		"customer/u/A/maturing":    custody.MaturingAccount("u", "A"),
		"customer/u/A/debt":        custody.DebtAccount("u", "A"),
		"house/A/equity":           custody.EquityAccount("A"),
		"clearing/c/A/withdrawals": custody.ClearingAccount(chain, "A"),
		"custody/c/A/hot":          custody.HotAccount(chain, "A"),
		"custody/c/A/deposits":     custody.DepositsAccount(chain, "A"),
		"income/withdrawal_fees/A": custody.WithdrawalFeesAccount("A"),
		"expense/network_fees/A":   custody.NetworkFeesAccount("A"),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestAccountsOfAnAsset(t *testing.T) {
	list := custody.HouseAccounts(custody.AssetInfo{Native: "N"})
	if len(list) != 7 {
		t.Errorf("a token needs %d accounts of the house, want 7", len(list))
	}
	token := custody.AssetInfo{Native: "N", Contract: "0x1"}
	native := custody.AssetInfo{}
	if list := custody.HouseAccounts(native); len(list) != 5 || !native.IsNative() || token.IsNative() {
		t.Errorf("a native asset needs %d accounts of the house, want 5", len(list))
	}
}
