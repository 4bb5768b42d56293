package naive

import (
	"testing"

	"strongroom/matching/engine"
)

// run gives commands to a new shard with one open market (lots and ticks of one unit,
// no fee), whose accounts 1 to 3 have a million of both assets, and returns its events.
func run(t *testing.T, change func(*engine.MarketConfig), commands ...engine.Command) []engine.Event {
	t.Helper()
	e, err := New(engine.Config{Orders: 64, Accounts: 4, Assets: 2, Markets: 1, Keys: 8, Retention: 100, Transfers: 16})
	if err != nil {
		t.Fatalf("make engine: %v", err)
	}
	cfg := engine.MarketConfig{
		Base: 0, Quote: 1, LotUnits: 1, TickUnits: 1, MinQty: 1, MaxQty: 1000, MaxSlippage: 5, MaxOrders: 64, MaxPegs: 8,
		MaxTrailing: 8,
	}
	if change != nil {
		change(&cfg)
	}
	for id := engine.AccountID(1); id < 4; id++ {
		e.Apply(&engine.Command{Op: engine.OpAccount, Account: id}, nil)
		for asset := range engine.AssetID(2) {
			e.Apply(&engine.Command{
				Op: engine.OpCredit, Account: id, Asset: asset, Amount: engine.Amount{Lo: 1_000_000},
				Key: engine.Key{Hi: uint64(id), Lo: uint64(asset) + 1},
			}, nil)
		}
	}
	e.Configure(&engine.Command{Op: engine.OpMarket}, &cfg, nil)
	e.Apply(&engine.Command{Op: engine.OpState, State: engine.Open}, nil)
	var events []engine.Event
	for i := range commands {
		events = e.Apply(&commands[i], events)
	}
	return events
}

func limit(account engine.AccountID, side engine.Side, price, qty int64) engine.Command {
	return engine.Command{Op: engine.OpNew, Account: account, Side: side, Price: price, Qty: qty}
}

// trades are the prices and quantities of trades in turn.
func trades(events []engine.Event) (list [][2]int64) {
	for i := range events {
		if events[i].Kind == engine.EventTrade {
			list = append(list, [2]int64{events[i].Price, events[i].Qty})
		}
	}
	return list
}

func same(a, b [][2]int64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// TestRulesOnThePage has, for rules that are easy to get wrong, an example worked out by hand.
func TestRulesOnThePage(t *testing.T) {
	t.Parallel()
	with := func(c engine.Command, change func(*engine.Command)) engine.Command {
		change(&c)
		return c
	}
	auction := engine.Command{Op: engine.OpState, State: engine.Auction}
	opens := engine.Command{Op: engine.OpState, State: engine.Open}
	for _, test := range []struct {
		name     string
		change   func(*engine.MarketConfig)
		commands []engine.Command
		want     [][2]int64
	}{
		{"best price first, then time", nil, []engine.Command{
			limit(1, engine.Sell, 101, 5), limit(2, engine.Sell, 100, 5), limit(1, engine.Sell, 100, 5), limit(3, engine.Buy, 101, 12),
		}, [][2]int64{{100, 5}, {100, 5}, {101, 2}}},
		{"an iceberg's next lots stand behind the others", nil, []engine.Command{
			with(limit(1, engine.Sell, 100, 9), func(c *engine.Command) { c.Display = 3 }),
			limit(2, engine.Sell, 100, 4), limit(3, engine.Buy, 100, 12),
		}, [][2]int64{{100, 3}, {100, 4}, {100, 3}, {100, 2}}},
		{"FOK with too little trades nothing", nil, []engine.Command{
			limit(1, engine.Sell, 100, 5), with(limit(3, engine.Buy, 100, 6), func(c *engine.Command) { c.TIF = engine.FOK }),
		}, nil},
		{"a quote amount buys what it pays for", nil, []engine.Command{
			limit(1, engine.Sell, 100, 2), limit(1, engine.Sell, 101, 9),
			{Op: engine.OpNew, Account: 3, Type: engine.MarketQuote, Amount: engine.Amount{Lo: 520}},
		}, [][2]int64{{100, 2}, {101, 3}}},
		{"an auction with a surplus of buyers takes the highest price", nil, []engine.Command{
			auction, limit(1, engine.Buy, 105, 10), limit(2, engine.Sell, 100, 4), opens,
		}, [][2]int64{{105, 4}}},
		{"an auction with a surplus of sellers takes the lowest price", nil, []engine.Command{
			auction, limit(1, engine.Buy, 105, 4), limit(2, engine.Sell, 100, 10), opens,
		}, [][2]int64{{100, 4}}},
		{
			"an auction without surplus takes the price nearest to the reference",
			func(c *engine.MarketConfig) { c.Reference = 103 },
			[]engine.Command{auction, limit(1, engine.Buy, 105, 4), limit(2, engine.Sell, 100, 4), opens},
			[][2]int64{{103, 4}},
		},
		{"a stop enters after the trade that triggered it", nil, []engine.Command{
			limit(1, engine.Buy, 100, 1), limit(1, engine.Buy, 99, 5),
			{Op: engine.OpNew, Account: 2, Side: engine.Sell, Type: engine.Stop, Trigger: 100, Qty: 3},
			limit(3, engine.Sell, 100, 1),
		}, [][2]int64{{100, 1}, {99, 3}}},
		{
			"the dynamic band stops an order before it trades outside",
			func(c *engine.MarketConfig) { c.Reference, c.DynamicPPM = 100, 20_000 },
			[]engine.Command{limit(1, engine.Sell, 102, 1), limit(1, engine.Sell, 103, 1), limit(2, engine.Buy, 103, 2)},
			[][2]int64{{102, 1}},
		},
		{"decrement trades nothing", nil, []engine.Command{
			limit(1, engine.Sell, 100, 5), with(limit(1, engine.Buy, 100, 3), func(c *engine.Command) { c.STP = engine.STPDecrement }),
			limit(2, engine.Buy, 100, 9),
		}, [][2]int64{{100, 2}}},
		{"a smaller amount keeps its place, a greater one loses it", nil, []engine.Command{
			limit(1, engine.Sell, 100, 5), limit(2, engine.Sell, 100, 5), limit(1, engine.Sell, 100, 1),
			{Op: engine.OpAmend, Account: 1, Order: 1, Qty: 4},
			{Op: engine.OpAmend, Account: 2, Order: 2, Qty: 6},
			limit(3, engine.Buy, 100, 10),
		}, [][2]int64{{100, 4}, {100, 1}, {100, 5}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := trades(run(t, test.change, test.commands...)); !same(got, test.want) {
				t.Errorf("trades are %v, not %v", got, test.want)
			}
		})
	}
}

func TestNewRefusesAShardWithoutRoom(t *testing.T) {
	t.Parallel()
	if _, err := New(engine.Config{}); err == nil {
		t.Fatal("a shard without orders was made")
	}
}
