package desk_test

import (
	"errors"
	"testing"
	"time"

	"strongroom/matching/engine"
	"strongroom/trading"
)

type want struct {
	state                       trading.OrderState
	reason                      string
	filled, remaining, turnover string
}

func (w want) check(tb testing.TB, what string, o trading.Order) {
	tb.Helper()
	got := want{o.State, o.Reason, o.Filled, o.Remaining, o.Turnover}
	if got != w || o.ID == "" || o.Seq == 0 || o.UpdatedAt.IsZero() {
		tb.Errorf("%s: %+v\nwant %+v of %+v", what, got, w, o)
	}
}

func TestAnAnswerTellsWhatBecameOfTheOrder(t *testing.T) {
	h := open(t, nil)
	o := h.place(t, "c1", limit("ask", "sell", "2", "60000"))
	want{trading.OrderOpen, "", "0", "2", "0"}.check(t, "a maker", o)
	if o.ClientID != "ask" || o.Customer != "c1" || o.Market != "BTC-USDC" || o.Side != "sell" || o.Type != trading.TypeLimit || o.Price != "60000" || o.Quantity != "2" {
		t.Errorf("%+v", o)
	}
	h.place(t, "c1", limit("ask2", "sell", "1", "60100.5"))

	half := limit("bid", "buy", "0.5", "60000")
	want{trading.OrderFilled, "", "0.5", "0", "30000"}.check(t, "a limit order that fills", h.place(t, "c2", half))
	ioc := limit("ioc", "buy", "2", "60000")
	ioc.TimeInForce = "ioc"
	want{trading.OrderCancelled, "unfilled", "1.5", "0.5", "90000"}.check(t, "an IOC", h.place(t, "c2", ioc))
	partly := limit("partly", "buy", "1.5", "60100.5")
	want{trading.OrderOpen, "", "1", "0.5", "60100.5"}.check(t, "an order that fills in part", h.place(t, "c2", partly))

	h.place(t, "c1", limit("ask3", "sell", "1", "60200"))
	fok := limit("fok", "buy", "1", "60200")
	fok.TimeInForce = "fok"
	want{trading.OrderFilled, "", "1", "0", "60200"}.check(t, "a FOK", h.place(t, "c2", fok))
	sold := h.place(t, "c3", trading.NewOrder{ClientID: "market", Side: "sell", Type: trading.TypeMarket, Quantity: "0.2"})
	want{trading.OrderFilled, "", "0.2", "0", "12020.1"}.check(t, "a market order", sold)
	if sold.Price != "" || sold.Quantity != "0.2" {
		t.Errorf("a market order stands at %s: %+v", sold.Price, sold)
	}
	quote := h.place(t, "c3", trading.NewOrder{ClientID: "quote", Side: "sell", Type: trading.TypeMarketQuote, QuoteAmount: "6010.05"})
	want{trading.OrderFilled, "", "0.1", "0", "6010.05"}.check(t, "an order by amount", quote)
}

