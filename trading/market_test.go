package trading_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"strongroom/matching/engine"
	"strongroom/money"
	"strongroom/trading"
)

func btc() money.Asset  { return money.Asset{Code: "BTC", Scale: 8} }
func tusd() money.Asset { return money.Asset{Code: "TUSD", Scale: 6} }

// bitcoin trades in lots of 0.0001 BTC at ticks of 0.01 TUSD.
func bitcoin(t *testing.T) *trading.Market {
	t.Helper()
	m, err := trading.NewMarket("BTC-TUSD", 3, btc(), tusd(), engine.MarketConfig{LotUnits: 10_000, TickUnits: 1})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestDecimalsAreConvertedExactly(t *testing.T) {
	m := bitcoin(t)
	for text, want := range map[string]int64{"0.01": 1, "1": 100, "64123.45": 6_412_345} {
		if got, err := m.Ticks(text); err != nil || got != want || m.Price(got) != text {
			t.Errorf("%s is %d ticks, written %s, %v", text, got, m.Price(got), err)
		}
	}
	for text, want := range map[string]int64{"0.0001": 1, "1": 10_000, "2.5": 25_000} {
		if got, err := m.Lots(text); err != nil || got != want || m.Quantity(got) != text {
			t.Errorf("%s is %d lots, written %s, %v", text, got, m.Quantity(got), err)
		}
	}
	if cost, err := m.Cost(6_412_345, 25_000); err != nil || tusd().Format(cost) != "160308.625" {
		t.Errorf("2.5 BTC at 64123.45 cost %s, %v", tusd().Format(cost), err)
	}
	if amount, err := m.QuoteAmount("1.5"); err != nil || amount.Lo != 1_500_000 {
		t.Errorf("1.5 TUSD is %+v, %v", amount, err)
	}
}

func TestWhatIsOffIsRefusedWithTheFix(t *testing.T) {
	m := bitcoin(t)
	for text, want := range map[string]error{
		"0.015": trading.ErrOffTick, "0": money.ErrRange, "-1": money.ErrSyntax, "1e5": money.ErrSyntax, "0.0000000000000000001": money.ErrSyntax,
		"999999999999999999999": money.ErrRange, "": money.ErrSyntax,
	} {
		if _, err := m.Ticks(text); !errors.Is(err, want) {
			t.Errorf("price %q: %v", text, err)
		}
	}
	if _, err := m.Ticks("0.015"); err.Error() != "price is no multiple of the tick of 0.01: 0.015 is not, 0.01 and 0.02 are" {
		t.Error(err)
	}
	for text, want := range map[string]error{
		"0.00005": trading.ErrOffLot, "0": money.ErrRange, "0.000000001": money.ErrScale, "99999999999999": money.ErrRange,
	} {
		if _, err := m.Lots(text); !errors.Is(err, want) {
			t.Errorf("quantity %q: %v", text, err)
		}
	}
	for _, text := range []string{"0", "0.0000001", "340282366920938463463374607431768211456"} {
		if _, err := m.QuoteAmount(text); err == nil {
			t.Errorf("quote amount %q is taken", text)
		}
	}
}

func TestMarketsThatCannotBe(t *testing.T) {
	for _, cfg := range []engine.MarketConfig{{}, {LotUnits: 1}, {TickUnits: 1}, {LotUnits: 3, TickUnits: 1}} {
		if _, err := trading.NewMarket("X-Y", 0, btc(), tusd(), cfg); !errors.Is(err, trading.ErrTerms) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

// TestEveryTickAndLotComesBack writes and reads numbers of markets of all scales: of a
// cheap coin a lot is many wholes and a tick finer than the quote's own unit.
func TestEveryTickAndLotComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := money.Asset{Code: "B", Scale: rapid.Uint8Range(0, 18).Draw(t, "base scale")}
		quote := money.Asset{Code: "Q", Scale: rapid.Uint8Range(0, 18).Draw(t, "quote scale")}
		lot := uint64(1)
		for range rapid.IntRange(0, 15).Draw(t, "lot") {
			lot *= 10
		}
		cfg := engine.MarketConfig{LotUnits: lot, TickUnits: rapid.Uint64Range(1, 1000).Draw(t, "tick")}
		m, err := trading.NewMarket("B-Q", 0, base, quote, cfg)
		if errors.Is(err, trading.ErrTerms) {
			t.Skip("a tick too fine to be written")
		}
		ticks := rapid.Int64Range(1, 1<<40).Draw(t, "ticks")
		text := m.Price(ticks)
		if got, err := m.Ticks(text); err == nil && got != ticks || err != nil && !errors.Is(err, money.ErrSyntax) {
			t.Fatalf("%d ticks are %s, read as %d, %v", ticks, text, got, err)
		}
		lots := rapid.Int64Range(1, engine.MaxLots).Draw(t, "lots")
		text = m.Quantity(lots)
		if got, err := m.Lots(text); err == nil && got != lots || err != nil && !errors.Is(err, money.ErrSyntax) {
			t.Fatalf("%d lots are %s, read as %d, %v", lots, text, got, err)
		}
	})
}
