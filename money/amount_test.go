package money_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"strongroom/money"
)

func btc() money.Asset { return money.Asset{Code: "BTC", Scale: 8} }
func eth() money.Asset { return money.Asset{Code: "ETH", Scale: 18} }
func yen() money.Asset { return money.Asset{Code: "JPY", Scale: 0} }

func TestParseAmount(t *testing.T) {
	for _, c := range []struct {
		asset money.Asset
		text  string
		want  string
		err   error
	}{
		{btc(), "0", "0", nil},
		{btc(), "1", "100000000", nil},
		{btc(), "0.00000001", "1", nil},
		{btc(), "21000000.00000000", "2100000000000000", nil},
		{eth(), "1.000000000000000001", "1000000000000000001", nil},
		{yen(), "500", "500", nil},
		{yen(), "500.0", "", money.ErrScale},
		{btc(), "0.000000001", "", money.ErrScale},
		{btc(), "1.000000000", "", money.ErrScale},
		{btc(), "", "", money.ErrSyntax},
		{btc(), ".5", "", money.ErrSyntax},
		{btc(), "5.", "", money.ErrSyntax},
		{btc(), "+1", "", money.ErrSyntax},
		{btc(), "-1", "", money.ErrSyntax},
		{btc(), "1e8", "", money.ErrSyntax},
		{btc(), "1e10000", "", money.ErrSyntax},
		{btc(), "00012", "", money.ErrSyntax},
		{btc(), "1,5", "", money.ErrSyntax},
		{btc(), "1.5 ", "", money.ErrSyntax},
		{btc(), "1.5.0", "", money.ErrSyntax},
		{btc(), "NaN", "", money.ErrSyntax},
		{btc(), "0x10", "", money.ErrSyntax},
		{btc(), "１", "", money.ErrSyntax},
		{btc(), strings.Repeat("9", 31), "", money.ErrSyntax},
		{eth(), "1." + strings.Repeat("0", 19), "", money.ErrSyntax},
	} {
		got, err := c.asset.Parse(c.text)
		if !errors.Is(err, c.err) || (err == nil && got.String() != c.want) {
			t.Errorf("%s %q = %s, %v; want %s, %v", c.asset.Code, c.text, got, err, c.want, c.err)
		}
	}
}

func TestFormatIsTheInverseOfParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		asset := money.Asset{Code: "X", Scale: uint8(rapid.IntRange(0, 18).Draw(t, "scale"))}
		u := money.FromUint64(rapid.Uint64().Draw(t, "units"))
		text := asset.Format(u)
		if got, err := asset.Parse(text); err != nil || got != u {
			t.Fatalf("%s at scale %d -> %q -> %s, %v", u, asset.Scale, text, got, err)
		}
		if strings.Contains(text, ".") && strings.HasSuffix(text, "0") {
			t.Fatalf("%q has trailing zeros", text)
		}
	})
	if got := (money.Amount{Asset: btc(), Units: money.FromUint64(150_000_000)}).String(); got != "1.5 BTC" {
		t.Errorf("amount prints as %q", got)
	}
}

// The hand-written reader accepts exactly what the published expression does.
func FuzzParseAmount(f *testing.F) {
	for _, s := range []string{"0", "1.5", "00", ".5", "1e3", "999999999999999999999999999999.999999999999999999"} {
		f.Add(s, uint8(8))
	}
	grammar := regexp.MustCompile(`^(0|[1-9][0-9]{0,29})(\.[0-9]{1,18})?$`)
	f.Fuzz(func(t *testing.T, s string, scale uint8) {
		asset := money.Asset{Code: "X", Scale: scale % 19}
		u, err := asset.Parse(s)
		legal := len(s) <= 40 && grammar.MatchString(s)
		if legal == errors.Is(err, money.ErrSyntax) {
			t.Fatalf("%q: grammar says %v, parser says %v", s, legal, err)
		}
		if err != nil {
			return
		}
		back, err := asset.Parse(asset.Format(u))
		if err != nil || back != u {
			t.Fatalf("%q -> %s -> %s, %v", s, u, back, err)
		}
	})
}