func TestOrdersThatWait(t *testing.T) {
	h := open(t, nil)
	h.place(t, "c1", limit("ask", "sell", "1", "60000"))
	h.place(t, "c2", limit("bid", "buy", "0.1", "60000")) // the last trade
	expires := h.clock().Add(time.Hour)
	for id, o := range map[string]trading.NewOrder{
		"stop":       {Side: "sell", Type: trading.TypeStop, StopPrice: "59000", Quantity: "1"},
		"stop_limit": {Side: "buy", Type: trading.TypeStopLimit, StopPrice: "61000", Price: "61500", Quantity: "1"},
		"trailing":   {Side: "sell", Type: trading.TypeTrailing, Offset: "500", Quantity: "1"},
		"peg":        {Side: "buy", Type: trading.TypePeg, Price: "59500", Offset: "10", Quantity: "1"},
		"gtd":        {Side: "buy", Type: trading.TypeLimit, Price: "58000", Quantity: "1", TimeInForce: "gtd", ExpiresAt: expires},
		"day":        {Side: "buy", Type: trading.TypeLimit, Price: "58000", Quantity: "1", TimeInForce: "day"},
		"iceberg":    {Side: "buy", Type: trading.TypeLimit, Price: "58000", Quantity: "1", Display: "0.1"},
		"slide":      {Side: "buy", Type: trading.TypeLimit, Price: "60000", Quantity: "1", PostOnly: "slide"},
		"oco":        {Side: "sell", Type: trading.TypeOCO, Price: "65000", StopPrice: "55000", Quantity: "1"},
	} {
		o.ClientID = id
		got := h.place(t, "c4", o)
		state := trading.OrderOpen
		switch o.Type {
		case trading.TypeStop, trading.TypeStopLimit, trading.TypeTrailing:
			state = trading.OrderWaiting
		case trading.TypeLimit, trading.TypeMarket, trading.TypeMarketQuote, trading.TypePeg, trading.TypeOCO:
		}
		if id == "peg" && got.State == trading.OrderWaiting {
			state = trading.OrderWaiting // where its own side is empty, as the order of this map has it
		}
		want{state, "", "0", "1", "0"}.check(t, id, got)
		if id == "oco" {
			o.StopPrice = "" // its sibling's
		}
		if got.Type != o.Type || got.Quantity != "1" || got.StopPrice != o.StopPrice || (id == "oco") != (got.Sibling != "") {
			t.Errorf("%s: %+v", id, got)
		}
		if id == "gtd" && !got.ExpiresAt.Equal(expires) {
			t.Errorf("good till %s, not %s", got.ExpiresAt, expires)
		}
		if id == "slide" && got.Price != "59999.99" {
			t.Errorf("slides to %s", got.Price)
		}
	}
	list, seq, err := h.desk.Open(t.Context(), "c4", "")
	if err != nil || len(list) != 10 || seq == 0 {
		t.Fatalf("%d orders wait, %v", len(list), err)
	}
	for _, o := range list {
		if o.ClientID == "oco" && (o.Type != trading.TypeOCO || o.Price != "65000") || o.ClientID == "trailing" && o.StopPrice != "59500" ||
			o.ClientID == "stop_limit" && (o.Price != "61500" || o.StopPrice != "61000" || o.State != trading.OrderWaiting) ||
			o.Customer != "c4" || o.Remaining != "1" || o.Filled != "0" {
			t.Errorf("%+v", o)
		}
	}
	if list, _, err := h.desk.Open(t.Context(), "c4", "ETH-USDC"); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	_, _, err = h.desk.Open(t.Context(), "c4", "BTC-EUR")
	refusal(t, err, "unknown_market", "market")

	// The stop of the OCO is triggered, and takes its sibling away.
	h.place(t, "c5", limit("down", "buy", "1", "54000"))
	if n, err := h.desk.CancelAll(t.Context(), "c4", "BTC-USDC", "buy"); err != nil || n != 6 {
		t.Errorf("%d orders are cancelled, %v", n, err)
	}
	if n, err := h.desk.CancelAll(t.Context(), "c4", "", ""); err != nil || n != 4 {
		t.Errorf("%d orders are cancelled, %v", n, err)
	}
	if n, err := h.desk.CancelAll(t.Context(), "nobody", "", ""); err != nil || n != 0 {
		t.Errorf("%d orders are cancelled, %v", n, err)
	}
}

