package custody_test

import (
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strongroom/custody"
	"strongroom/money"
)

func intent() custody.Intent {
	return custody.Intent{
		Environment: "dev", ID: "wdr_1", Kind: custody.IntentWithdrawal, Chain: "ethereum-dev",
		Asset: "TUSD", Contract: "0xc", To: "0xd", Amount: money.FromUint64(10),
	}
}

// TestHashCoversEveryField would notice a field that consent does not bind.
func TestHashCoversEveryField(t *testing.T) {
	base := intent().Hash()
	for name, change := range map[string]func(*custody.Intent){
		"environment": func(i *custody.Intent) { i.Environment = "prod" },
		"id":          func(i *custody.Intent) { i.ID = "wdr_2" },
		"kind":        func(i *custody.Intent) { i.Kind = custody.IntentCollect },
		"chain":       func(i *custody.Intent) { i.Chain = "ethereum-main" },
		"asset":       func(i *custody.Intent) { i.Asset = "ETH" },
		"contract":    func(i *custody.Intent) { i.Contract = "" },
		"to":          func(i *custody.Intent) { i.To = "0xe" },
		"amount":      func(i *custody.Intent) { i.Amount = money.FromUint64(11) },
	} {
		changed := intent()
		change(&changed)
		if changed.Hash() == base {
			t.Errorf("%s is not in the hash", name)
		}
	}
}

// TestHashIsStable pins the form: a hash that moved would void recorded consent.
func TestHashIsStable(t *testing.T) {
	h := intent().Hash()
	const want = "1a6810f1224a00da13f16e96e53f28537e5afe6baa77612ae70f2ef5c9d3a36a"
	if got := hex.EncodeToString(h[:]); got != want {
		t.Errorf("hash is %s, was %s", got, want)
	}
}

func TestBytesOfFieldsDoNotRunTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-c]{0,3}`)
		draw := func(name string) custody.Intent {
			return custody.Intent{
				ID: word.Draw(t, name+" id"), Asset: word.Draw(t, name+" asset"),
				Contract: word.Draw(t, name+" contract"), To: word.Draw(t, name+" to"),
			}
		}
		a, b := draw("a"), draw("b")
		if (string(a.Bytes()) == string(b.Bytes())) != (a == b) {
			t.Fatalf("%+v and %+v", a, b)
		}
	})
}

func TestDailyLimit(t *testing.T) {
	u := money.FromUint64
	for _, c := range []struct {
		limit, used, amount uint64
		ok                  bool
	}{{0, 100, 100, true}, {10, 0, 10, true}, {10, 1, 10, false}, {10, 10, 0, true}, {10, 9, 1, true}, {10, 11, 0, false}} {
		err := custody.CheckDaily(u(c.limit), u(c.used), u(c.amount))
		if (err == nil) != c.ok || (err != nil && !errors.Is(err, custody.ErrLimit)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	most := money.FromBytes32([32]byte{0: 255, 31: 255})
	if err := custody.CheckDaily(most, most, most); !errors.Is(err, custody.ErrLimit) {
		t.Errorf("a sum beyond 256 bits: %v", err)
	}
}

// TestWindowHasNoZone would notice a window by calendar day or in local time.
func TestWindowHasNoZone(t *testing.T) {
	now := time.Date(2026, 3, 29, 3, 30, 0, 0, time.FixedZone("summer", 2*3600))
	if got := custody.WindowStart(now); !got.Equal(now.Add(-24*time.Hour)) || got.Location() != time.UTC {
		t.Errorf("window of %s starts %s", now, got)
	}
}

func TestTierOf(t *testing.T) {
	u := money.FromUint64
	a := custody.AssetInfo{FinalDepth: 9, Tiers: []custody.Tier{{UpTo: u(10), CreditDepth: 1}, {UpTo: u(100), CreditDepth: 2}}}
	for amount, want := range map[uint64]uint64{1: 1, 10: 1, 11: 2, 100: 2, 101: 2} {
		if got := a.TierOf(u(amount)); got.CreditDepth != want {
			t.Errorf("%d waits for %d", amount, got.CreditDepth)
		}
	}
	a.Tiers = nil
	if got := a.TierOf(u(5)); got.CreditDepth != 9 || got.WithdrawDepth != 9 {
		t.Errorf("without tiers: %+v", got)
	}
}
