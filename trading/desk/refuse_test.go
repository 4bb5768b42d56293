package desk_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strongroom/matching/engine"
	"strongroom/trading"
	"strongroom/trading/desk"
)

func TestEveryCodeThatRefusesSaysFieldAndFix(t *testing.T) {
	for c := engine.CodeUnknownOp; c <= engine.CodeBadConfig; c++ {
		no := desk.Refused(nil, c)
		if no.Code != trading.CodeName(c) || no.Text == "" || no.Fix == "" || no.Text == "matching refuses" {
			t.Errorf("%d is told as %+v", c, no)
		}
	}
	if no := desk.Refused(nil, engine.CodeHaltEnd); no.Text == "" || no.Fix == "" {
		t.Errorf("a code that refuses nothing is told as %+v", no)
	}
}

func catalog(tb testing.TB) *trading.Catalog {
	tb.Helper()
	n := &numbers{assets: map[string]engine.AssetID{}}
	c, err := trading.NewCatalog(tb.Context(), terms(tb), known, n)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

type mistake struct {
	code, field string
	change      func(*trading.NewOrder)
}

func TestEachMistakeNamesItsField(t *testing.T) {
	c := catalog(t)
	for _, x := range []mistake{
		{"bad_client_id", "clientOrderId", func(o *trading.NewOrder) { o.ClientID = "" }},
		{"bad_client_id", "clientOrderId", func(o *trading.NewOrder) { o.ClientID = strings.Repeat("x", 65) }},
		{"bad_client_id", "clientOrderId", func(o *trading.NewOrder) { o.ClientID = "a\nb" }},
		{"bad_client_id", "clientOrderId", func(o *trading.NewOrder) { o.ClientID = "a\xff" }},
		{"unknown_market", "market", func(o *trading.NewOrder) { o.Market = "BTC-EUR" }},
		{"bad_side", "side", func(o *trading.NewOrder) { o.Side = "Buy" }},
		{"bad_type", "type", func(o *trading.NewOrder) { o.Type = "iceberg" }},
		{"bad_type", "timeInForce", func(o *trading.NewOrder) { o.TimeInForce = "ever" }},
		{"missing_field", "price", func(o *trading.NewOrder) { o.Price = "" }},
		{"missing_field", "quantity", func(o *trading.NewOrder) { o.Quantity = "" }},
		{"superfluous_field", "quoteAmount", func(o *trading.NewOrder) { o.QuoteAmount = "1" }},
		{"superfluous_field", "stopPrice", func(o *trading.NewOrder) { o.StopPrice = "1" }},
		{"superfluous_field", "stopLimit", func(o *trading.NewOrder) { o.StopLimit = "1" }},
		{"superfluous_field", "offset", func(o *trading.NewOrder) { o.Offset = "1" }},
		{"superfluous_field", "pegTo", func(o *trading.NewOrder) { o.PegTo = "mid" }},
		{"superfluous_field", "expiresAt", func(o *trading.NewOrder) { o.ExpiresAt = time.Unix(1, 0) }},
		{"bad_expiry", "expiresAt", func(o *trading.NewOrder) { o.TimeInForce = "gtd" }},
		{"bad_expiry", "expiresAt", func(o *trading.NewOrder) {
			o.TimeInForce, o.ExpiresAt = "gtd", time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
		}},
		{"off_tick", "price", func(o *trading.NewOrder) { o.Price = "60000.001" }},
		{"bad_price", "price", func(o *trading.NewOrder) { o.Price = "-1" }},
		{"bad_price", "price", func(o *trading.NewOrder) { o.Price = "0" }},
		{"bad_price", "price", func(o *trading.NewOrder) { o.Price = "999999999999999999999999999" }},
		{"off_lot", "quantity", func(o *trading.NewOrder) { o.Quantity = "0.00015" }},
		{"off_lot", "quantity", func(o *trading.NewOrder) { o.Quantity = "0.0000000001" }},
		{"bad_quantity", "quantity", func(o *trading.NewOrder) { o.Quantity = "1e3" }},
		{"bad_quantity", "quantity", func(o *trading.NewOrder) { o.Quantity = "0" }},
		{"bad_quantity", "quantity", func(o *trading.NewOrder) { o.Quantity = "100.0001" }},
		{"bad_display", "display", func(o *trading.NewOrder) { o.Display = "2" }},
		{"bad_display", "display", func(o *trading.NewOrder) { o.Display = "x" }},
		{"bad_display", "display", func(o *trading.NewOrder) { o.Display, o.TimeInForce = "0.1", "ioc" }},
		{"bad_type", "postOnly", func(o *trading.NewOrder) { o.PostOnly, o.TimeInForce = "reject", "fok" }},
		{"bad_value", "postOnly", func(o *trading.NewOrder) { o.PostOnly = "yes" }},
		{"bad_value", "selfTrade", func(o *trading.NewOrder) { o.SelfTrade = "never" }},
		{"missing_field", "stopLoss", func(o *trading.NewOrder) { o.TakeProfit = "61000" }},
		{"missing_field", "takeProfit", func(o *trading.NewOrder) { o.StopLossLimit = "61000" }},
		{"bad_trigger", "stopLoss", func(o *trading.NewOrder) { o.TakeProfit, o.StopLoss = "61000", "61000" }},
		{"bad_trigger", "stopLoss", func(o *trading.NewOrder) { o.Side, o.TakeProfit, o.StopLoss = "sell", "61000", "60999" }},
		{"missing_field", "quoteAmount", func(o *trading.NewOrder) { o.Type, o.Price, o.Quantity = "market_quote", "", "" }},
		{"bad_amount", "quoteAmount", func(o *trading.NewOrder) {
			o.Type, o.Price, o.Quantity, o.QuoteAmount = "market_quote", "", "", "0.0000001"
		}},
		{"bad_amount", "quoteAmount", func(o *trading.NewOrder) {
			o.Type, o.Price, o.Quantity, o.QuoteAmount = "market_quote", "", "", "0"
		}},
		{"superfluous_field", "price", func(o *trading.NewOrder) { o.Type = "market" }},
		{"bad_type", "timeInForce", func(o *trading.NewOrder) { o.Type, o.Price, o.TimeInForce = "market", "", "gtd" }},
		{"missing_field", "stopPrice", func(o *trading.NewOrder) { o.Type, o.Price = "stop", "" }},
		{"bad_type", "timeInForce", func(o *trading.NewOrder) { o.Type, o.StopPrice, o.TimeInForce = "stop_limit", "1", "ioc" }},
		{"missing_field", "offset", func(o *trading.NewOrder) { o.Type, o.Price = "trailing", "" }},
		{"bad_value", "pegTo", func(o *trading.NewOrder) { o.Type, o.PegTo = "peg", "ask" }},
		{"superfluous_field", "postOnly", func(o *trading.NewOrder) { o.Type, o.PostOnly = "peg", "reject" }},
		{"bad_trigger", "stopPrice", func(o *trading.NewOrder) { o.Type, o.StopPrice = "oco", "60000" }},
		{"bad_trigger", "stopPrice", func(o *trading.NewOrder) { o.Side, o.Type, o.StopPrice = "sell", "oco", "60001" }},
	} {
		o := limit("id", "buy", "1", "60000")
		x.change(&o)
		_, _, err := desk.Convert(c, &o)
		refusal(t, err, x.code, x.field)
	}
}

// TestWhatTheEngineRefuses has every code that an order can meet come from the engine.
func TestWhatTheEngineRefuses(t *testing.T) {
	h := open(t, nil)
	h.place(t, "c1", limit("ask", "sell", "1", "60000"))
	h.place(t, "c2", limit("bid", "buy", "0.5", "60000")) // the last trade
	for id, x := range map[string]struct {
		who, code, field string
		order            trading.NewOrder
	}{
		"account":   {"stranger", "unknown_account", "", limit("", "buy", "1", "50000")},
		"cover":     {"c1", "insufficient", "", limit("", "sell", "99.1", "60000")},
		"notional":  {"c1", "notional", "quantity", limit("", "buy", "0.0001", "2")},
		"band":      {"c1", "beyond_band", "price", limit("", "sell", "0.5", "10000000.01")},
		"take":      {"c1", "would_take", "price", trading.NewOrder{Side: "buy", Type: "limit", Price: "60000", Quantity: "1", PostOnly: "reject"}},
		"trigger":   {"c1", "would_trigger", "stopPrice", trading.NewOrder{Side: "buy", Type: "stop", StopPrice: "59000", Quantity: "1"}},
		"fill":      {"c1", "would_not_fill", "quantity", trading.NewOrder{Side: "buy", Type: "limit", Price: "60000", Quantity: "2", TimeInForce: "fok"}},
		"liquidity": {"c1", "no_liquidity", "market", trading.NewOrder{Side: "sell", Type: "market", Quantity: "1"}},
		"reference": {"c1", "no_liquidity", "market", trading.NewOrder{Market: "ETH-USDC", Side: "sell", Type: "market", Quantity: "1"}},
		"expiry":    {"c1", "bad_expiry", "expiresAt", trading.NewOrder{Side: "buy", Type: "limit", Price: "60000", Quantity: "1", TimeInForce: "gtd", ExpiresAt: h.clock().Add(-time.Second)}},
		"display":   {"c1", "bad_display", "display", trading.NewOrder{Side: "buy", Type: "limit", Price: "100", Quantity: "10", Display: "0.001"}},
		"offset":    {"c1", "bad_offset", "offset", trading.NewOrder{Side: "sell", Type: "trailing", Offset: "60000", Quantity: "1"}},
	} {
		x.order.ClientID = id
		if x.order.Market == "" {
			x.order.Market = "BTC-USDC"
		}
		_, _, err := h.desk.Place(t.Context(), x.who, x.order)
		refusal(t, err, x.code, x.field)
	}
}

// TestConversionsComeBack draws orders of the right form and compares the command with the
// decimals, by a way of its own: counting in the market's lots and ticks.
func TestConversionsComeBack(t *testing.T) {
	c := catalog(t)
	rapid.Check(t, func(t *rapid.T) {
		m := c.All()[rapid.IntRange(0, 2).Draw(t, "market")]
		ticks := rapid.Int64Range(1, 1<<40).Draw(t, "ticks")
		lots := rapid.Int64Range(m.Config.MinQty, m.Config.MaxQty).Draw(t, "lots")
		o := trading.NewOrder{
			ClientID: "x", Market: m.Name, Side: rapid.SampledFrom([]string{"buy", "sell"}).Draw(t, "side"), Type: trading.TypeLimit,
			Price: m.Price(ticks), Quantity: m.Quantity(lots), PostOnly: rapid.SampledFrom([]string{"", "reject", "slide"}).Draw(t, "post-only"),
			SelfTrade: rapid.SampledFrom([]string{"", "none", "cancel_maker", "cancel_both", "decrement"}).Draw(t, "self-trade"),
			Protected: rapid.Bool().Draw(t, "protected"),
		}
		if rapid.Bool().Draw(t, "iceberg") {
			o.Display = m.Quantity(rapid.Int64Range(m.Config.MinQty, lots).Draw(t, "display"))
		}
		market, command, err := desk.Convert(c, &o)
		if err != nil {
			t.Fatal(err)
		}
		flags := map[string]engine.Flags{"": 0, "reject": engine.PostOnly, "slide": engine.PostOnly | engine.Slide}[o.PostOnly]
		if o.Protected {
			flags |= engine.MMP
		}
		if market != m || command.Op != engine.OpNew || command.Market != m.ID || command.Price != ticks || command.Qty != lots || command.Flags != flags ||
			trading.SideName(command.Side) != o.Side || (o.Display == "") != (command.Display == 0) || o.Display != "" && m.Quantity(command.Display) != o.Display {
			t.Fatalf("%+v becomes %+v", o, command)
		}
	})
}

// FuzzConvert gives fields of any content: what is not refused with field and fix is
// taken, and is written as it came.
func FuzzConvert(f *testing.F) {
	f.Add("id", "BTC-USDC", "buy", "limit", "gtc", "60000", "1", "", "", "")
	f.Add("id", "ETH-USDC", "sell", "oco", "", "3100", "0.5", "", "2900", "2890")
	f.Add("id", "LTC-BTC", "sell", "market_quote", "ioc", "", "", "1.5", "", "")
	c := catalog(f)
	f.Fuzz(func(t *testing.T, id, market, side, kind, tif, price, quantity, amount, stop, stopLimit string) {
		o := trading.NewOrder{
			ClientID: id, Market: market, Side: side, Type: trading.OrderType(kind), TimeInForce: tif, Price: price, Quantity: quantity,
			QuoteAmount: amount, StopPrice: stop, StopLimit: stopLimit,
		}
		m, command, err := desk.Convert(c, &o)
		if err != nil {
			var no *trading.Refusal
			if !errors.As(err, &no) || no.Field == "" || no.Fix == "" {
				t.Fatalf("%+v: %v", o, err)
			}
			return
		}
		for _, x := range []struct {
			text string
			n    int64
		}{{price, command.Price}, {stop, command.Trigger}, {stopLimit, command.TriggerLimit}} {
			if n, err := ticksOf(m, x.text); err != nil || n != x.n {
				t.Fatalf("%q becomes %d ticks", x.text, x.n)
			}
		}
	})
}

func ticksOf(m *trading.Market, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	return m.Ticks(text)
}