func TestABracketFollowsItsOrder(t *testing.T) {
	h := open(t, nil)
	h.place(t, "c1", limit("ask", "sell", "1", "60000"))
	o := limit("with", "buy", "1", "60000")
	o.TakeProfit, o.StopLoss, o.StopLossLimit = "62000", "58000", "57900"
	want{trading.OrderFilled, "", "1", "0", "60000"}.check(t, "the order", h.place(t, "c2", o))
	list, _, err := h.desk.Open(t.Context(), "c2", "BTC-USDC")
	if err != nil || len(list) != 2 || list[0].Sibling != list[1].ID || list[1].Sibling != list[0].ID || list[0].Price != "62000" || list[1].StopPrice != "58000" {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestTheSameClientIDIsTheSameOrder(t *testing.T) {
	h := open(t, nil)
	first := h.place(t, "c1", limit("mine", "sell", "1", "60000"))
	again, repeated, err := h.desk.Place(t.Context(), "c1", limit("mine", "sell", "1", "60000"))
	if err != nil || !repeated || again.ID != first.ID || again.State != trading.OrderOpen {
		t.Errorf("%+v, repeated %v, %v", again, repeated, err)
	}
	h.place(t, "c2", limit("mine", "buy", "0.25", "60000")) // another customer's
	again, repeated, err = h.desk.Place(t.Context(), "c1", limit("mine", "sell", "1", "60000"))
	if err != nil || !repeated || again.ID != first.ID || again.Filled != "0.25" || again.Remaining != "0.75" || again.Turnover != "15000" {
		t.Errorf("%+v, repeated %v, %v", again, repeated, err)
	}
	if _, err := h.desk.Cancel(t.Context(), "c1", "client:mine"); err != nil {
		t.Fatal(err)
	}
	again, repeated, err = h.desk.Place(t.Context(), "c1", limit("mine", "sell", "1", "60000"))
	if err != nil || !repeated || again.State != trading.OrderCancelled || again.Reason != "by_client" || again.Remaining != "0.75" {
		t.Errorf("%+v, repeated %v, %v", again, repeated, err)
	}
}

func TestBalancesAreWhatOrdersLeave(t *testing.T) {
	h := open(t, nil)
	h.place(t, "c1", limit("ask", "sell", "2", "60000"))
	h.place(t, "c2", limit("bid", "buy", "0.5", "60000"))
	check := func(customer, asset, available, reserved string) {
		t.Helper()
		list, seq, err := h.desk.Balances(t.Context(), customer)
		if err != nil || seq == 0 || len(list) != 4 {
			t.Fatalf("%+v, %v", list, err)
		}
		a, _ := known(asset)
		for _, b := range list {
			if b.Asset == asset && (a.Format(b.Available) != available || a.Format(b.Reserved) != reserved) {
				t.Errorf("%s has %s %s and %s reserved; want %s and %s", customer, a.Format(b.Available), asset, a.Format(b.Reserved), available, reserved)
			}
		}
	}
	check("c1", "BTC", "98", "1.5")
	check("c1", "USDC", "10029970", "0") // less a fee of a thousandth
	check("c2", "BTC", "100.49925", "0") // less 1,500 parts per million
	check("c2", "USDC", "9970000", "0")
	check("nobody", "USDC", "0", "0")
}

func TestCancelAndAmend(t *testing.T) {
	h := open(t, nil)
	ctx := t.Context()
	o := h.place(t, "c1", limit("a", "sell", "2", "60000"))
	h.place(t, "c2", limit("b", "buy", "0.5", "60000"))
	got, err := h.desk.Amend(ctx, "c1", o.ID, trading.Amendment{Quantity: "1"})
	if err != nil {
		t.Fatal(err)
	}
	want{trading.OrderOpen, "", "0.5", "1", "30000"}.check(t, "an amended order", got)
	got, err = h.desk.Amend(ctx, "c1", "client:a", trading.Amendment{Price: "60500", Quantity: "1.2"})
	if err != nil || got.ID != o.ID || got.Price != "60500" || got.Quantity != "1.7" {
		t.Errorf("%+v, %v", got, err)
	}
	for field, a := range map[string]trading.Amendment{"price": {Price: "0.001"}, "quantity": {Quantity: "x"}, "display": {Display: "-1"}} {
		if _, err := h.desk.Amend(ctx, "c1", o.ID, a); err == nil {
			t.Errorf("%s is taken", field)
		}
	}
	_, err = h.desk.Amend(ctx, "c1", o.ID, trading.Amendment{})
	refusal(t, err, "missing_field", "quantity")
	_, err = h.desk.Amend(ctx, "c1", o.ID, trading.Amendment{Quantity: "1000"})
	refusal(t, err, "bad_quantity", "quantity")
	stop := h.place(t, "c1", trading.NewOrder{ClientID: "s", Side: "sell", Type: trading.TypeStop, StopPrice: "50000", Quantity: "1"})
	_, err = h.desk.Amend(ctx, "c1", stop.ID, trading.Amendment{Quantity: "0.5"})
	refusal(t, err, "bad_type", "id")

	got, err = h.desk.Cancel(ctx, "c1", o.ID)
	if err != nil {
		t.Fatal(err)
	}
	want{trading.OrderCancelled, "by_client", "0.5", "1.2", "30000"}.check(t, "a cancelled order", got)
	_, err = h.desk.Cancel(ctx, "c1", o.ID)
	refusal(t, err, "unknown_order", "id")
	for _, id := range []string{"", "abc", "12345", "client:none"} {
		if _, err := h.desk.Cancel(ctx, "c1", id); !errors.Is(err, trading.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
	_, err = h.desk.Cancel(ctx, "c1", "client:")
	refusal(t, err, "bad_client_id", "clientOrderId")
	if _, err := h.desk.Cancel(ctx, "c2", stop.ID); !errors.Is(err, trading.ErrNotFound) {
		t.Errorf("another's order is cancelled: %v", err)
	}
	_, err = h.desk.CancelAll(ctx, "c1", "X", "")
	refusal(t, err, "unknown_market", "market")
	_, err = h.desk.CancelAll(ctx, "c1", "", "both")
	refusal(t, err, "bad_side", "side")
}

func TestAClosedMarketRefuses(t *testing.T) {
	h := open(t, nil)
	h.do(t, engine.Command{Op: engine.OpState, Market: 1, State: engine.CancelOnly})
	_, _, err := h.desk.Place(t.Context(), "c1", limit("a", "sell", "1", "60000"))
	refusal(t, err, "market_state", "market")
}
