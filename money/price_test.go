package money_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"strongroom/money"
)

func TestPriceCost(t *testing.T) {
	usd := money.Asset{Code: "USD", Scale: 2}
	for _, c := range []struct {
		price    string
		base     uint64
		down, up string
	}{
		{"64123.45", 100_000_000, "6412345", "6412345"},
		{"64123.45", 1, "0", "1"},
		{"0.01", 50_000_000, "0", "1"},
		{"1", 123_456_789, "123", "124"},
	} {
		p, err := money.ParsePrice(btc(), usd, c.price)
		if err != nil {
			t.Fatal(err)
		}
		base := money.FromUint64(c.base)
		down, err1 := p.Cost(base, money.Down)
		up, err2 := p.Cost(base, money.Up)
		if err := errors.Join(err1, err2); err != nil || down.String() != c.down || up.String() != c.up {
			t.Errorf("%d at %s = %s down, %s up, %v; want %s, %s", c.base, p, down, up, err, c.down, c.up)
		}
	}
}

func TestPriceRefusesWhatIsNoPrice(t *testing.T) {
	for s, want := range map[string]error{
		"0": money.ErrRange, "0.00": money.ErrRange, "-1": money.ErrSyntax, "1e3": money.ErrSyntax, "": money.ErrSyntax,
	} {
		if _, err := money.ParsePrice(btc(), yen(), s); !errors.Is(err, want) {
			t.Errorf("%q: %v; want %v", s, err, want)
		}
	}
}

// Charging never charges less than paying for the same trade.
func TestUpIsNeverBelowDown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, err := money.ParsePrice(eth(), btc(), rapid.StringMatching(`[1-9][0-9]{0,5}\.[0-9]{1,10}`).Draw(t, "price"))
		if err != nil {
			t.Fatal(err)
		}
		base := money.FromUint64(rapid.Uint64().Draw(t, "base"))
		down, err1 := p.Cost(base, money.Down)
		up, err2 := p.Cost(base, money.Up)
		if err := errors.Join(err1, err2); err != nil || up.Less(down) {
			t.Fatalf("down %s, up %s, %v", down, up, err)
		}
	})
}
