package desk

import (
	"context"
	"errors"
	"os"
	"testing"

	"pgregory.net/rapid"

	"strongroom/matching/engine"
	"strongroom/money"
	"strongroom/trading"
)

var errNoAsset = errors.New("no such asset")

type counting map[string]engine.AssetID

func (c counting) Asset(_ context.Context, code string) (engine.AssetID, error) {
	if _, ok := c[code]; !ok {
		c[code] = engine.AssetID(len(c))
	}
	return c[code], nil
}

func developmentCatalog(tb testing.TB) *trading.Catalog {
	tb.Helper()
	file, err := os.Open("../../internal/devstack/stack/markets.json")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	terms, err := trading.ReadTerms(file)
	if err != nil {
		tb.Fatal(err)
	}
	c, err := trading.NewCatalog(tb.Context(), terms, func(code string) (money.Asset, error) {
		scale, ok := map[string]uint8{"BTC": 8, "LTC": 8, "ETH": 18, "USDC": 6}[code]
		if !ok {
			return money.Asset{}, errNoAsset
		}
		return money.Asset{Code: code, Scale: scale}, nil
	}, counting{})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

const (
	accounts = 4
	around   = 6_000_000 // ticks
)

// drive is an engine whose events a memory hears.
type drive struct {
	t      *rapid.T
	engine *engine.Engine
	memory *memory
	traded map[engine.OrderID]engine.Amount
	lots   map[engine.OrderID]int64
}

func (d *drive) apply(c engine.Command) {
	events := d.engine.Apply(&c, nil)
	d.memory.mu.Lock()
	defer d.memory.mu.Unlock()
	for i := range events {
		ev := &events[i]
		d.memory.take(ev, nil)
		if ev.Kind != engine.EventTrade {
			continue
		}
		for _, id := range []engine.OrderID{ev.Order, ev.Maker} {
			d.traded[id], _ = d.traded[id].Add(engine.Amount{Lo: uint64(ev.Price * ev.Qty)})
			d.lots[id] += ev.Qty
		}
	}
}

// command draws anything that customers do. Prices lie close together, so that much trades.
func (d *drive) command() engine.Command {
	t := d.t
	price := func(label string) int64 { return rapid.Int64Range(around-8, around+8).Draw(t, label) }
	c := engine.Command{Account: engine.AccountID(rapid.Uint32Range(1, accounts).Draw(t, "account")), Market: 1}
	rows := d.engine.Orders(c.Account, nil)
	switch what := rapid.IntRange(0, 19).Draw(t, "what"); {
	case what == 0:
		c.Op = engine.OpMassCancel
		return c
	case what <= 3 && len(rows) > 0:
		c.Op, c.Order = engine.OpCancel, rapid.SampledFrom(rows).Draw(t, "order").Order
		return c
	case what <= 6 && len(rows) > 0:
		c.Op, c.Order = engine.OpAmend, rapid.SampledFrom(rows).Draw(t, "order").Order
		c.Qty = rapid.Int64Range(0, 40).Draw(t, "quantity")
		if rapid.Bool().Draw(t, "moves") {
			c.Price = price("price")
		}
		return c
	}
	c.Op, c.Side = engine.OpNew, engine.Side(rapid.IntRange(0, 1).Draw(t, "side"))
	c.Type, c.Qty = engine.Type(rapid.IntRange(0, 7).Draw(t, "type")), rapid.Int64Range(1, 40).Draw(t, "quantity")
	c.STP = engine.STP(rapid.IntRange(0, 4).Draw(t, "self-trade"))
	c.Key = engine.Key{Lo: rapid.Uint64Range(0, 1<<40).Draw(t, "key")}
	switch c.Type {
	case engine.Limit:
		c.Price, c.TIF = price("price"), engine.TimeInForce(rapid.IntRange(0, 2).Draw(t, "time in force"))
		if c.TIF == engine.GTC && rapid.Bool().Draw(t, "iceberg") {
			c.Display = max(1, c.Qty/3)
		}
		if rapid.IntRange(0, 3).Draw(t, "bracket") == 0 {
			c.Flags |= engine.Bracket
			c.TakeProfit, c.StopLoss = c.Price+4, c.Price-4
			if c.Side == engine.Sell {
				c.TakeProfit, c.StopLoss = c.StopLoss, c.TakeProfit
			}
		}
	case engine.MarketQuote:
		c.Qty, c.Amount = 0, engine.Amount{Lo: rapid.Uint64Range(1_000_000, 200_000_000).Draw(t, "amount")}
	case engine.Stop:
		c.Trigger = price("trigger")
	case engine.StopLimit:
		c.Trigger, c.Price = price("trigger"), price("price")
	case engine.Trailing:
		c.Offset = rapid.Int64Range(1, 10).Draw(t, "offset")
	case engine.Peg:
		c.Price, c.Offset = price("price"), rapid.Int64Range(0, 3).Draw(t, "offset")
	case engine.OCO:
		c.Price, c.Trigger = price("price"), price("trigger")
	case engine.Market:
	}
	return c
}

// agree holds what the memory knows of orders that wait against the engine.
func (d *drive) agree() {
	waiting := map[engine.OrderID]bool{}
	for a := engine.AccountID(1); a <= accounts; a++ {
		for _, r := range d.engine.Orders(a, nil) {
			waiting[r.Order] = true
			l := d.memory.open[r.Order]
			if l == nil || !l.whole || l.left != r.Qty || l.account != r.Account || l.side != r.Side || l.key != r.Key || l.sibling != r.Sibling && r.Sibling != 0 ||
				r.Price != 0 && l.price != r.Price || (r.Price == 0) != (l.state == trading.OrderWaiting) {
				d.t.Fatalf("the engine has %+v\nthe memory %+v", r, l)
			}
		}
	}
	for id, l := range d.memory.open {
		if !waiting[id] {
			d.t.Fatalf("the memory has %+v, which has ended", l)
		}
	}
	for _, of := range []map[engine.OrderID]*live{d.memory.open, d.memory.ended} {
		for id, l := range of {
			if l.turnover != d.traded[id] || l.filled != d.lots[id] {
				d.t.Fatalf("%+v has traded %+v, %d lots", l, d.traded[id], d.lots[id])
			}
			if l.ended() && l.state == trading.OrderFilled && l.left != 0 {
				d.t.Fatalf("%+v is filled", l)
			}
		}
	}
}

// TestTheMemoryAgreesWithTheEngine has customers do anything and compares all orders that
// wait, and all that was traded, after each command.
func TestTheMemoryAgreesWithTheEngine(t *testing.T) {
	catalog := developmentCatalog(t)
	m := catalog.ByID(1)
	rapid.Check(t, func(t *rapid.T) {
		e, err := engine.New(engine.Config{Orders: 1 << 8, Accounts: accounts + 1, Assets: 8, Markets: 4, Keys: 1 << 10, Transfers: 1 << 6})
		if err != nil {
			t.Fatal(err)
		}
		d := &drive{t: t, engine: e, memory: newMemory(catalog), traded: map[engine.OrderID]engine.Amount{}, lots: map[engine.OrderID]int64{}}
		e.Configure(&engine.Command{Op: engine.OpMarket, Market: 1}, &m.Config, nil)
		d.apply(engine.Command{Op: engine.OpState, Market: 1, State: engine.Open})
		for a := engine.AccountID(1); a <= accounts; a++ {
			d.apply(engine.Command{Op: engine.OpAccount, Account: a})
			for _, asset := range []engine.AssetID{m.Config.Base, m.Config.Quote} {
				d.apply(engine.Command{
					Op: engine.OpCredit, Account: a, Asset: asset, Amount: engine.Amount{Lo: 1 << 50}, Key: engine.Key{Hi: uint64(a), Lo: uint64(asset) + 1},
				})
			}
		}
		for range rapid.IntRange(1, 80).Draw(t, "commands") {
			d.apply(d.command())
			d.agree()
		}
	})
}
