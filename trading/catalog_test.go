package trading_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"strongroom/matching/engine"
	"strongroom/money"
	"strongroom/trading"
)

var errNoAsset = errors.New("no such asset")

// known finds the assets of development.
func known(code string) (money.Asset, error) {
	scale, ok := map[string]uint8{"BTC": 8, "LTC": 8, "ETH": 18, "USDC": 6}[code]
	if !ok {
		return money.Asset{}, errNoAsset
	}
	return money.Asset{Code: code, Scale: scale}, nil
}

// numbers counts assets in the order in which they are asked for.
type numbers map[string]engine.AssetID

func (n numbers) Asset(_ context.Context, code string) (engine.AssetID, error) {
	if _, ok := n[code]; !ok {
		n[code] = engine.AssetID(len(n) + 10)
	}
	return n[code], nil
}

func development(tb testing.TB) []trading.Terms {
	tb.Helper()
	file, err := os.Open("../internal/devstack/stack/markets.json")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	list, err := trading.ReadTerms(file)
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

func TestDevelopmentMarketsMeanWhatTheySay(t *testing.T) {
	c, err := trading.NewCatalog(t.Context(), development(t), known, numbers{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Names() != "BTC-USDC, ETH-USDC, LTC-BTC" || len(c.All()) != 3 || c.Market("BTC-EUR") != nil || c.ByID(9) != nil {
		t.Error(c.Names())
	}
	m := c.Market("BTC-USDC")
	if m != c.ByID(1) || m.Config.LotUnits != 10_000 || m.Config.TickUnits != 1 || m.Price(m.Config.Reference) != "60000" || m.Quantity(m.Config.MinQty) != "0.0001" {
		t.Errorf("%+v", m.Config)
	}
	if m.Config.MinNotional.Lo != 1_000_000 || m.Config.BreakerWindow != 300e9 || m.Config.HaltFor != 30e9 || m.Price(m.Config.MaxSlippage) != "3000" {
		t.Errorf("%+v", m.Config)
	}
	if m.Config.Tiers[0] != (engine.Fees{Maker: 1000, Taker: 1500}) || m.Config.Tiers[3] != m.Config.Tiers[7] {
		t.Errorf("%+v", m.Config.Tiers)
	}
	if e := c.Market("ETH-USDC"); e.Config.LotUnits != 1e14 || e.Config.TickUnits != 1 || e.Config.Quote != m.Config.Quote {
		t.Errorf("%+v", e.Config)
	}
	if l := c.Market("LTC-BTC"); l.Config.LotUnits != 1e6 || l.Config.TickUnits != 1 || l.Config.Quote != m.Config.Base {
		t.Errorf("%+v", l.Config)
	}
	no, ok := c.AssetNo("USDC")
	if a, found := c.Asset(no); !ok || !found || a.Scale != 6 || len(c.Assets()) != 4 {
		t.Errorf("USDC is %d, %+v", no, a)
	}
	if _, ok := c.AssetNo("EUR"); ok {
		t.Error("an asset that trades nowhere has a number")
	}
}

func TestWrongTermsNameMarketFieldAndFix(t *testing.T) {
	for field, change := range map[string]func(*trading.Terms){
		"base":          func(x *trading.Terms) { x.Base = "btc" },
		"quote":         func(x *trading.Terms) { x.Quote = "BTC" },
		"name":          func(x *trading.Terms) { x.Name = "BTCUSDC" },
		"id":            func(x *trading.Terms) { x.ID = 2 },
		"lot":           func(x *trading.Terms) { x.Lot = "0.00001" },
		"tick":          func(x *trading.Terms) { x.Tick = "0" },
		"minQuantity":   func(x *trading.Terms) { x.MinQuantity = "0.00015" },
		"maxQuantity":   func(x *trading.Terms) { x.MaxQuantity, x.MinQuantity = "1", "2" },
		"minNotional":   func(x *trading.Terms) { x.MinNotional = "-1" },
		"maxNotional":   func(x *trading.Terms) { x.MaxNotional = "0.5" },
		"lowPrice":      func(x *trading.Terms) { x.LowPrice = "0.001" },
		"highPrice":     func(x *trading.Terms) { x.HighPrice = "0.5" },
		"reference":     func(x *trading.Terms) { x.Reference = "0.5" },
		"breakerWindow": func(x *trading.Terms) { x.BreakerWindow = "" },
		"haltFor":       func(x *trading.Terms) { x.HaltFor = "25h" },
		"dayEnd":        func(x *trading.Terms) { x.DayEnd = "24h" },
		"maxSlippage":   func(x *trading.Terms) { x.MaxSlippage = "" },
		"maxOrders":     func(x *trading.Terms) { x.MaxOrders = 0 },
		"tiers":         func(x *trading.Terms) { x.Tiers = []trading.FeeTier{{MakerPPM: 1_000_001}} },
	} {
		list := development(t)
		change(&list[0])
		if field == "id" {
			list[0], list[1] = list[1], list[0]
		}
		_, err := trading.NewCatalog(t.Context(), list, known, numbers{})
		if !errors.Is(err, trading.ErrTerms) || !strings.Contains(err.Error(), list[0].Name+": "+field+": ") && !strings.Contains(err.Error(), list[1].Name+": "+field+": ") || !strings.Contains(err.Error(), "; ") {
			t.Errorf("%s: %v", field, err)
		}
	}
	list := development(t)
	list[0].Tiers = nil
	if _, err := trading.NewCatalog(t.Context(), list, known, numbers{}); !errors.Is(err, trading.ErrTerms) {
		t.Error(err)
	}
	list = development(t)
	list[1].Base, list[1].Name = "XRP", "XRP-USDC"
	if _, err := trading.NewCatalog(t.Context(), list, known, numbers{}); !errors.Is(err, errNoAsset) {
		t.Error(err)
	}
}

func TestFilesThatAreNone(t *testing.T) {
	for _, text := range []string{
		"", "{}", "[]", "null", "[{}]", `[{"name":"A-B","color":"red"}]`, `[{"name":"A-B","base":"A","quote":"B"}] x`,
		`[{"name":"A-B","base":"A","quote":"B"},{"name":"A-B","base":"A","quote":"B","id":1}]`, "[" + strings.Repeat(" ", 1<<20) + "]",
	} {
		if _, err := trading.ReadTerms(strings.NewReader(text)); !errors.Is(err, trading.ErrTerms) {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

// TestWorthOfALotIsExact checks a tick and a lot against plain multiplication: whatever is
// taken in, a lot of one whole base at one whole quote costs one whole quote.
func TestWorthOfALotIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bs, qs := rapid.Uint8Range(0, 18).Draw(t, "base scale"), rapid.Uint8Range(0, 18).Draw(t, "quote scale")
		tick := power(t, "tick", 18)
		lot := power(t, "lot", int(bs))
		one := trading.Terms{
			Name: "A-B", Base: "A", Quote: "B", Tick: tick, Lot: lot, MinQuantity: lot, MaxQuantity: lot, MaxSlippage: tick,
			MaxOrders: 1, Tiers: []trading.FeeTier{{}},
		}
		c, err := trading.NewCatalog(context.Background(), []trading.Terms{one}, func(code string) (money.Asset, error) {
			return money.Asset{Code: code, Scale: map[string]uint8{"A": bs, "B": qs}[code]}, nil
		}, numbers{})
		if errors.Is(err, trading.ErrTerms) {
			t.Skip("a lot at a tick is no whole unit")
		}
		if err != nil {
			t.Fatal(err)
		}
		m := c.Market("A-B")
		if m.Price(1) != tick || m.Quantity(1) != lot {
			t.Fatalf("a tick of %s is %s, a lot of %s is %s", tick, m.Price(1), lot, m.Quantity(1))
		}
	})
}

// power draws a power of ten that has at most so many decimals.
func power(t *rapid.T, label string, decimals int) string {
	n := rapid.IntRange(-decimals, 3).Draw(t, label)
	if n >= 0 {
		return "1" + strings.Repeat("0", n)
	}
	return "0." + strings.Repeat("0", -n-1) + "1"
}

func FuzzReadTerms(f *testing.F) {
	data, err := os.ReadFile("../internal/devstack/stack/markets.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`[{"name":"A-B","base":"A","quote":"B","tick":"1","lot":"1"}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := trading.ReadTerms(bytes.NewReader(data))
		if err != nil {
			return
		}
		again, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := trading.ReadTerms(bytes.NewReader(again)); err != nil || len(same) != len(list) {
			t.Fatalf("what was read is not taken again: %v", err)
		}
		c, err := trading.NewCatalog(t.Context(), list, func(code string) (money.Asset, error) {
			return money.Asset{Code: code, Scale: 8}, nil
		}, numbers{})
		if err != nil {
			return
		}
		e, err := engine.New(engine.Config{Orders: 1, Accounts: 2, Assets: 64, Markets: 16, Keys: 1, Transfers: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range c.All() {
			if m.ID >= 16 || m.Config.Base >= 64 || m.Config.Quote >= 64 {
				continue
			}
			out := e.Configure(&engine.Command{Op: engine.OpMarket, Market: m.ID}, &m.Config, nil)
			if len(out) != 1 || out[0].Kind != engine.EventState {
				t.Fatalf("the engine refuses %+v: %+v", m.Config, out)
			}
		}
	})
}
